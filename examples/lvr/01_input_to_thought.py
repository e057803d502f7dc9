"""Does the input reach the thought? How alike latent thoughts are, between inputs and between steps.

Experiment 1 of arXiv:2602.22766, do(X): the whole input is another one, and the latents at each step are compared.
Raw cosines of hidden states are high for any model, since all states share a large mean. So beside the latents stand
image tokens, question tokens and the state after the whole input; and beside the raw cosine the centred one, the
effective rank and linear CKA. Whatever the three small models do is what is printed.

Usage: python examples/lvr/01_input_to_thought.py [--n 100] [--out DIR]
       python examples/lvr/01_input_to_thought.py --checkpoint PATH --spec monet --data vstar.parquet --device cuda
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked
from mediation.probing import capture, similarity

MEASURES = ("inter cosine", "inter centred cosine", "effective rank", "intra cosine", "cka")


def states(case: Worked) -> dict[str, med.probing.States]:
    """Return the latents, and what they are compared with."""
    latents = capture(case.model, case.own, med.latents(), max_new_tokens=case.max_new_tokens)
    some = range(latents.shape[1])
    return {
        "latents": latents,
        "image tokens": capture(case.model, case.own, med.image()).take(steps=some),
        "question tokens": capture(case.model, case.own, med.question()).take(steps=some),
        "after the input": capture(case.model, case.own, med.residual(-1, at="last")),
    }


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", n=100)
    figure, grid = plt.subplots(2, len(cases), figsize=(4.2 * len(cases), 6.6), layout="constrained", squeeze=False)
    tables = {}
    for column, case in enumerate(cases):
        found = [similarity(one, name=name, rng=0) for name, one in states(case).items()]
        tables[case.name] = found[0].compare(*found[1:])
        for ax, measure in zip(grid[:, column], ("inter cosine", "intra cosine"), strict=True):
            med.plot.decay(found[:3], measure, ax=ax)
            ax.set_title(case.name)
    table = pd.concat(tables, names=["model"]).reset_index(level=0)
    shown = table[table["measure"].isin(MEASURES[:3])].pivot_table(
        index=["model", "measure", "states"], columns="step", values="estimate", sort=False
    )
    print(shown.round(3).to_string(na_rep=""))
    cases[0].save(table, "lvr-1-input-to-thought.csv")
    cases[0].save(figure, "lvr-1-input-to-thought.png")
    assert table["conf_low"].notna().any(), "similarities come with intervals"


if __name__ == "__main__":
    main()
