"""Words against latents: how much of the image's effect goes through each, on the same units, and what each costs.

Natural effects through the imagined text of CapImagine and through the latents of LVR, Mirage and Monet, on the same
scenes and questions, with the interval of every difference. Beside them the efficiency of the paper: positions and time
of an answer. Two controls have an answer that sees nothing but the text (`necessary-written`: all is mediated), or
cannot see it (`ignored-written`: nothing is).

Usage: python examples/capimagine/03_words_against_latents.py [--n 100] [--out DIR]
"""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked, with_interval

KEYS = ("te", "pnde", "tnie", "pm")
CONTROLS = ("necessary-written", "ignored-written")


def cost(case: Worked) -> dict[str, float]:
    """Return positions inside thoughts, positions in all and milliseconds, for one answer."""
    began = time.perf_counter()
    found = med.rollout(case.model, case.own, max_new_tokens=case.max_new_tokens, progress=False)
    seconds, n = time.perf_counter() - began, len(found)
    inside = sum(stop - start for spans in found.segments for start, stop in spans)
    return {"in the thought": inside / n, "in all": sum(map(len, found.ids)) / n, "milliseconds": 1000 * seconds / n}


def draw(differences: dict[str, med.Effects]) -> plt.Figure:
    """Return words, latents and their difference: the effect through the thought, and its share."""
    wide, rows = ("tnie", "pm"), len(differences)
    figure, grid = plt.subplots(rows, 2, figsize=(15, 2.1 * rows), layout="constrained", squeeze=False)
    for line, (name, one) in zip(grid, differences.items(), strict=True):
        for ax, key in zip(line, wide, strict=True):
            med.plot.compare(one, ax=ax, estimand=key)
            ax.locator_params(axis="x", nbins=4)
            ax.set_title(f"Words and the latents of {name}: {key.upper()}", loc="left", fontsize="medium")
    return figure


def main() -> None:
    cases = each_worked("capimagine", "lvr", "mirage", "monet", *CONTROLS, n=100)
    effects = {case.name: case.mediate(KEYS) for case in cases}
    words, *others = [name for name in effects if name not in CONTROLS] or effects
    table = pd.concat({name: one.tidy() for name, one in effects.items()}, names=["model"]).reset_index(level=0)
    cells = table.assign(cell=with_interval(table["estimate"], table["conf_low"], table["conf_high"]))
    print(f"Effects of the image on the answer (logits; pm = tnie / te), 95% intervals, n = {table['n'].min()}")
    print(cells.pivot(index="model", columns="estimand", values="cell").loc[list(effects), list(KEYS)].to_string())
    found = {name: effects[words].compare(effects[name], labels=(words, name), estimands=KEYS) for name in others}
    if found:
        against = pd.concat({name: one.tidy() for name, one in found.items()}, names=["against"]).reset_index(level=0)
        told = against.assign(cell=with_interval(against["estimate"], against["conf_low"], against["conf_high"]))
        print(f"\n{words} minus the others, on the same units")
        print(told.pivot(index="against", columns="estimand", values="cell").loc[others, list(KEYS)].to_string())
        cases[0].save(against, "capimagine-3-differences.csv")
        cases[0].save(draw(found), "capimagine-3-words-against-latents.png")
    costs = pd.DataFrame({case.name: cost(case) for case in cases}).T
    print(f"\nPositions and time of an answer (in a batch, on this machine)\n{costs.round(2).to_string()}")
    print(*(case.foot for case in cases if case.foot), sep="\n")
    cases[0].save(table, "capimagine-3-effects.csv")
    cases[0].save(costs.reset_index(names="model"), "capimagine-3-costs.csv")
    shares = table[table["estimand"] == "pm"].set_index("model")["estimate"]
    assert shares.get("necessary-written", 1.0) == 1.0, "all of the effect goes through the text"
    assert shares.get("ignored-written", 0.0) == 0.0, "none of the effect goes through the text"


if __name__ == "__main__":
    main()
