"""The ids in a user's column `donor`: each is a unit of the frame, or nothing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._checks import listed, shown
from ...errors import DataError

_OUTSIDE = -1
_SHOWN = 3


def donor_codes(donor: pd.Series[Any], units: Sequence[Any]) -> NDArray[np.int64]:
    """Return for each row the place of its donor in `units`; -1 where the mediator came from outside the frame.

    Parameters
    ----------
    donor
        Ids of units, one a row. A missing value, or -1 where no unit is called -1, stands for outside.
    units
        The ids of the units, each once.

    Raises
    ------
    DataError
        If a value is no id of a unit: misspelt, say, or '3' where units have numbers.

    Examples
    --------
    >>> donor_codes(pd.Series(["b", None, "a"]), ["a", "b"])
    array([ 1, -1,  0])
    """
    places = {unit: place for place, unit in enumerate(units)}
    found = np.full(len(donor), -1, dtype=np.int64)
    for row, (value, missing) in enumerate(zip(donor.tolist(), donor.isna().tolist(), strict=True)):
        known = isinstance(value, Hashable) and not isinstance(value, bool) and value in places
        if known:
            found[row] = places[value]
        elif not missing and not _is_outside(value):
            raise DataError(_unknown(row, value, units))
    return found


def donors_of(donor: pd.Series[Any], unit: pd.Series[Any]) -> pd.Series[Any]:
    """Return for each row the id of its donor, as the units have it; -1 (None where ids are no numbers) for outside."""
    who = unit.unique()
    codes = donor_codes(donor, who.tolist())
    if unit.dtype == np.int64 and -1 not in who:
        return pd.Series(np.where(codes >= 0, who[codes], -1), index=donor.index)
    return pd.Series([who[code] if code >= 0 else None for code in codes], index=donor.index, dtype=object)


def _is_outside(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == _OUTSIDE


def _unknown(row: int, value: object, units: Sequence[Any]) -> str:
    some = [unit.item() if isinstance(unit, np.generic) else unit for unit in units]
    same = next((unit for unit in some if str(unit) == str(value)), None)
    hint = f" {same!r} is a {type(same).__name__}, and the donor a {type(value).__name__}." if same is not None else ""
    return (
        f"effects: donor of row {row} is {shown(value)}, and no unit has that id; units are called "
        f"{listed(some, most=_SHOWN)}.{hint} Use the ids of the column 'unit', or leave the donor empty (NaN) where "
        "the mediator came from outside the frame."
    )
