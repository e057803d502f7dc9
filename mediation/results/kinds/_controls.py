"""Null controls: what each of them shows, beside the effect itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, final

import pandas as pd

from ...estimands import AbstractEstimand
from ...estimate import BEYOND, CONTROLS, RANDOM, REAL, JointColumn, Precision, control_columns
from ..account import section
from ..text import Field, Summary, meaning_of
from ._abstract import AbstractKind
from ._adjustment import adjustment_note
from ._column import LATER_BANDS, N_DRAWS, Column
from ._fields import adjusted_fields, listed_rows, named_field, number_fields, once, p_field, symbols
from ._notes import notes

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


@final
class ControlsKind(AbstractKind):
    """An effect and its null controls."""

    __slots__ = ()

    name = "controls"
    own = (
        Column(
            "control", "str", "Name of the null control; 'none': the effect itself, 'beyond X': the effect minus X."
        ),
        N_DRAWS,
    )
    key = ("estimand", "site", "control")
    marks = frozenset({"control"})
    later = LATER_BANDS
    rows_adjusted = "rows"
    by_max_t = True

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the controls of the strongest sites, each below its effect."""
        every = listed_rows(table, estimand)
        rows, counts = _chosen(every, most)
        with_intervals = rows[rows["control"] != "self-patch"]  # why that has none is said in its own sentence
        adjusted = adjustment_note(self, every, provenance)
        said = (*counts, adjusted, *_shows(rows, provenance), *notes(self, with_intervals, provenance))
        fields = _columns(rows, number_fields(rows, provenance))
        return Summary(control_title(rows), tuple(fields), tuple(filter(None, said)))

    def draws(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
        """Return how draws were averaged, and how units that gave are counted; empty where nothing was drawn."""
        drawn = table[table["control"].isin(RANDOM)]
        if drawn.empty:
            return ""
        count = int(drawn["n_draws"].max())
        said = f"Random controls: {count:,} draw{'s, averaged within each unit' if count > 1 else ' a unit'}"
        given = set(drawn["control"]) - {"random direction"}
        return f"{said}{'; a unit counts where it gave as well as where it got' if given else ''}."

    def sensitivity(self, table: pd.DataFrame) -> str:
        """Return which controls there are."""
        return f"Null controls: {', '.join(one for one in dict.fromkeys(table['control']) if one != 'none')}."

    def joint_columns(
        self, units: pd.DataFrame, wanted: Sequence[AbstractEstimand], precision: Precision
    ) -> Iterable[JointColumn]:
        """Return the values of each effect and control by unit."""
        return control_columns(units, wanted, precision)


def label_of_control(control: str) -> str:
    """Return how tables and figures call a row.

    Examples
    --------
    >>> label_of_control("none"), label_of_control("beyond self-patch")
    ('the effect itself', 'beyond self-patch')
    """
    return "the effect itself" if control == REAL else control


def _chosen(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
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


def _columns(rows: pd.DataFrame, numbers: Sequence[Field]) -> list[Field]:
    """Return the columns: site and effect where there are several, control, numbers, n where it differs."""
    fields = []
    if rows["site"].nunique() > 1:
        fields.append(named_field("site", once(rows["site"], rows["control"] == REAL)))
    if rows["estimand"].nunique() > 1:
        fields.append(Field("effect", once(symbols(rows), rows["control"] == REAL)))
    fields.append(Field("control", tuple(map(label_of_control, rows["control"]))))
    settled = [control == CONTROLS[0] for control in rows["control"]]
    cells = tuple(_SETTLED if zero else cell for zero, cell in zip(settled, numbers[-1].cells, strict=True))
    fields += [*numbers[:-1], replace(numbers[-1], cells=cells)]
    fields.append(p_field(rows["p_value"]))
    if rows["n"].nunique() > 1:
        fields.append(Field("n", tuple(map(str, rows["n"])), "right"))
    return [*fields, *adjusted_fields(rows)]


def control_title(rows: pd.DataFrame) -> str:
    """Return the title of a summary or figure of controls."""
    symbols = " and ".join(dict.fromkeys(meaning_of(key).symbol for key in rows["estimand"]))
    sites = list(dict.fromkeys(rows["site"]))
    where = f" at {sites[0]}" if len(sites) == 1 and sites[0] else f" at {len(sites)} sites" if len(sites) > 1 else ""
    return f"{symbols}{where}, and {'their' if ' and ' in symbols else 'its'} null controls"


def _shows(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> list[str]:
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
