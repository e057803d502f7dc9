"""Words against latents: how much of the image's effect goes through each, on the same units, and what each costs.

Natural effects through the imagined text of CapImagine and through the latents of LVR, Mirage and Monet, on the same
scenes and questions, with the interval of every difference. Beside them: steps and time of an answer.

Usage: python examples/capimagine/03_words_against_latents.py [--n 100] [--out DIR]
"""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked

KEYS = ("te", "pnde", "tnie", "pm")


def cost(case: Worked) -> dict[str, float]:
    """Return positions inside thoughts, positions in all and seconds, for one answer."""
    began = time.perf_counter()
    found = med.rollout(case.model, case.own, max_new_tokens=case.max_new_tokens, progress=False)
    seconds = time.perf_counter() - began
    inside = sum(stop - start for spans in found.segments for start, stop in spans)
    n = len(found)
    return {"thought": inside / n, "positions": sum(map(len, found.ids)) / n, "ms": 1000 * seconds / n}


def main() -> None:
    cases = each_worked("capimagine", "lvr", "mirage", "monet", n=100)
    effects = {case.name: case.mediate(KEYS) for case in cases}
    words = effects["capimagine"]
    print(words.summary())
    figure, axes = plt.subplots(1, len(cases) - 1, figsize=(4.6 * (len(cases) - 1), 3.4), layout="constrained")
    rows = {}
    for ax, (name, other) in zip(axes, list(effects.items())[1:], strict=True):
        difference = words.compare(other, labels=("words", name))
        print(difference.summary())
        rows[name] = difference.tidy()
        med.plot.compare(difference, ax=ax)
    table = pd.concat({name: one.tidy() for name, one in effects.items()}, names=["model"]).reset_index(level=0)
    costs = pd.DataFrame({case.name: cost(case) for case in cases}).T
    print(costs.round(2).to_string())
    cases[0].save(table, "capimagine-3-effects.csv")
    cases[0].save(pd.concat(rows, names=["against"]).reset_index(level=0), "capimagine-3-differences.csv")
    cases[0].save(costs.reset_index(names="model"), "capimagine-3-costs.csv")
    cases[0].save(figure, "capimagine-3-words-against-latents.png")
    share = table.set_index(["model", "estimand"]).loc[("capimagine", "pm")]
    assert share["conf_low"] > 0, "part of the effect goes through the words"


if __name__ == "__main__":
    main()
