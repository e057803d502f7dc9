"""A pandas Series beside other things one a unit: matched by its index, never by position alone."""

from __future__ import annotations

from typing import Any, TypeVar

from ._checks import listed
from .errors import MediationError

T = TypeVar("T")


def _few(index: Any) -> str:
    return listed(index[:3].tolist()) + (", ..." if len(index) > 3 else "")


def in_order_of(value: T, index: Any, *, what: str, error: type[MediationError]) -> T | list[Any]:
    """Return the elements of a pandas Series in the order of `index`, matched by label; anything else as it is.

    Raises
    ------
    MediationError
        If the labels of the Series are others than those of `index`: its order would mean nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> from mediation.errors import DesignError
    >>> in_order_of(pd.Series(["a", "b"], index=[1, 0]), range(2), what="cluster", error=DesignError)
    ['b', 'a']
    """
    import pandas as pd

    if not isinstance(value, pd.Series):
        return value
    mine, wanted = value.index, pd.Index(index)
    if len(mine) == len(wanted) and mine.equals(wanted):
        return list(value)
    if len(mine) != len(wanted):
        raise error(f"{what} has {len(value)} values for {len(wanted)} units; one a unit is needed.")
    if not mine.is_unique or not wanted.is_unique or not mine.isin(wanted).all():
        raise error(
            f"{what} is a Series whose index ({_few(mine)}) is not that of the units ({_few(wanted)}), so its order is "
            "not known to be theirs. If it is, give the values alone: series.to_numpy()."
        )
    return list(value.loc[wanted])
