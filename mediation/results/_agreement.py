"""How many specifications agree, by each level of each choice."""

from __future__ import annotations

import pandas as pd

from .._checks import called, one_of
from ..errors import DesignError
from ._effects import Effects
from .kinds import SpecificationKind, agreement_of, specifications


def agreement(effects: Effects, estimand: str | None = None) -> pd.DataFrame:
    """Return how many specifications agree with the first, over all and by each level of each choice.

    Parameters
    ----------
    effects
        From `specification`.
    estimand
        Rows of this key only, such as ``"pm_pure"``; None: all effects in units of their outcome, less TE.

    Returns
    -------
    pandas.DataFrame
        Columns ``choice, level, n, same side, other side, covers 0, no interval, same sign``. The first row is of all;
        then follow the levels of each choice that has several. The side is that of the reference's estimate: 'same
        side' counts intervals that lie there wholly, 'covers 0' those with points on both sides, 'same sign' estimates.

    Raises
    ------
    DesignError
        If the result is of another kind, or has no such estimand.

    Notes
    -----
    Specifications share their units. The counts describe what a conclusion hangs on; they are no test.
    """
    if not isinstance(effects, Effects) or effects.kind != SpecificationKind.name:
        found = f"of kind {effects.kind!r}" if isinstance(effects, Effects) else called(effects)
        raise DesignError(f"agreement is asked of the result of med.specification, found {found}.")
    table = effects.tidy()
    if estimand is not None:
        one_of(estimand, list(dict.fromkeys(map(str, table["estimand"]))), what="estimand")
    return agreement_of(specifications(table, estimand))
