"""What a test returns: a statistic, a p-value and, where there is none, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ...errors import DegenerateWarning, warn
from ..sample import Array, by_reason


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TestResult:
    """A test of each of K columns; arrays are read-only.

    Parameters
    ----------
    statistic
        What the test looks at, (K,); the function that made the result says what it is.
    p_value
        p-values, (K,): above 0, at most 1, NaN where there is no test.
    method
        Name of the test, K strings, such as ``"sign-flip (exact, 1024 flips)"``; ``"degenerate"`` where there is none.
    n, n_clusters
        Number of units, and of clusters (of units, when there are no clusters).
    reason
        Why there is no test, K strings, empty where there is one.
    """

    __test__: ClassVar[bool] = False  # pytest collects classes whose names begin with Test

    statistic: Array
    p_value: Array
    method: tuple[str, ...]
    n: int
    n_clusters: int
    reason: tuple[str, ...]

    def __post_init__(self) -> None:
        for array in (self.statistic, self.p_value):
            array.setflags(write=False)


def reported(
    statistic: Array, p_value: Array, name: str, reason: Sequence[str], *, n: int, n_clusters: int
) -> TestResult:
    """Return the result of the test called `name`, with NaN and one warning where `reason` says that there is none."""
    none = np.array([bool(text) for text in reason], dtype=bool)
    if none.any():
        found = f"{int(none.sum())} of {len(reason)} columns have no test, and their p-value is NaN"
        warn(f"{found}: {by_reason(reason)}.", DegenerateWarning)
    return TestResult(
        statistic=statistic,
        p_value=np.where(none, np.nan, p_value),
        method=tuple("degenerate" if empty else name for empty in none.tolist()),
        n=n,
        n_clusters=n_clusters,
        reason=tuple(reason),
    )
