"""Does the input reach the thought? How alike latent thoughts are, between inputs and between steps.

Experiment 1 of arXiv:2602.22766, do(X): the whole input is another one, and the latents at each step are compared.
Raw cosines of hidden states are high for any model, since all states share a large mean. So beside the latents stand
image tokens (of the region, where it is known), question tokens and the inner state after the whole input; and beside
the raw cosine the centred one (the mean over units and steps taken away), the effective rank (at most the number of
units less 1) and the alignment of each step with the first (debiased linear CKA).

Usage: python examples/lvr/01_input_to_thought.py [--n 100] [--out DIR]
       python examples/lvr/01_input_to_thought.py --checkpoint PATH --spec monet --data vstar.parquet --device cuda
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked
from mediation.probing import similarity

DRAWN = ("inter cosine", "inter centred cosine", "intra cosine")
MEASURES = (*DRAWN, "cka", "effective rank")


def states(case: Worked) -> dict[str, med.probing.States]:
    """Return the latents, and as many steps of what they are compared with."""
    latents = case.states()
    steps = latents.shape[1]
    seen = med.image(box="box") if "box" in case.frame else med.image()
    return {
        "latents": latents,
        "image tokens": case.states(seen, steps=steps),
        "question tokens": case.states(med.question(), steps=steps),
        "inner state": case.states(med.residual(-1, at="last")),
    }


def by_step(table: pd.DataFrame) -> pd.DataFrame:
    """Return estimates by step; of pairs of steps, those with the first."""
    rows = table[table["measure"].isin(MEASURES)]
    pair = rows[["step", "other"]].astype(float)
    rows = rows.assign(step=pair.max(axis=1).astype(int))[rows["other"].isna() | (pair.min(axis=1) == 0)]
    names = ["model", "measure", "states"]
    return rows.pivot_table(index=names, columns="step", values="estimate", sort=False)


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", n=100)
    wide = len(cases)
    figure, grid = plt.subplots(len(DRAWN), wide, figsize=(5.2 * wide, 9.6), layout="constrained", squeeze=False)
    tables = {}
    for column, case in enumerate(cases):
        found = [similarity(one, name=name, rng=0) for name, one in states(case).items()]
        tables[case.name] = found[0].compare(*found[1:])
        for ax, measure in zip(grid[:, column], DRAWN, strict=True):
            if measure in set(tables[case.name]["measure"]):
                med.plot.decay(found, measure, ax=ax)
                ax.set_title(f"{case.name}. {ax.get_title(loc='left')}", loc="left", fontsize="medium")
            else:  # steps that fewer than half of the thoughts have are not compared
                ax.set_title(f"{case.name}. {measure}: most thoughts have one step", loc="left", fontsize="medium")
                ax.axis("off")
    table = pd.concat(tables, names=["model"]).reset_index(level=0)
    print(
        f"By step (intervals: CSV and figure), n = {len(cases[0].frame)}; 'intra cosine' and 'cka' with the first step"
    )
    print(by_step(table).round(3).to_string(na_rep=""))
    cases[0].save(table, "lvr-1-input-to-thought.csv")
    cases[0].save(figure, "lvr-1-input-to-thought.png")
    inter = table[table["measure"] == "inter cosine"]
    assert inter["estimate"].between(inter["conf_low"], inter["conf_high"]).all(), "every similarity has its interval"


if __name__ == "__main__":
    main()
