"""Is the effect of the image mediated by the thought? One verdict a model and task, beside two pairs of controls.

Accuracy, the effect of the image on the answer (logits), its share that goes through the thought, whether that is
negligible (equivalence test, 10% of the total), what a probe reads from the thought, and how alike thoughts are.
Controls: the answer sees nothing but the thought, or everything but the thought.

Usage: python examples/verdicts/01_verdict_table.py [--n 100] [--out DIR]
       python examples/verdicts/01_verdict_table.py --seeds 20   # the controls on fresh images and resamples only
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import pandas as pd

from mediation.demo import each_worked, verdict_of, verdict_row, with_interval

SAID = {"necessary": "wholly mediated", "ignored": "exactly zero"}
CONTROLS = {f"{kind}-{form}": said for kind, said in SAID.items() for form in ("latent", "written")}
MODELS = ("capimagine", "lvr", "mirage", "monet", *CONTROLS)
PLANNERS = ("capimagine", "mirage", "necessary-latent", "necessary-written")


def seeds(count: int, rest: list[str]) -> None:
    """Ask the controls again, on other images and with other resamples."""
    rows = []
    for seed in range(count):
        for case in each_worked(*CONTROLS, argv=[*rest, "--seed", str(seed)]):
            effects = case.mediate(("te", "tnie", "pm"))
            found = effects.tidy().set_index("estimand")["estimate"].to_dict()
            rows.append({"seed": seed, "model": case.name, **found, "verdict": verdict_of(effects)})
    table = pd.DataFrame(rows)
    print(table.groupby(["model", "verdict"], sort=False)["seed"].nunique().to_string())
    case.save(table, "verdicts-seeds.csv")
    assert table["verdict"].eq(table["model"].map(CONTROLS)).all(), "the controls separate in every seed"


def draw(table: pd.DataFrame) -> plt.Figure:
    """Return the shares with their intervals, controls in grey."""
    figure, ax = plt.subplots(figsize=(8, 1.2 + 0.32 * len(table)), layout="constrained")
    for y, row in enumerate(table.to_dict("records")):
        colour, known = "0.55" if row["model"] in CONTROLS else "C0", pd.notna(row["share low"])
        ax.plot([row["share low"], row["share high"]], [y, y], color=colour)
        ax.plot(row["share"], y, "o" if known else "D", color=colour)
        ax.text(1.02, y, row["verdict"], transform=ax.get_yaxis_transform(), va="center", color=colour)
    ax.vlines([0, 1], -0.5, len(table) - 0.5, color="0.8", lw=0.8, zorder=0)
    ax.set_yticks(range(len(table)), table["model"] + ", " + table["task"])
    label = "share of the image's effect that goes through the thought (TNIE / TE, 95% interval)"
    ax.set(xlim=(-0.3, 1.3), ylim=(len(table) - 0.5, -0.5), xlabel=label)
    ax.set_title("Grey: controls. Diamonds: the same in every unit, no interval", loc="left", fontsize="medium")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seeds", type=int, default=0)
    asked, rest = parser.parse_known_args()
    if asked.seeds:
        return seeds(asked.seeds, rest)
    planned = each_worked(*PLANNERS, argv=rest, task="planning")
    cases = [*each_worked(*MODELS, argv=rest), *(case for case in planned if case.name in PLANNERS)]
    table = pd.DataFrame([verdict_row(case) for case in cases])
    shown = table[["model", "task", "n"]].copy()
    for name in ("accuracy", "te", "share", "probe"):
        numbers = table[[name, f"{name} low", f"{name} high"]].round(3) + 0.0  # no sign before a zero
        shown[name] = with_interval(*numbers.to_numpy().T, digits=3 if name == "share" else 2)
    print(shown.join(table[["verdict", "cosine", "centred cosine"]].round(2)).to_string(index=False))
    print(*filter(None, (case.foot for case in cases)), sep="\n")
    cases[0].save(table, "verdicts.csv")
    cases[0].save(draw(table), "verdicts.png")
    assert table["verdict"].eq(table["model"].map(CONTROLS).fillna(table["verdict"])).all(), (
        "the controls come out as they were built"
    )


if __name__ == "__main__":
    main()
