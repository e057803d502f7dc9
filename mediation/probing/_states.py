"""States as a matrix: checks that the other files share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._errors import DataError


def matrix(given: ArrayLike, what: str, *, least: int = 1) -> NDArray[np.float64]:
    """Return `given` as finite numbers of shape (n, d), n of at least `least`, or raise DataError."""
    found = np.asarray(given, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] == 0 or len(found) < least:
        raise DataError(
            f"{what} has shape {found.shape}; one state a row is needed, (n, d) with n of at least {least}. "
            "Of captured states (units, positions, features) take one position: states[:, k]."
        )
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise DataError(f"{what} holds NaN or infinity, first in row {row}.")
    return found
