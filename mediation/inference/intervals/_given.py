"""What is asked of intervals, checked: settings, and a number for each column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import reals, shown
from ...errors import DesignError
from .._settings import Inference
from ..sample import Array


def checked_settings(settings: Inference, bands: bool = False) -> None:
    """Raise DesignError if the settings are something else."""
    if not isinstance(settings, Inference):
        raise DesignError(f"settings = {shown(settings)} is a {type(settings).__name__}; give an Inference(...).")
    if not isinstance(bands, (bool, np.bool_)):
        raise DesignError(f"bands = {shown(bands)}: True or False is needed.")


def nulls(null: ArrayLike, n_columns: int) -> Array:
    """Return the tested value of each column, (K,).

    Raises
    ------
    DesignError
        If `null` is neither a finite number nor one for each column.

    Examples
    --------
    >>> nulls(0.5, 2)
    array([0.5, 0.5])
    """
    given = reals(null, what="null", needed=f"one finite number, or one for each of the {n_columns} columns,")
    if given.shape not in {(), (n_columns,)} or not np.isfinite(given).all():
        found = f"found shape {given.shape}" if given.shape not in {(), (n_columns,)} else f"found {shown(null)}"
        raise DesignError(f"null must be one finite number, or one for each of the {n_columns} columns; {found}.")
    return np.broadcast_to(given, (n_columns,)).copy()


def spans_of(span: ArrayLike, n_columns: int) -> Array:
    """Return the span of each column, (K,); DesignError if one is no positive number."""
    given = reals(span, what="span", needed=f"one number, or one for each of the {n_columns} columns,")
    if given.shape not in {(), (n_columns,)} or not (np.isnan(given) | ((given > 0) & np.isfinite(given))).all():
        raise DesignError(
            f"span = {shown(span)}: the largest value of a contrast of answers is a positive number, one or one for "
            f"each of {n_columns} columns (NaN for those of no answers)."
        )
    return np.broadcast_to(given, (n_columns,)).copy()
