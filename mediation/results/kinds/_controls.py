"""What a summary says of null controls: what each of them shows, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from ...estimate import BEYOND as BEYOND, CONTROLS as CONTROLS, RANDOM as RANDOM, REAL as REAL
from ..account import section
from ..text import Field, meaning_of, print_p

SHOWS: Mapping[str, str] = MappingProxyType(
    {
        "self-patch": "each unit's own activation put where it is, run like the rest; patching itself changes nothing",
        "unrelated unit": "only the mediator is another unit's; shows what the activation of any unit does",
        "random direction": "moved as far as the patch moves it, in a random direction; shows what any change of that "
        "size does",
        "shuffled pairs": "the whole analysis with another unit's source input; shows what mismatched pairs do",
        "shuffled answers": "the same runs, read with another unit's columns; shows what the patch does to the answers "
        "of others",
        "re-initialised model": "the same architecture with random weights; shows what it does untrained, for the "
        "one draw of weights that was made",
    }
)
"""What each control is, and what it shows."""

_SETTLED = "0 in every unit"


def label_of_control(control: str) -> str:
    """Return how tables and figures call a row.

    Examples
    --------
    >>> label_of_control("none"), label_of_control("beyond self-patch")
    ('the effect itself', 'beyond self-patch')
    """
    return "the effect itself" if control == REAL else control


def chosen_sites(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the `most` sites of strongest effect, and what is said of the rest."""
    real = table[table["control"] == REAL]
    strength = real.assign(size=real["estimate"].abs()).groupby("site", sort=False)["size"].max()
    kept = strength.sort_values(ascending=False, kind="stable").index[:most]
    said = []
    if len(kept) < len(strength):
        said.append(f"{len(kept)} of {len(strength)} sites shown, the strongest by the effect itself.")
    if len(strength) > 1 and "band_low" not in table:
        said.append("Intervals hold for a row named in advance; there are no simultaneous bands in this table.")
    rows: pd.DataFrame = table[table["site"].isin(kept)]
    return rows, said


def control_fields(rows: pd.DataFrame, numbers: Sequence[Field]) -> tuple[Field, ...]:
    """Return the columns of the summary: site and effect where there are several, control, numbers, n where it differs.

    Parameters
    ----------
    rows
        Rows of the table.
    numbers
        Columns of estimate and interval, the interval last.
    """
    fields = []
    if rows["site"].nunique() > 1:
        fields.append(Field("site", _once(rows, "site"), give="cut"))
    if rows["estimand"].nunique() > 1:
        symbols = rows.assign(symbol=[meaning_of(key).symbol for key in rows["estimand"]])
        fields.append(Field("effect", _once(symbols, "symbol")))
    fields.append(Field("control", tuple(map(label_of_control, rows["control"]))))
    settled = [control == CONTROLS[0] for control in rows["control"]]
    cells = tuple(_SETTLED if zero else cell for zero, cell in zip(settled, numbers[-1].cells, strict=True))
    fields += [*numbers[:-1], replace(numbers[-1], cells=cells)]
    fields.append(Field("p", tuple(print_p(p) for p in rows["p_value"]), "right"))
    if rows["n"].nunique() > 1:
        fields.append(Field("n", tuple(map(str, rows["n"])), "right"))
    return tuple(fields)


def _once(rows: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Return the names, written where a group of rows begins."""
    return tuple(name if control == REAL else "" for name, control in zip(rows[name], rows["control"], strict=True))


def control_title(rows: pd.DataFrame) -> str:
    """Return the title of a summary or figure of controls."""
    symbols = " and ".join(dict.fromkeys(meaning_of(key).symbol for key in rows["estimand"]))
    sites = list(dict.fromkeys(rows["site"]))
    where = f" at {sites[0]}" if len(sites) == 1 and sites[0] else f" at {len(sites)} sites" if len(sites) > 1 else ""
    return f"{symbols}{where}, and {'their' if ' and ' in symbols else 'its'} null controls"


def control_notes(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every control of the table, and for those that were left out."""
    known = section(provenance, "controls")
    said = []
    for name in (name for name in CONTROLS if (rows["control"] == name).any()):
        more = ""
        if name == CONTROLS[0]:
            largest = section(known, "self_patch").get("max_abs_difference")
            size = "" if largest is None else f"{largest:.1e}" if largest else "0"
            more = f"; the largest difference, before rounding was settled, was {size}" if size else ""
        elif name == "shuffled pairs" and "pnie" in set(rows["estimand"]):
            more = "; for PNIE these are the runs of 'unrelated unit'"
        said.append(f"{name}: {SHOWS[name]}{more}.")
    if rows["control"].str.startswith(BEYOND).any():
        said.append("beyond ...: the effect minus that control, unit by unit.")
    for name, why in section(known, "left_out").items():
        said.append(f"Left out: {name} ({why}).")
    return said


def control_draws(rows: pd.DataFrame) -> str:
    """Return how draws were averaged, and how units that gave are counted; empty where nothing was drawn."""
    drawn = rows[rows["control"].isin(RANDOM)]
    if drawn.empty:
        return ""
    count = int(drawn["n_draws"].max())
    said = f"Random controls: {count:,} draw{'s, averaged within each unit' if count > 1 else ' a unit'}"
    given = set(drawn["control"]) - {"random direction"}
    return f"{said}{'; a unit counts where it gave as well as where it got' if given else ''}."
