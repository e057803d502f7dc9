"""A user's frame of potential outcomes, checked, with the columns of the units frame."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._checks import called, listed, shown
from ...errors import DataError
from ._clusters import SECOND
from ._codes import Cells, as_categories, as_text, cells_of, coded, types_in
from ._columns import check_spelling, covariates_of, numbers_of
from ._donor_ids import donors_of
from ._ids import by_unit, plain_ids

POTENTIAL_OUTCOMES = ("y00", "y01", "y10", "y11", "y0m", "y1m", "g00", "g01", "g10", "g11", "y", "ym")
KEYS = ("site", "arm", "dose")
OUTCOME = "outcome"
_OTHERS = ("unit", "cluster", SECOND, "weight", "draw", "donor")


def units_from(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a user's frame with the columns of the units frame: sites in the user's order, units sorted by their ids.

    Units keep their ids; without a column `unit` they are the numbers of the rows.

    With a column `outcome`, each outcome's rows become what they would be in a frame of their own.

    Raises
    ------
    DataError
        If there are no potential outcomes, values are missing or no numbers, rows repeat each other, or a unit lacks
        a row of a group.
    """
    if isinstance(frame, pd.DataFrame) and OUTCOME in frame.columns:
        return _by_outcome(frame)
    return _of_one_outcome(frame)


def _of_one_outcome(frame: pd.DataFrame) -> pd.DataFrame:
    given = _used(frame)
    units = pd.DataFrame({"site": as_categories(given["site"]) if "site" in given else ""}, index=given.index)
    units["unit"] = plain_ids(given["unit"], "unit") if "unit" in given else np.arange(len(given))
    for kind in ("cluster", SECOND):
        if kind in given:
            units[kind] = plain_ids(given[kind], kind)
    units["weight"] = numbers_of(given, "weight") if "weight" in given else 1.0
    units["draw"] = numbers_of(given, "draw") if "draw" in given else 0
    if "donor" in given:  # the unit whose mediator it was, by its id; nothing where it came from outside the frame
        units["donor"] = donors_of(given["donor"], units["unit"])
    if "arm" in given or {"y", "ym"} <= set(given.columns):
        units["arm"] = as_categories(given["arm"]) if "arm" in given else ""
        units["dose"] = numbers_of(given, "dose", may_miss=True) if "dose" in given else np.nan
    for name in POTENTIAL_OUTCOMES:
        if name in given:
            units[name] = numbers_of(given, name)
    _check_weights(units["weight"])
    cells = cells_of(units, [name for name in KEYS if name in units])
    _check_repeats(cells, units, given)
    _check_constant(cells, units, given)
    _check_complete(cells, given)
    units = by_unit(units.assign(**covariates_of(frame, units, cells)), list(KEYS), cells)
    for name in ("site", "arm"):
        if name in units:
            units[name] = as_text(units[name])
    if "cluster" not in given:
        units.insert(list(units).index("weight"), "cluster", units["unit"])  # one column in memory
    return units


