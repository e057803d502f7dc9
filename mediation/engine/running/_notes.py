"""What is kept of numbers that there are one of for each outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray


def each_of(numbers: NDArray[Any]) -> Any:
    """Return a number of each outcome as it is kept: a list where there are several."""
    return numbers.tolist() if len(numbers) > 1 else numbers.tolist()[0]


def noted(before: Mapping[str, Any] | None, apart: Sequence[float]) -> dict[str, Any]:
    """Return what is kept of a self-check after one more cell: cells, the largest difference, and that of each outcome.

    Parameters
    ----------
    before
        What was kept of those before.
    apart
        How far each outcome of the cell is from what it must be.
    """
    cells = 0 if before is None else int(before["cells"])
    if before is not None and cells:
        apart = [max(pair) for pair in zip(by_outcome(before), apart, strict=True)]
    found = {"cells": cells + 1, "max_abs_difference": max(apart)}
    return found | ({"by_outcome": list(apart)} if len(apart) > 1 else {})


def by_outcome(found: Mapping[str, Any]) -> list[float]:
    """Return the largest difference of each outcome."""
    return found.get("by_outcome", [found["max_abs_difference"]])  # type: ignore[no-any-return]
