"""A written thought against a latent one: same prompts, same markers, same outcome, and arms in matched pairs.

After one example, SmolLM2-135M writes a thought such as "Italy's capital is Rome" between two brackets. By a latent
spec it thinks between the same brackets in four of its own hidden states, for which it was never trained. Base and
source differ in the country. A thought that holds the answer can be copied from; any other leaves it to the question.
How much is copied hangs on the example: without its last words, "It is Warsaw.", far less goes through the thought.

`matched` gives arms that do the same to both, so that what they do can be compared. The words of another unit name
another capital. No thought at all is the same text for both, and the script checks that it gives the same outcome.

Usage: python examples/05_thoughts/02_written_thought.py [picture.png]
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import find_model

OPENINGS = ("Name", "Tell me", "Do not forget", "I know", "We visited", "She lives in", "They work in", "He went to")
CAPITALS = """France Paris Italy Rome Spain Madrid Germany Berlin Japan Tokyo England London Greece Athens
Egypt Cairo Russia Moscow China Beijing Ireland Dublin Austria Vienna""".split()  # noqa: SIM905
SHOWN = "Poland. [Poland's capital is Warsaw] It is Warsaw.\n"
SPECS = {"written": med.TextSpec("[", "]"), "latent": med.LatentSpec(" [", "]", steps=4)}
SITES = {"written": med.imagination(), "latent": med.latents()}


def units() -> med.Pairs:
    """Return five pairs of countries for each opening, in prompts that end where the thought opens."""
    known, rows = list(zip(CAPITALS[::2], CAPITALS[1::2], strict=True)), []
    for number in range(40):
        opening, shift = OPENINGS[number // 5], 1 + number // 5 % 7
        (one, foil), (other, answer) = known[number % 12], known[(number + shift) % 12]
        base, source = (f"{SHOWN}{opening} the capital of {country}. [" for country in (one, other))
        rows.append((opening, base, source, f" {answer}", f" {foil}"))
    frame = pd.DataFrame(rows, columns=["opening", "base", "source", "answer", "foil"])
    return med.Pairs.from_frame(frame, cluster="opening")


def main() -> None:
    model, pairs, effects, arms = find_model(), units(), {}, {}
    outcome, keys = med.outcomes.Cued(med.LogitDiff("answer", "foil"), " It is"), ["te", "pnde", "tnie", "pm"]
    for name, site in SITES.items():
        how = {"spec": SPECS[name], "max_new_tokens": 12, "checks": 1, "rng": 0}
        effects[name] = med.mediate(model, pairs, site, outcome, estimands=keys, **how)
        arms[name] = med.ablate(model, pairs, med.matched(site), outcome, **how)
        print(effects[name].summary(), end="\n\n")
    both, each = (one["written"].compare(one["latent"], labels=("written", "latent")) for one in (effects, arms))
    print(both.summary(), each.summary(), sep="\n\n")
    with med.plot.theme():
        figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.6, 6.4), layout="constrained")
        med.plot.forest(both, ax=top)
        med.plot.forest(each, ax=bottom)
        if len(sys.argv) > 1:
            figure.savefig(sys.argv[1])

    written, latent = (one.tidy().set_index("estimand") for one in effects.values())
    assert written.loc["pm", "conf_low"] > 0.5, "most of the effect goes through the words"
    assert latent.loc["pm", "conf_high"] < 0.05, "and next to none through the latents"
    assert each.tidy().set_index("arm").loc["other unit", "conf_low"] > 1, "another unit's words mislead"
    skipped = [one.units[one.units["arm"] == "skipped"]["ym"] for one in arms.values()]
    assert np.allclose(*skipped, atol=1e-3), "without a thought both are the same run"


if __name__ == "__main__":
    main()
