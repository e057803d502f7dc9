"""A latent thought on real weights: does it carry the question, and does the model read it at all?

SmolLM2-135M was never trained to think in latents. A spec makes it: after a special token of its tokenizer, four of its
last hidden states are fed back to it, as in Coconut. Then it is asked for the capital of a country; base and source
differ in the country. The answer still sees the question, so the whole effect can go past the thought.

Ablations say why an indirect effect is small. Another unit's thought tells whether it is about the unit; zeros, noise
and no thought, whether something must be there; the wrong capital in its place (the oracle), whether an answer that
stood there would be read. In-loop arms change later latents too, after-the-fact arms do not.

Usage: python examples/05_thoughts/01_latent_thought_on_smollm2.py [picture.png]
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import pandas as pd
import torch

import mediation as med
from mediation.demo import find_model

SPEC = med.LatentSpec("<jupyter_start>", "<jupyter_text>", steps=4)
OPENINGS = ("Name", "Tell me", "Do not forget", "I know", "We visited", "She lives in", "They work in", "He went to")
CAPITALS = """France Paris Italy Rome Spain Madrid Germany Berlin Japan Tokyo England London Greece Athens
Egypt Cairo Russia Moscow China Beijing Ireland Dublin Austria Vienna""".split()  # noqa: SIM905


def units() -> med.Pairs:
    """Return five pairs of countries for each opening, in prompts that end where the thought opens."""
    known, rows = list(zip(CAPITALS[::2], CAPITALS[1::2], strict=True)), []
    for number in range(40):
        opening, shift = OPENINGS[number // 5], 1 + number // 5 % 7
        (one, foil), (other, answer) = known[number % 12], known[(number + shift) % 12]
        base, source = (f"{opening} the capital of {country}.{SPEC.start}" for country in (one, other))
        rows.append((opening, base, source, f" {answer}", f" {foil}"))
    frame = pd.DataFrame(rows, columns=["opening", "base", "source", "answer", "foil"])
    return med.Pairs.from_frame(frame, cluster="opening")


def main() -> None:
    model, pairs = med.load(find_model(), spec=SPEC), units()
    outcome = med.outcomes.Cued(med.LogitDiff("answer", "foil"), " The capital is")
    effects = med.mediate(model, pairs, med.latents(), outcome, rng=0, max_new_tokens=6)
    test = effects.equivalence(margin=0.05, relative_to="te", estimands=["pnie", "tnie"])
    steps = med.mediate(model, pairs, med.latents(step="each"), outcome, estimands=["pnie"], rng=0, max_new_tokens=6)
    embedding = model.module.get_input_embeddings().weight.detach()
    words = torch.stack([embedding[model.tokenizer.encode(foil)].repeat(4, 1) for foil in pairs.column("foil")])
    loop, after = med.latents(), med.latents(when="after-the-fact")
    arms = {
        "another unit's": med.Swap().at(loop),
        "noise added, in the loop": med.GaussianNoise(1.0).at(loop),
        "noise added, after the fact": med.GaussianNoise(1.0).at(after),
        "skipped": med.interventions.Skip().at(loop),
        "all to zero": med.Zero().at(loop),
        "noise instead": med.GaussianNoise(1.0, replace=True, norm_matched=True).at(loop),
        "oracle: the wrong capital": med.interventions.Oracle(words).at(loop),
    }
    ablation = med.ablate(model, pairs, arms, outcome, rng=0, max_new_tokens=6)
    print(effects.summary(), test.summary(), steps.summary("pnie"), ablation.summary(), sep="\n\n")
    with med.plot.theme():
        figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.6, 8.4), layout="constrained")
        med.plot.decomposition(effects, ax=top)
        med.plot.forest(ablation, ax=bottom)
        if len(sys.argv) > 1:
            figure.savefig(sys.argv[1])

    found = ablation.tidy().set_index("arm")
    assert effects.tidy().set_index("estimand").loc["te", "conf_low"] > 5, "the question decides the answer"
    assert set(test.tidy()["verdict"]) == {"equivalent"}, "and less than 5% of that goes through the thought"
    assert found.loc["oracle: the wrong capital", "conf_low"] > 5, "though an answer that stood there would be read"
    assert found.loc["another unit's", "conf_high"] < 0.1, "and another unit's thought does as well as its own"


if __name__ == "__main__":
    main()
