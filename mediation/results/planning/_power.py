"""How much a study can tell: power, minimum detectable effects and equivalence margins, planned from a pilot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Literal

import numpy as np

from ..._checks import called, elements, in_unit_interval, listed, number, one_of, positive_int, shown
from ...errors import DataError, DesignError
from ...estimands import AbstractEstimand
from ...estimate import need_one_kind, seed_from, unit_values
from ...inference import Inference
from ...inference.power import MOST_CLUSTERS, Simulated, simulated_power
from .._effects import Effects
from .._outcomes import of_one_outcome
from ..account import need_own_draws, settings_of
from ..questions import row_named
from ..text import meaning_of
from ._plan import Plan, Target
from ._planned import Power

_USUAL = "pnie"
_POINTS = 40
_POINTS_OF_FLIPS = 20  # each is worked out from all pairs of counts
_SHARE = 0.8  # of the upper confidence limit of the standard deviation
_MOST_UNITS, _MOST_SAMPLES = 10**9, 10**5
_MOST_SIMULATED = 5000  # clusters in a simulated sample
_RESAMPLES = 999  # of the test in a simulated sample


def power(  # noqa: PLR0913
    pilot: Effects,
    *,
    estimand: str | AbstractEstimand | None = None,
    site: str | None = None,
    arm: str | None = None,
    effect: float | None = None,
    margin: float | None = None,
    n: int | Iterable[int] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    sd: Literal["estimate", "upper"] = "estimate",
    simulate: int = 0,
    rng: int | np.random.Generator | None = 0,
) -> Power:
    """Return what studies like a pilot can tell: power, minimum detectable effect, smallest equivalence margin.

    Parameters
    ----------
    pilot
        Result of `mediate`, `ablate` or `effects`. Its units say how much units (clusters) differ.
    estimand
        Key of a mean, such as 'pnie' or 'ablation', or the estimand itself; None: the only one of the pilot that is no
        ratio, or else 'pnie'.
    site, arm
        The row of a sweep or an ablation.
    effect
        True effect at which the power against "no effect" is asked; None: the pilot's own estimate.
    margin
        Margin of an equivalence test; its power is at a true effect of 0. None: only the smallest margin is given.
    n
        Numbers of units at which to answer, besides the pilot's own; None: a range that shows the curve.
    alpha
        One minus the level of the interval that decides: 'different' where it leaves out 0, 'equivalent' where it lies
        inside the margin. So the test of no effect has level alpha, and each of the two one-sided tests alpha / 2.
    power
        Power that is wanted.
    sd
        ``"estimate"``: the pilot's standard deviation. ``"upper"``: its upper 80% confidence limit, since a small
        pilot's may be too small by chance (Browne 1995).
    simulate
        Number of samples drawn from the pilot to check the formula with the real test; 0 for none, 1000 is good.
    rng
        Seed or generator of the simulation.

    Returns
    -------
    Power
        With `.tidy()`, `.summary()` and, for `med.plot.power`, the curve.

    Raises
    ------
    DesignError
        If the estimand is a ratio or not in the pilot, or a number is out of range.
    DataError
        If the pilot has fewer than two clusters, or all its units (clusters) have the same value.

    Notes
    -----
    Means: the noncentral t distribution with J - 1 degrees of freedom, J the number of clusters (units, when there are
    none) of the pilot's sizes; the variance a cluster adds is kept, so the design effect is. Differences of right and
    wrong answers of independent units: enumeration of the numbers of +1 and -1 (see `method`), since with few
    discordant units no t formula holds. The bootstrap-t test is less powerful than Student's t where a small sample is
    skewed towards the effect's other side; `simulate` shows by how much.

    Examples
    --------
    >>> import pandas as pd
    >>> from mediation import effects
    >>> y00 = np.random.default_rng(0).normal(size=40)
    >>> pilot = effects(pd.DataFrame({"y00": y00, "y01": y00 + np.linspace(-0.8, 1.2, 40)}), rng=0)
    >>> power(pilot, effect=0.3).n_needed
    34
    """
    plan = _plan(pilot, estimand, site, arm, sd)
    target = Target(
        effect=plan.pilot.mean if effect is None else _finite(effect, "effect"),
        own=effect is None,
        margin=None if margin is None else _positive(margin, "margin"),
        alpha=in_unit_interval(alpha, what="power: alpha"),
        power=_wanted_power(power, alpha),
    )
    if effect is not None and target.effect == 0.0:
        raise DesignError(
            "power: effect = 0, and the power against no effect is then alpha. Give the smallest effect that matters, "
            "or a margin alone to plan an equivalence test."
        )
    needed = plan.needed(target), plan.needed(target, equivalence=True)
    sizes = _sizes(n, plan, needed)
    curve = plan.curve(sizes, target)
    checks = _checks(
        plan, target, needed, pilot, positive_int(simulate, what="power: simulate", least=0, most=_MOST_SAMPLES), rng
    )
    return Power(
        estimand=plan.key,
        where=plan.where,
        outcome=str(pilot.provenance.get("outcome", "")),
        target=target,
        plan=plan,
        clusters_needed=needed[0],
        clusters_for_margin=needed[1],
        simulated=checks,
        curve=curve,
    )


def _plan(
    pilot: Effects,
    estimand: str | AbstractEstimand | None,
    site: str | None,
    arm: str | None,
    sd: Literal["estimate", "upper"],
) -> Plan:
    """Return what the pilot says of one row."""
    if not isinstance(pilot, Effects):
        raise DesignError(
            f"power: the pilot is {called(pilot)}; the Effects that mediate, ablate, effects or read return are needed."
        )
    result = of_one_outcome(pilot._parts(), "power")
    if not result.kind.of_units:
        raise DesignError(
            f"power was asked of a pilot of kind {pilot.kind!r}; give the 'effects', 'sweep' or 'ablation' that it was "
            "made of."
        )
    one_of(sd, ("estimate", "upper"), what="power: sd")
    need_own_draws(result.provenance, "power")
    need_one_kind(
        result.units, "power", "Its standard error falls with the number of either kind, so no one number answers."
    )
    units, table = result.units, result.table
    estimand = _the_only_one(result.estimands) if estimand is None else estimand
    key = estimand.key if isinstance(estimand, AbstractEstimand) else estimand
    named = {name: value for name, value in (("site", site), ("arm", arm)) if value is not None}
    row = row_named(result, key, named)
    (one,) = result.wanted(estimand)
    if one.denominator is not None:
        raise DesignError(
            f"power: estimand {key!r} is a ratio, whose interval does not shrink by a formula. Plan for its numerator, "
            "such as 'tnie', and for 'te'."
        )
    found = unit_values(units, [one], result.precision)
    groups = found.groups
    same = np.ones(len(groups), dtype=bool)
    for name in groups.columns:
        same &= (groups[name].isna() if row[name] != row[name] else groups[name] == row[name]).to_numpy(dtype=bool)
    column = int(np.flatnonzero(same)[0])
    several = len(table) > len(set(table["estimand"]))
    where = str(row.get("arm") or row["site"])
    plan = Plan.of(key, where, found.values[key][:, column], found.clusters, found.weights, picked=several)
    _check_pilot(plan)
    return plan if sd == "estimate" else replace(plan, pilot=plan.pilot.widened(_SHARE), sd="upper", share=_SHARE)


def _check_pilot(plan: Plan) -> None:
    """Raise DataError if the pilot does not show how units differ."""
    key = plan.key
    if plan.pilot.n_clusters < 2:
        raise DataError(
            f"power: the pilot has {plan.pilot.n} units in {plan.pilot.n_clusters} cluster, and how clusters differ "
            "cannot be seen in fewer than 2. Run the pilot on more."
        )
    if plan.pilot.std_error <= 0:
        raise DataError(
            f"power: {key} is the same in every {'cluster' if plan.clustered else 'unit'} of the pilot "
            f"({plan.pilot.mean:g}), so nothing can be said of larger samples. Run the pilot on more units, or use an "
            "outcome that varies, such as a logit difference."
        )


def _the_only_one(present: Sequence[str]) -> str:
    """Return the estimand of a pilot that none was named of: the only one in units of the outcome, or else 'pnie'."""
    means = [key for key in present if not meaning_of(key).is_ratio]
    if _USUAL in means:
        return _USUAL
    if len(means) == 1 or not means:
        return (means or present)[0]
    raise DesignError(
        f"power: the pilot has {listed(means)}; say for which of them to plan, such as estimand={means[0]!r}."
    )


def _sizes(n: int | Iterable[int] | None, plan: Plan, needed: tuple[int | None, int | None]) -> list[int]:
    """Return the numbers of clusters of the curve, the pilot's and the needed ones among them."""
    own = plan.pilot.n_clusters
    marks = [size for size in needed if size is not None]
    if n is None:
        top = min(max([3 * own, *(int(1.4 * size) for size in marks)]), MOST_CLUSTERS)
        low = max(3, min([own, *marks]) // 4)
        points = _POINTS if plan.flips is None else _POINTS_OF_FLIPS
        grid = np.unique(np.geomspace(low, top, points).round().astype(int)).tolist()
        return sorted({*grid, own, *(size for size in marks if size <= top)})
    asked: list[Any] = (
        [n] if isinstance(n, Integral) else elements(n, what="power: n", needed="a whole number of units, or a list")
    )
    sizes: list[int] = []
    for one in asked:
        positive_int(one, what="power: n", most=_MOST_UNITS, why="No study has more units.")
        if plan.clusters_of(int(one)) < 2:
            least = plan.units_of(2)
            two = " (2 clusters)" if plan.clustered else ""
            raise DesignError(f"power: n = {shown(one)}; whole numbers of at least {least} units{two} are needed.")
        sizes.append(plan.clusters_of(int(one)))
    return sorted({*sizes, own})


def _checks(
    plan: Plan,
    target: Target,
    needed: tuple[int | None, int | None],
    pilot: Effects,
    n_samples: int,
    rng: int | np.random.Generator | None,
) -> tuple[tuple[str, Simulated], ...]:
    """Return the simulated powers, by what they are the power of: at the pilot's size and at those that are needed."""
    if not n_samples:
        return ()
    seed = seed_from(rng)
    settings = settings_of(pilot.provenance)
    level = 1.0 - target.alpha
    few = max(_RESAMPLES, int(np.ceil(4 / target.alpha)))
    test = Inference(method=settings.method, confidence_level=level, n_resamples=few, seed=0)
    found = []
    for what, most, effect, margin in (
        ("effect", needed[0], target.effect, None),
        ("margin", needed[1], 0.0, target.margin),
    ):
        if what == "margin" and margin is None:
            continue
        for size in sorted({plan.pilot.n_clusters, *([most] if most is not None and most <= _MOST_SIMULATED else [])}):
            one = simulated_power(
                plan.values,
                size,
                effect,
                margin=margin,
                clusters=plan.clusters if plan.clustered else None,
                weights=plan.weights,
                spread=plan.widening,
                settings=test,
                n_samples=n_samples,
                seed=seed,
            )
            found.append((what, one._replace(n=plan.units_of(size))))
    return tuple(found)


def _finite(value: float, what: str) -> float:
    return number(value, what=f"power: {what}", needed="a finite number in units of the outcome")


def _positive(value: float, what: str) -> float:
    if not number(value, what=f"power: {what}", needed="a positive number in units of the outcome") > 0:
        raise DesignError(f"power: {what} = {shown(value)}; a positive number in units of the outcome is needed.")
    return float(value)


def _wanted_power(value: float, alpha: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not alpha < value < 1:
        raise DesignError(
            f"power: power = {shown(value)}; a number between alpha = {alpha:g} and 1 is needed, such as 0.8."
        )
    return float(value)
