"""Does the answer hang on the imagined text? The same arms for words and for latents; the adversarial rewrite apart.

The paper rewrites CapImagine's text so that it argues for a wrong answer, and sets latents to a constant: that puts
information into the one and takes it out of the other. Here both get the same arms (`matched`), and the adversarial
rewrite, which describes the scene with another answer, is a table of its own. Two controls are rewritten too: an answer
that sees nothing but the text (necessary), and one that cannot see it (ignored). Changed is the first thought of a
generation: a model may open a second one after it, which is its own; it often does when the first is skipped.

Usage: python examples/capimagine/02_text_interventions.py [--n 100] [--out DIR]
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import Worked, arm_table, each_worked, with_interval

MODELS = ("capimagine", "lvr", "mirage", "monet", "necessary-written", "ignored-written")


def arms(case: Worked) -> pd.DataFrame:
    """Return what every matched arm does to accuracy and to the answer's logit (difference to the plain run)."""
    return arm_table(case, med.matched(case.thought.with_(segment=0), n=len(case.frame)))


def adversarial(case: Worked) -> pd.DataFrame:
    """Return what words do that describe the scene with another answer."""
    told = med.rewrites.ReplaceText(tuple(case.frame["other_imagined"])).at(med.imagination(segment=0))
    return arm_table(case, {case.name: told})


def draw(table: pd.DataFrame) -> plt.Figure:
    """Return the shift of the logit by every arm, one colour a model."""
    models, names = (list(dict.fromkeys(table.index.get_level_values(level))) for level in ("model", "arm"))
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.14 * len(models) * len(names)), layout="constrained")
    for row, model in enumerate(models):
        own = table.loc[model].loc[names]
        at = np.arange(len(names)) + 0.8 * ((row + 0.5) / len(models) - 0.5)
        ends = np.abs(own[["logit low", "logit high"]].sub(own["logit"], axis=0).fillna(0.0)).T
        ax.errorbar(own["logit"], at, xerr=ends, fmt="os^Dvx"[row], color=f"C{row}", ms=4, lw=1.2, label=model)
    ax.hlines(np.arange(len(names) - 1) + 0.5, 0, 1, color="0.9", lw=0.8, transform=ax.get_yaxis_transform())
    ax.axvline(0, color="0.6", lw=0.8, zorder=0)
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel("shift of logit(answer) - logit(answer of the other scene) by the arm, 95% interval")
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, loc="outside right upper", title="thought of")
    return figure


def main() -> None:
    cases = each_worked(*MODELS, n=100)
    table = pd.concat({case.name: arms(case) for case in cases}, names=["model", "arm"])
    order = {"index": table.loc[cases[0].name].index, "columns": [case.name for case in cases]}
    for name in ("accuracy", "logit"):
        ends = table[f"{name} low"], table[f"{name} high"]
        cells = pd.Series(with_interval(table[name], *ends), table.index).unstack("model")
        print(f"{name}{' (what the arm adds)' * (name == 'logit')}\n{cells.reindex(**order).to_string()}\n")
    written = [case for case in cases if case.thought == med.imagination() and "other_imagined" in case.frame]
    against = pd.concat(map(adversarial, written)) if written else pd.DataFrame()
    if written:
        print("The text argues for the answer of the other scene (p: McNemar's test of accuracy against plain)")
        print(against[["plain", "accuracy", "accuracy low", "accuracy high", "p"]].round(4).to_string())
        cases[0].save(against.reset_index(names="model"), "capimagine-2-adversarial.csv")
    print(*(case.foot for case in cases if case.foot), sep="\n")
    cases[0].save(table.reset_index(), "capimagine-2-arms.csv")
    cases[0].save(draw(table), "capimagine-2-arms.png")
    for name, row in against.iterrows():
        assert name != "necessary-written" or row["logit high"] < 0, "words that are all the answer sees mislead it"
        assert name != "ignored-written" or row["flipped"] == 0, "words that the answer cannot see change nothing"


if __name__ == "__main__":
    main()
