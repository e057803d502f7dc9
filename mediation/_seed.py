"""The seed that an argument `rng` stands for."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from ._checks import called, shown
from .errors import DesignError


def seed_from(rng: int | np.random.Generator | None) -> int:
    """Return the seed that `rng` stands for; None draws a fresh one.

    Raises
    ------
    DesignError
        If `rng` is neither.

    Examples
    --------
    >>> seed_from(7)
    7
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**31))
    if rng is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(rng, Integral) and not isinstance(rng, bool) and rng >= 0:
        return int(rng)
    found = f"= {shown(rng)}" if isinstance(rng, (int, float, str)) else f"is {called(rng)}"
    raise DesignError(
        f"rng {found}; a whole number of at least 0, a numpy Generator (np.random.default_rng) or None is needed."
    )
