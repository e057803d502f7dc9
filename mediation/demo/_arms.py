"""What arms do to the answers of a worked example, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..inference import mcnemar, mean_intervals, wilson
from ..interventions import Assignment
from ..outcomes import AbstractOutcome, Degenerate, Told, judge
from ._worked import Worked, quiet

Array = NDArray[np.float64]


def arm_table(case: Worked, arms: Mapping[str, Assignment]) -> pd.DataFrame:
    """Return what each arm does to the answers about the units' own images, one row an arm.

    Parameters
    ----------
    case
        Model and units.
    arms
        Assignments at the thought, by name.

    Returns
    -------
    pandas.DataFrame
        ``accuracy`` with the arm and ``plain`` without it, as shares of right answers; ``change``, accuracy less plain;
        ``none``, the share of texts in which no answer is found (wrong, too; NaN for maps); ``p`` of McNemar's exact
        test, not adjusted for the number of arms (NaN where no answer changed from right to wrong or back, or units
        come in groups); ``flipped``, the share of answers that became another one; ``logit``, the mean shift of
        `Worked.outcome` by the arm, and ``logit n``, in how many units: those whose thought was closed under every
        arm, or, if no unit's was, under this one (NaN and 0 if none was); ``loops``, the share of texts that end in a
        loop; ``n``, units of all the rest. Ends of 95% intervals are in columns ``... low`` and ``... high``: Wilson's
        for shares (the cluster bootstrap for units in groups), the bootstrap's for the two differences.

    Raises
    ------
    DesignError, OutcomeError
        As `mediation.ablate`.
    """
    shifts, told = _shifts(case, arms), _Said(case)
    units = case.ablate(arms, judge(told)).units
    rows = {}
    for name in arms:
        mine = units[units["arm"] == name]
        right, plain = told.judged(case.correct, mine["ym"], mine), told.judged(case.correct, mine["y"], mine)
        change = _mean("change", right - plain, mine["cluster"])
        alone = bool(mine["cluster"].is_unique) and bool((right != plain).any())
        rows[name] = {
            **_share("accuracy", right, mine["cluster"]),
            "plain": plain.mean(),
            **change,
            "p": float(mcnemar((right - plain)[:, None]).p_value[0]) if alone else float("nan"),
            **_share("flipped", told.judged(case.flipped, mine["ym"], mine), mine["cluster"]),
            **_shift("logit", shifts.get(name)),
            "none": told.without_answer(mine["ym"], mine),
            "loops": told.judged(Degenerate(), mine["ym"], mine).mean(),
            "n": len(mine),
        }
    return pd.DataFrame(rows).T.astype({"n": int, "logit n": int})


@final
class _Said:
    """A judge that keeps what every generation says, so that several outcomes are read off one run."""

    def __init__(self, case: Worked) -> None:
        self.case = case
        self.numbers: dict[Told, int] = {}

    def __call__(self, told: Told) -> float:
        return float(self.numbers.setdefault(told, len(self.numbers)))

    def judged(self, outcome: AbstractOutcome, numbers: pd.Series, units: pd.DataFrame) -> Array:
        """Return an outcome of the generations with these numbers."""
        prepared, kept = outcome.prepare(self.case.pairs, self.case.model), list(self.numbers)
        assert prepared.judge is not None
        rows = zip(numbers, units["unit"], units["y"], strict=True)
        return np.array([prepared.judge(kept[int(now)], unit, kept[int(plain)]) for now, unit, plain in rows])

    def without_answer(self, numbers: pd.Series, units: pd.DataFrame) -> float:
        """Return the share of the generations with these numbers in which the rules find no answer."""
        unparsed, kept = self.case.correct.prepare(self.case.pairs, self.case.model).unparsed, list(self.numbers)
        if unparsed is None:
            return float("nan")
        rows = zip(numbers, units["unit"], strict=True)
        return float(np.mean([unparsed(kept[int(now)], unit) for now, unit in rows]))


def accuracy_of(values: Any) -> dict[str, float]:
    """Return the share of ones with Wilson's 95% interval: ``accuracy, low, high, n``.

    Examples
    --------
    >>> {name: round(value, 3) for name, value in accuracy_of([1, 1, 1, 0]).items()}
    {'accuracy': 0.75, 'low': 0.301, 'high': 0.954, 'n': 4}
    """
    column = np.asarray(values, dtype=np.float64)[:, None]
    found = wilson(column)
    ends = float(found.conf_low[0]), float(found.conf_high[0])
    return {"accuracy": float(column.mean()), "low": ends[0], "high": ends[1], "n": len(column)}


def with_interval(estimate: Any, low: Any, high: Any, digits: int = 2) -> list[str]:
    """Return numbers as text with their intervals in brackets; alone where there is none, and nothing for NaN.

    Examples
    --------
    >>> with_interval([0.5, 1.0, np.nan], [0.25, np.nan, np.nan], [0.75, np.nan, np.nan])
    ['0.50 [0.25, 0.75]', '1.00', '']
    """
    return [
        ("" if np.isnan(one) else f"{one:.{digits}f}")
        + (f" [{left:.{digits}f}, {right:.{digits}f}]" if np.isfinite(left) else "")
        for one, left, right in zip(estimate, low, high, strict=True)
    ]


def _share(name: str, values: Array, groups: pd.Series) -> dict[str, float]:
    if not groups.is_unique:
        return _mean(name, values, groups)
    one = accuracy_of(values)
    return {name: one["accuracy"], f"{name} low": one["low"], f"{name} high": one["high"]}


def _mean(name: str, values: Array, groups: pd.Series) -> dict[str, float]:
    with quiet():
        found = mean_intervals(values[:, None], clusters=list(groups), span=1.0)
    return {name: values.mean(), f"{name} low": float(found.conf_low[0]), f"{name} high": float(found.conf_high[0])}


def _shifts(case: Worked, arms: Mapping[str, Assignment]) -> dict[str, Any]:
    """Return the effects on the logit by arm: on the same units, or, if no unit's thought closed under all, each alone.

    An arm under which no thought closed is left out.
    """
    try:
        table = case.ablate(arms, case.outcome).tidy().set_index("arm")
    except DataError:
        if len(arms) == 1:
            return {}
        alone = (_shifts(case, {name: what}) for name, what in arms.items())
        return {name: row for one in alone for name, row in one.items()}
    return {name: table.loc[name] for name in arms}


def _shift(name: str, row: Any) -> dict[str, float]:
    """Return what the arm adds, and in how many units: `ablate` reports the plain run less the changed one."""
    if row is None:
        return {name: float("nan"), f"{name} low": float("nan"), f"{name} high": float("nan"), f"{name} n": 0}
    ends = {f"{name} low": -row["conf_high"], f"{name} high": -row["conf_low"]}
    return {name: -row["estimate"], **ends, f"{name} n": row["n"]}
