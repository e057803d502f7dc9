"""A sweep over layers and positions, and its heat map with simultaneous bands.

The transformer is tiny and its weights are random, so the picture means nothing; what it shows is the way. Base and
source differ in one token. Positions before it cannot matter, and are exactly 0 (hatched). Triangles mark cells whose
band, which holds for all cells at once, excludes 0.

Usage: python examples/01_basics/02_sweep_and_heatmap.py [picture.png]
"""

from __future__ import annotations

import itertools
import sys
import warnings

import mediation as med

WHO = ("The cat", "The book", "The city", "The capital")
WHAT = (" went to", " is in", " gave to")


def main() -> None:
    tokenizer = med.testing.tiny_tokenizer()
    model = med.load(med.testing.tiny_model("llama", layers=6), tokenizer)
    heads = [who + what for who, what in itertools.product(WHO, WHAT)]
    pairs = med.Pairs(
        base=[f"{head} France and is" for head in heads], source=[f"{head} Italy and is" for head in heads]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # cells that are exactly 0 have no interval
        sweep = med.mediate(model, pairs, med.residual(at="each"), med.LogitDiff(" city", " book"), rng=0)
    print(sweep.summary("pnie"))
    with med.plot.theme():
        ax = med.plot.heatmap(sweep, "pnie")
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    table = sweep.tidy()
    grid = table[table["estimand"] == "pnie"].pivot(index="layer", columns="position", values="estimate")
    total = table.loc[table["estimand"] == "te", "estimate"].iloc[0]
    assert grid.shape == (6, 7)
    assert (grid[["0", "1", "2", "3"]] == 0).all(axis=None), "nothing passes before the token that differs"
    assert abs(grid.loc[5, "6"] - total) < 1e-5, "the last token of the last layer carries all of it"


if __name__ == "__main__":
    main()
