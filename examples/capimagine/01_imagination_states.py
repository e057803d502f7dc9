"""Does the input reach the imagined text? The states of imagined words beside those of latents.

The first experiment of arXiv:2602.22766 for CapImagine, which imagines in words: how alike the hidden states of its
imagined tokens are, between inputs and between steps, beside the latents of three models that imagine in vectors, and
beside question and image tokens of the same run. At a fixed step the words of two thoughts often are the same one
("row", "column", "ground"), so the similarity of text goes up and down by step; latents have no such template.

Usage: python examples/capimagine/01_imagination_states.py [--n 100] [--out DIR]
       python examples/capimagine/01_imagination_states.py --checkpoint PATH --spec capimagine --data vstar.parquet
"""

from __future__ import annotations

import matplotlib.pyplot as plt

import mediation as med
from mediation.demo import each_worked
from mediation.probing import similarity

MEASURES = ("inter cosine", "inter centred cosine", "effective rank", "intra cosine")
STEPS = 11  # the words of a thought about an object


def main() -> None:
    cases = each_worked("capimagine", "lvr", "mirage", "monet", n=100)
    own = cases[0]
    states = {f"thought of {case.name}": case.states(steps=STEPS) for case in cases}
    states |= {"question tokens": own.states(med.question(), steps=6), "image tokens": own.states(med.image(), steps=6)}
    found = [similarity(some, name=name, rng=0) for name, some in states.items()]
    table = found[0].compare(*found[1:])
    means = table[table["measure"].isin(MEASURES)].groupby(["states", "measure"], sort=False)["estimate"].mean()
    print(f"Means over steps (by step, with intervals: CSV and figure), n = {len(own.frame)}")
    print(means.unstack()[list(MEASURES)].round(3).to_string())
    print(*(case.foot for case in cases if case.foot), sep="\n")
    figure, grid = plt.subplots(2, 2, figsize=(14, 8.5), layout="constrained")
    for ax, measure in zip(grid.flat, MEASURES, strict=True):
        med.plot.decay(found, measure, ax=ax)
    own.save(table, "capimagine-1-states.csv")
    own.save(figure, "capimagine-1-states.png")
    inter = table[table["measure"] == "inter cosine"]
    assert inter["estimate"].between(inter["conf_low"], inter["conf_high"]).all(), "every similarity has its interval"


if __name__ == "__main__":
    main()