def _by_outcome(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the units of a frame of several outcomes, outcome after outcome; each may have units of its own."""
    name = frame[OUTCOME]
    if isinstance(name, pd.DataFrame):
        raise DataError(f"effects: the frame has several columns {OUTCOME!r}; keep one.")
    texts = name.map(lambda value: isinstance(value, str) and value != "").to_numpy(dtype=bool)
    if not texts.all():
        row = int(np.argmax(~texts))
        raise DataError(
            f"effects: outcome of row {row} is {shown(name.iloc[row])}. The column 'outcome' names the outcome that a "
            "row's numbers are of, in text. Fill it in, or give a column that means something else another name."
        )
    if "unit" not in frame.columns and name.nunique() > 1:
        raise DataError(
            "effects: the frame has a column 'outcome' and no column 'unit', so rows of one unit cannot be told from "
            "those of another. Add the column."
        )
    found = []
    for one in dict.fromkeys(name.tolist()):
        try:
            units = _of_one_outcome(frame[(name == one).to_numpy()].drop(columns=OUTCOME))
        except DataError as error:
            raise DataError(f"{error} (Of outcome {one!r}: rows are counted within it.)") from None
        units.insert(0, OUTCOME, pd.Series(one, index=units.index, dtype="str"))
        found.append(units)
    return pd.concat(found, ignore_index=True)


def _check_weights(weight: pd.Series[Any]) -> None:
    if not (weight > 0).all():
        row = int(np.argmax(~(weight > 0)))
        raise DataError(
            f"effects: weight of row {row} is {weight.iloc[row]:g}; a positive number is needed. Drop a unit that "
            "should not count."
        )


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that have a meaning, checked for what is missing."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"effects: {called(frame)} was given; a pandas DataFrame with columns such as y00, y01, y10, y11 is needed."
        )
    if len(frame) == 0:
        raise DataError("effects: the frame has no rows; one row a unit is needed.")
    names = [name for name in (*KEYS, *_OTHERS, *POTENTIAL_OUTCOMES) if name in frame.columns]
    check_spelling(frame, [OUTCOME, *KEYS, *_OTHERS, *POTENTIAL_OUTCOMES])
    if not set(names) & set(POTENTIAL_OUTCOMES):
        raise DataError(
            f"effects: no potential outcome is among the columns {listed(map(str, frame.columns))}. Name them "
            "y00, y01, y10, y11 (y_xm: the input x with the mediator of m, 0 base and 1 source), y0m and y1m, "
            "g00 to g11, or y and ym."
        )
    twice = [name for name in names if isinstance(frame[name], pd.DataFrame)]
    if twice:
        raise DataError(f"effects: the frame has several columns {twice[0]!r}; keep one.")
    for name in names:
        missing = frame[name].isna().to_numpy()
        if name not in (*POTENTIAL_OUTCOMES, "dose", "donor") and missing.any():
            raise DataError(
                f"effects: {name} of row {int(np.argmax(missing))} is missing ({int(missing.sum())} of {len(frame)} "
                "are). Fill it in, or drop those rows."
            )
    for name in ("unit", "cluster", SECOND):
        if (
            name not in names
            or frame[name].dtype != object
            or all(issubclass(a, Hashable) for a in types_in(frame[name]))
        ):
            continue
        row = next(row for row, value in enumerate(frame[name]) if not isinstance(value, Hashable))
        raise DataError(
            f"effects: {name} of row {row} is {shown(frame[name].iloc[row])}, which cannot be compared. Use text or "
            "numbers."
        )
    several = [name for name in (*KEYS, "draw") if name in names]
    if "unit" not in names and several:
        raise DataError(
            f"effects: the frame has a column {several[0]!r} and no column 'unit', so rows of one unit cannot be told "
            "from those of another. Add the column."
        )
    return pd.DataFrame({name: frame[name].reset_index(drop=True) for name in names}, copy=False)


def _check_repeats(cells: Cells, units: pd.DataFrame, given: pd.DataFrame) -> None:
    place = cells.cell
    if "draw" in given:
        draw, draws = coded(units["draw"])
        place = pd.factorize(place)[0] * len(draws) + draw
    elif len(place) == cells.size and np.bincount(place).max() == 1:
        return
    twice = pd.Series(place).duplicated().to_numpy()
    if not twice.any():
        return
    row = int(np.argmax(twice))
    first = int(np.argmax(place == place[row]))
    shown = {name: _plain(given[name].iloc[row]) for name in (*KEYS, "unit", "draw") if name in given}
    raise DataError(
        f"effects: rows {first} and {row} are both of {shown}. Number the draws of a unit in a column 'draw', name "
        "sites in a column 'site', or drop one of them."
    )


def _check_constant(cells: Cells, units: pd.DataFrame, given: pd.DataFrame) -> None:
    for name in ("cluster", SECOND, "weight"):
        if name not in given:
            continue
        code = coded(units[name])[0]
        own = np.empty(len(cells.ids), dtype=np.intp)
        own[cells.unit] = code
        differ = own[cells.unit] != code
        if differ.any():
            unit = int(cells.unit[differ].min())
            rows = np.flatnonzero(cells.unit == unit)
            values = list(dict.fromkeys(_plain(value) for value in given[name].iloc[rows]))
            raise DataError(
                f"effects: unit {_plain(given['unit'].iloc[rows[0]])!r} has several values of {name}, "
                f"{listed(values)}; all rows of a unit need the same."
            )


def _check_complete(cells: Cells, given: pd.DataFrame) -> None:
    """Check that every unit has a row of every site, arm and dose."""
    keys: Sequence[str] = [name for name in KEYS if name in given]
    if not keys:
        return
    present = np.zeros((len(cells.ids), len(cells.groups)), dtype=bool)
    present[cells.unit, cells.group] = True
    if present.all():
        return
    lacking, where = np.argwhere(~present)[0]
    who = _plain(given.loc[int(np.argmax(cells.unit == lacking)), "unit"])
    there = {name: _plain(given.loc[int(np.argmax(cells.group == where)), name]) for name in keys}
    raise DataError(
        f"effects: unit {who!r} has no row of {there}, and other units have; every unit is needed at every "
        f"{', '.join(keys)}. Drop the unit, or add the row."
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
