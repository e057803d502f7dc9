"""Write the short tables that docs/worked shows, from the tables that the scripts of examples/ wrote.

Usage: python docs/worked/make_tables.py [docs/worked/results]
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from mediation.demo import with_interval


def cells(table: pd.DataFrame, name: str, low: str, high: str, digits: int = 2) -> list[str]:
    """Return a column with its intervals in brackets."""
    rounded = table[[name, low, high]].astype(float).round(digits) + 0.0  # no sign before a zero
    return with_interval(*rounded.to_numpy().T, digits=digits)


def arms(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy, McNemar's p, flips, logit and loops of every arm."""
    short = table[["model", "arm"]].assign(accuracy=cells(table, "accuracy", "accuracy low", "accuracy high"))
    short["without the arm"] = table["plain"].map("{:.2f}".format)
    short["McNemar p"] = table["p"].map(lambda p: "" if pd.isna(p) else ("<.001" if p < 0.001 else f"{p:.3f}"))
    short["no answer"] = table["none"].map("{:.2f}".format)
    short["flipped"] = cells(table, "flipped", "flipped low", "flipped high")
    short["shift of the logit"] = cells(table, "logit", "logit low", "logit high", 1)
    short["in n units"] = table["logit n"]
    return short.assign(loops=table["loops"].map("{:.2f}".format), n=table["n"])


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model, one column an estimand."""
    table = table.assign(cell=cells(table, "estimate", "conf_low", "conf_high"))
    wide = table.pivot(index="model", columns="estimand", values="cell")
    order = [key for key in ("te", "pnde", "tnde", "pnie", "tnie", "pm") if key in wide]
    return wide.loc[list(dict.fromkeys(table["model"])), order].reset_index()


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the verdict table with intervals in brackets."""
    short = table[["model", "task", "n"]].copy()
    said = {"accuracy": "accuracy", "te": "total effect", "share": "share through the thought", "probe": "probe"}
    for name, label in said.items():
        short[label] = cells(table, name, f"{name} low", f"{name} high", 3 if name == "share" else 2)
    short["verdict"] = table["verdict"]
    return short.assign(**{name: table[name].map("{:.2f}".format) for name in ("cosine", "centred cosine")})


def seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return in how many seeds each control came out how."""
    counted = table.groupby(["model", "verdict"], sort=False)["seed"].nunique().rename("seeds").reset_index()
    ends = table.groupby("model", sort=False)["pm"].agg(["min", "max"]).round(6).reset_index()
    return counted.merge(ends.rename(columns={"min": "smallest share", "max": "largest share"}), on="model")


def derived(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy by condition."""
    return pd.DataFrame(
        {"condition": table["condition"], "accuracy": cells(table, "accuracy", "low", "high"), "n": table["n"]}
    )


def costs(table: pd.DataFrame) -> pd.DataFrame:
    """Return rounded costs."""
    return table.round(1)


SHORT = {
    "lvr-2-thought-to-answer": (arms, "lvr-2-short"),
    "lvr-3-derived-questions": (derived, "lvr-3-short"),
    "lvr-4-effects": (effects, "lvr-4-short"),
    "capimagine-2-adversarial": (lambda table: arms(table.assign(arm="the other answer")), "capimagine-2-short"),
    "capimagine-3-effects": (effects, "capimagine-3-short"),
    "capimagine-3-costs": (costs, "capimagine-3-costs-short"),
    "verdicts": (verdicts, "verdicts-short"),
    "verdicts-seeds": (seeds, "verdicts-seeds-short"),
}


def main() -> None:
    """Write the short tables beside the long ones."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results"
    for source, (make, target) in SHORT.items():
        make(pd.read_csv(folder / f"{source}.csv")).to_csv(folder / f"{target}.csv", index=False)


if __name__ == "__main__":
    main()
