"""Does the answer hang on the thought? Every latent is replaced, and the answers are counted again.

Experiment 2 of arXiv:2602.22766, do(Z), in its four forms (one tensor for all, noise added, noise instead, nearly
zero), and the token replacements of arXiv:2605.18445 (zeros, first latent repeated, noise of the same norm, none,
oracle). What the paper's tables do not have: the flip rate, the shift of the answer's logit, how often the text
degenerates, McNemar's test for every row, and the oracle of *another* scene, which must mislead a model that listens
to its thought.

Usage: python examples/lvr/02_thought_to_answer.py [--n 100] [--out DIR]
       python examples/lvr/02_thought_to_answer.py --checkpoint PATH --spec lvr --data vstar.parquet --device cuda
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked
from mediation.probing import capture

OUTCOMES = {
    "accuracy": med.AnswerCorrect("answer", options="options"),
    "flipped": med.AnswerFlipped(options="options"),
    "degenerate": med.Degenerate(),
}


def arms(case: Worked) -> dict[str, med.Assignment]:
    """Return what is put in the place of every latent, in the decoding loop as the paper does."""
    latents = capture(case.model, case.own, med.latents(), max_new_tokens=case.max_new_tokens).values
    spread = float(np.nanstd(latents))
    put = {
        "Z = tau": med.Constant(latents[0, 0]),
        "Z + noise": med.GaussianNoise(spread),
        "Z = noise": med.GaussianNoise(spread, replace=True),
        "Z = mu, nearly 0": med.Constant(1e-3),
        "zero": med.Zero(),
        "matched random": med.GaussianNoise(1.0, replace=True, norm_matched=True),
        "first repeated": med.FirstRepeat(),
        "another unit's": med.Swap(),
        "skipped": med.Skip(),
    }
    if case.oracle() is not None:
        put |= {"oracle": med.Oracle(case.oracle("own")), "oracle, other scene": med.Oracle(case.oracle("other"))}
    return {name: one.at(med.latents()) for name, one in put.items()}


def table(case: Worked) -> pd.DataFrame:
    """Return one row an arm, with effects on four outcomes."""
    put, rows = arms(case), {}
    for name, outcome in {**OUTCOMES, "logit": case.outcome}.items():
        effects = case.ablate(put, outcome)
        found = effects.tidy().set_index("arm")
        rows[name], rows[f"{name} low"], rows[f"{name} high"] = found["estimate"], found["conf_low"], found["conf_high"]
        if name == "accuracy":
            units = effects.units.pivot_table(index="unit", columns="arm", values=["y", "ym"])
            rows["plain"] = units["y"].mean()
            change = units["ym"] - units["y"]
            rows["McNemar p"] = pd.Series(med.inference.mcnemar(change.to_numpy()).p_value, index=change.columns)
    return pd.DataFrame(rows).loc[list(put)]


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", n=100)
    found = pd.concat({case.name: table(case) for case in cases}, names=["model", "arm"])
    print(found[["plain", "accuracy", "McNemar p", "flipped", "logit", "degenerate"]].round(3).to_string(na_rep=""))
    cases[0].save(found.reset_index(), "lvr-2-thought-to-answer.csv")
    assert found["plain"].min() > 0.5, "there is something to lose"


if __name__ == "__main__":
    main()
