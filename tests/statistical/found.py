"""What simulated intervals of one method do: shares that exist, shares that hold the truth, and widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Ends = tuple[np.ndarray, np.ndarray]
TAILS = ("normal", "exponential", "lognormal")


class Found(NamedTuple):
    """Shares of samples with an interval and with one that holds the truth; mean and median width of those."""

    given: float
    share: float
    width: float
    median: float


def found_of(calls: list[dict[str, Ends]], truth: float, best: np.ndarray | None = None) -> dict[str, Found]:
    """Return what each method's intervals, (low, high) by call, do; a sample without one is a miss.

    `best` holds, by call, the widths that widths are divided by; None: they are left as they are.
    """
    found = {}
    for method in calls[0]:
        low, high = (np.stack([call[method][end] for call in calls]) for end in (0, 1))
        held = (low <= truth + 1e-12) & (high >= truth - 1e-12)
        width = (high - low) / (1.0 if best is None else best[:, None])
        middle = float(np.nanmedian(width))
        found[method] = Found(float((~np.isnan(low)).mean()), float(held.mean()), float(np.nanmean(width)), middle)
    return found


def standard(rng: np.random.Generator, tails: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return draws of mean 0 and variance 1."""
    if tails == "normal":
        return rng.normal(size=shape)
    if tails == "exponential":
        return rng.exponential(size=shape) - 1.0
    return (rng.lognormal(size=shape) - np.exp(0.5)) / np.sqrt(np.e * (np.e - 1.0))


def row(found: Mapping[str, Found], methods: tuple[str, ...], *, given: bool = False) -> list[str]:
    """Return coverage and width of each method, and the share of samples with an interval if asked, as a row."""
    texts = []
    for one in (found[method] for method in methods):
        texts += [f"{one.given:.3f}"] * given + [f"{one.share:.3f}", f"{one.width:.2f}"]
    return texts
