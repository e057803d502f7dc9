"""Data that no interval can be formed from: why, and the one warning that says so."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import final

import numpy as np
from numpy.typing import NDArray

from ...errors import DegenerateWarning, warn
from ._sampling import Sampling

_LISTED = 8


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out warnings of columns without an interval, where the caller says it of all of them at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        yield


@final
class Reason(enum.IntEnum):
    """Why a column has no interval."""

    NONE = 0
    ONE_UNIT = 1
    ONE_CLUSTER = 2
    SAME_VALUE = 3
    SAME_CLUSTERS = 4
    ZERO_WIDTH = 5
    SAME_RATIO = 6
    ZERO_DENOMINATOR = 7
    NO_TAIL = 8


_TEXT = {
    Reason.ONE_UNIT: "there is 1 unit and an interval needs 2",
    Reason.ONE_CLUSTER: "all units belong to one cluster and an interval needs 2",
    Reason.SAME_VALUE: "every unit has the same value",
    Reason.SAME_CLUSTERS: "every cluster has the same mean",
    Reason.ZERO_WIDTH: "the two ends of the interval are the same number",
    Reason.SAME_RATIO: "the ratio is the same in every cluster (without clusters, every unit)",
    Reason.ZERO_DENOMINATOR: "the mean of the denominator is 0, so there is no ratio to estimate",
    Reason.NO_TAIL: "no resample lies in a tail that the method asks for (more resamples, or the method bootstrap-t)",
}


def too_few(design: Sampling) -> Reason:
    """Return why no column of `design` can have an interval, or Reason.NONE."""
    if design.n < 2:
        return Reason.ONE_UNIT
    return Reason.ONE_CLUSTER if design.n_clusters < 2 else Reason.NONE


def told(reasons: NDArray[np.int8]) -> tuple[str, ...]:
    """Return each column's reason in words; empty for Reason.NONE."""
    return tuple(_TEXT.get(Reason(int(reason)), "") for reason in reasons)


def by_reason(reasons: Sequence[str]) -> str:
    """Return each reason with the numbers of its columns; empty ones are none.

    Examples
    --------
    >>> by_reason(["no spread", "", "no spread", "1 unit"])
    'no spread (columns 0, 2); 1 unit (column 3)'
    """
    parts = []
    for text in dict.fromkeys(filter(None, reasons)):
        columns = [column for column, one in enumerate(reasons) if one == text]
        more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
        which = ", ".join(map(str, columns[:_LISTED])) + more
        parts.append(f"{text} (column{'s' if len(columns) > 1 else ''} {which})")
    return "; ".join(parts)


def warn_columns(reasons: Sequence[str]) -> None:
    """Warn once about the columns that have no interval, by reason."""
    if any(reasons):
        warn(
            f"{sum(map(bool, reasons))} of {len(reasons)} columns have no interval, standard error or p-value (NaN): "
            f"{by_reason(reasons)}. Estimates are kept.",
            DegenerateWarning,
        )
