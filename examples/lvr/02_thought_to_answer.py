"""Does the answer hang on the thought? Every latent is replaced, and the answers are counted again.

Experiment 2 of arXiv:2602.22766, do(Z), in its four forms, and the token replacements of arXiv:2605.18445 (zeros, first
latent repeated, noise of the same norm, none, oracle). The paper does not give tau, sigma and mu. Here tau is the first
latent of the first unit, sigma one standard deviation of the latents, and mu 0.001. What its tables do not have:
McNemar's test, flips, the answer's logit, loops, and the oracle of *another* scene.

Usage: python examples/lvr/02_thought_to_answer.py [--n 100] [--out DIR]
       python examples/lvr/02_thought_to_answer.py --checkpoint PATH --spec lvr --data vstar.parquet --device cuda
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import Worked, arm_table, each_worked, with_interval
from mediation.interventions import Assignment, FirstRepeat, Oracle, Skip

HEAD = """accuracy with the arm, plain without it; p: McNemar's exact test, not adjusted for the number of arms; none:
texts without an answer; flipped: answers that changed; logit: what the arm adds to the answer's logit less another's,
in 'logit n' units (thought closed under every arm); loops: texts that end in one. In brackets: 95% intervals."""


def arms(case: Worked) -> dict[str, Assignment]:
    """Return what is put in the place of every latent, in the decoding loop as the paper does."""
    latents = case.states()
    put = {
        "Z = tau": med.Constant(latents[np.argmax(latents.lengths > 0), 0]),
        "Z + noise": med.GaussianNoise(1.0, relative=True),
        "Z = noise": med.GaussianNoise(1.0, relative=True, replace=True),
        "Z = mu, nearly 0": med.Constant(1e-3),
        "zero": med.Zero(),
        "matched random": med.GaussianNoise(1.0, replace=True, norm_matched=True),
        "first repeated": FirstRepeat(),
        "another unit's": med.Swap(),
        "skipped": Skip(),
    }
    if case.oracle() is not None:
        put |= {"oracle": Oracle(case.oracle("own")), "oracle, other scene": Oracle(case.oracle("other"))}
    return {name: one.at(med.latents()) for name, one in put.items()}


def shown(table: pd.DataFrame) -> str:
    """Return the table with intervals in brackets."""
    ends = ("accuracy", "change", "flipped", "logit")
    cells = {one: with_interval(table[one], table[f"{one} low"], table[f"{one} high"]) for one in ends}
    every = ["accuracy", "plain", "change", "p", "none", "flipped", "logit", "logit n", "loops"]
    return table[every].round(3).assign(**cells).to_string(na_rep="")


def drawn(tables: dict[str, pd.DataFrame]) -> plt.Figure:
    """Return accuracy by arm beside the share of answers that changed, one row a model."""
    figure, grid = plt.subplots(len(tables), 2, figsize=(8.6, 3.3 * len(tables)), layout="constrained", squeeze=False)
    for axes, (model, one) in zip(grid, tables.items(), strict=True):
        for ax, name, said in zip(axes, ("accuracy", "flipped"), ("right answers", "answers changed"), strict=True):
            reach = [one[name] - one[f"{name} low"], one[f"{name} high"] - one[name]]
            ax.errorbar(one[name], range(len(one)), xerr=reach, fmt="o", color="#0072B2", ms=5, capsize=3, lw=1.4)
            ax.set(xlim=(-0.03, 1.03), ylim=(len(one) - 0.4, -0.6), xlabel=f"{said}, with 95% intervals")
            ax.set_yticks(range(len(one)), one.index if name == "accuracy" else [""] * len(one))
        axes[0].axvline(one["plain"].iloc[0], color="0.4", ls="--", lw=1)
        axes[0].set_title(f"{model} (dashed: without an arm), n = {one['n'].iloc[0]}", loc="left", fontsize="medium")
    return figure


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", n=100)
    tables = {case.name: arm_table(case, arms(case)) for case in cases}
    print(HEAD, *(f"\n{name}\n{shown(table)}" for name, table in tables.items()), sep="\n")
    print(*(case.foot for case in cases if case.foot), sep="\n")
    cases[0].save(pd.concat(tables, names=["model", "arm"]).reset_index(), "lvr-2-thought-to-answer.csv")
    cases[0].save(drawn(tables), "lvr-2-thought-to-answer.png")
    assert all(table["accuracy"].between(0, 1).all() and table["plain"].nunique() == 1 for table in tables.values())


if __name__ == "__main__":
    main()
