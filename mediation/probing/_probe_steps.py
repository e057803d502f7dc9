"""Probes at every step, for several attributes, beside baselines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from .._checks import instance
from .._printable import printable
from .._seed import seed_from
from ..errors import DataError, DegenerateWarning, DesignError
from ..inference import Inference, mean_intervals
from ._probe import Probe, probe
from ._states import States, check_name, states_from, unit_labels
from ._widened import widened

Index = NDArray[np.intp]
_COLUMNS = (
    *("features", "attribute", "step", "accuracy", "conf_low", "conf_high", "majority", "control_accuracy"),
    *("selectivity", "selectivity_low", "selectivity_high", "selectivity_p", "selectivity_p_adjusted"),
    *("difference", "difference_low", "difference_high", "difference_p", "difference_p_adjusted"),
    *("method", "n", "n_groups", "n_classes"),
)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Probes:
    """What probes read at each step, for each attribute; made by `probe_steps`.

    Attributes
    ----------
    name
        What the states are called.
    attributes, baselines
        Names of labels and of other features.
    confidence_level
        Of the intervals.
    """

    name: str
    attributes: tuple[str, ...]
    baselines: tuple[str, ...]
    confidence_level: float
    _table: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """Return one row for each attribute, step and kind of features.

        `features` is the name of the states or of a baseline. ``accuracy, conf_low, conf_high, majority,
        control_accuracy`` and ``selectivity...`` are those of `Probe`; ``difference...`` stands in rows of baselines:
        the accuracy of the states less that of the baseline, on the same units and folds. ``..._p_adjusted`` are
        Holm's p-values over the steps of one attribute.
        """
        return self._table.copy()

    def __repr__(self) -> str:
        beside = f", beside {', '.join(self.baselines)}" if self.baselines else ""
        steps = self._table["step"].nunique()
        text = f"<Probes of {self.name!r} at {steps} steps for {', '.join(self.attributes)}{beside}>"
        return printable(text, one_line=True)


def probe_steps(
    states: Any,
    labels: Any,
    groups: Iterable[Any] | None = None,
    *,
    baselines: Mapping[str, Any] | None = None,
    estimator: Any = "linear",
    n_splits: int = 5,
    n_controls: int = 5,
    rng: int | np.random.Generator | None = None,
    confidence_level: float = 0.95,
) -> Probes:
    """Probe every step of `states` for every attribute in `labels`, and compare with baselines.

    Folds, shuffles and seeds are the same at every step and for every baseline.

    Parameters
    ----------
    states
        `States`, or an array ``(n, steps, hidden)`` or ``(n, hidden)``. At a step, the units that have it count.
    labels
        A frame with one row a unit and one column an attribute, a mapping from names to labels, or one list of labels.
    groups, estimator, n_splits, n_controls, confidence_level
        See `probe`.
    baselines
        Other features of the same units by name, such as ``{"text only": x, "random": random_like(states), "image":
        image.mean()}``: ``(n, d)``, the same at every step, or states with as many steps, taken step by step.
    rng
        Seed or generator; the same gives the same numbers.

    Returns
    -------
    Probes

    Raises
    ------
    DataError
        If lengths differ, or a label has too few units or groups at some step.
    DesignError
        If two kinds of features have one name.
    BackendError
        If scikit-learn is not installed.

    Warns
    -----
    DegenerateWarning
        If numbers have no interval; see `probe`.

    Notes
    -----
    A difference to a baseline is a mean over units (or groups) of two answers that are right or wrong, with the
    interval of Student's t (Bonett and Price's where few differ), widened as those of `probe` are. Intervals are
    pointwise; the adjusted p-values hold jointly over steps.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> colour = rng.integers(2, size=60)
    >>> states = rng.normal(size=(60, 2, 4)) + 2 * colour[:, None, None] * np.array([[1, 0, 0, 0], [0, 0, 0, 0]])
    >>> found = probe_steps(states, {"colour": colour}, rng=0)
    >>> list(found.tidy()["selectivity_p_adjusted"] < 0.01)
    [True, False]
    """
    given = states_from(states, "probe_steps: states")
    attributes = _labels(labels, len(given))
    others = {name: _baseline(name, value, given) for name, value in _mapping(baselines).items()}
    if given.name in others:
        raise DesignError(f"probe_steps: a baseline is called {given.name!r}, as the states are. Name it otherwise.")
    names = None if groups is None else unit_labels(groups, len(given), "probe_steps: groups")
    seed = seed_from(rng)
    options = {"estimator": estimator, "n_splits": n_splits, "n_controls": n_controls, "rng": seed}
    inference = Inference(method="t", confidence_level=confidence_level)
    run = _Run({given.name: given, **others}, names, {**options, "confidence_level": confidence_level}, inference)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        rows = [row for name, column in attributes.items() for row in run.rows(name, column)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    for what in ("selectivity", "difference"):
        table[f"{what}_p_adjusted"] = _holm(table, f"{what}_p")
    _warn(table)
    return Probes(given.name, tuple(attributes), tuple(others), confidence_level, table)


@final
@dataclass(slots=True, eq=False)
class _Run:
    """Probes of one call; those of a baseline that does not change with the step are made once."""

    features: dict[str, States]
    groups: list[Any] | None
    options: dict[str, Any]
    inference: Inference
    made: dict[tuple[str, str, int, bytes], Probe] = field(default_factory=dict)

    def rows(self, attribute: str, labels: list[Any]) -> Iterator[dict[str, Any]]:
        first, *others = self.features
        states = self.features[first]
        for step in range(states.shape[1]):
            units = np.flatnonzero(states.has[:, step])
            mine = self._probe(first, attribute, labels, step, units)
            yield _row(first, attribute, step, mine)
            for name in others:
                other = self._probe(name, attribute, labels, step, units)
                yield _row(name, attribute, step, other) | self._difference(mine, other, units)

    def _probe(self, name: str, attribute: str, labels: list[Any], step: int, units: Index) -> Probe:
        one = self.features[name]
        at = step if one.shape[1] > 1 else 0
        key = (name, attribute, at, units.tobytes())
        if key not in self.made:
            groups = None if self.groups is None else [self.groups[unit] for unit in units]
            try:
                self.made[key] = probe(one.values[units, at], [labels[unit] for unit in units], groups, **self.options)
            except DataError as error:
                raise DataError(f"probe_steps: {attribute!r} from {name!r} at step {step}: {error}") from None
        return self.made[key]

    def _difference(self, mine: Probe, other: Probe, units: Index) -> dict[str, float]:
        clusters = None if self.groups is None else [self.groups[unit] for unit in units]
        values = (mine.correct - other.correct)[:, None]
        of_units = mean_intervals(values, clusters=clusters, settings=self.inference, span=1.0)
        found = widened(of_units, self.options["n_splits"])
        return {
            "difference": float(values.mean()),
            "difference_low": found.low,
            "difference_high": found.high,
            "difference_p": found.p_value,
        }


def _row(name: str, attribute: str, step: int, one: Probe) -> dict[str, Any]:
    known = {column: getattr(one, column) for column in _COLUMNS if column in Probe.__dataclass_fields__}
    return {"features": name, "attribute": attribute, "step": step} | known


def _holm(table: pd.DataFrame, column: str) -> pd.Series:
    """Return Holm's p-values over the steps of each attribute and kind of features."""
    found = pd.Series(math.nan, index=table.index, dtype=float)
    known = table[table[column].notna()]
    for _, rows in known.groupby(["features", "attribute"], sort=False):
        found[rows.index] = multipletests(rows[column].to_numpy(dtype=float), method="holm")[1]
    return found


def _labels(given: Any, n: int) -> dict[str, list[Any]]:
    if isinstance(given, pd.DataFrame):
        found = {str(name): given[name] for name in given.columns}
    elif isinstance(given, Mapping):
        found = {str(name): values for name, values in given.items()}
    else:
        found = {"label": given}
    if not found:
        raise DataError("probe_steps: labels names no attribute; a frame or a mapping with one at least is needed.")
    return {name: unit_labels(values, n, f"probe_steps: {name!r}") for name, values in found.items()}


def _mapping(baselines: Any) -> Mapping[str, Any]:
    if baselines is None:
        return {}
    needed = "a mapping from names to features"
    given: Mapping[str, Any] = instance(
        baselines, Mapping, what="probe_steps: baselines", needed=needed, error=DesignError
    )
    for name in given:
        check_name(name, "probe_steps: the name of a baseline")
    return given


def _baseline(name: str, given: Any, states: States) -> States:
    found = states_from(given, f"probe_steps: baseline {name!r}")
    n, steps = states.shape[:2]
    if len(found) != n or found.shape[1] not in (1, steps):
        raise DataError(
            f"probe_steps: baseline {name!r} has shape {found.shape} for states of {n} units and {steps} steps; "
            "(n, d), or as many steps, is needed. Of other states take the mean: states.mean()."
        )
    missing = states.has & ~found.has
    if missing.any():
        unit, step = (int(first[0]) for first in np.nonzero(missing))
        raise DataError(f"probe_steps: baseline {name!r} has nothing for unit {unit} at step {step}. Drop the unit.")
    return found


def _warn(table: pd.DataFrame) -> None:
    without = table[table["conf_low"].isna() | table["selectivity_low"].isna()]
    if len(without):
        first = without.iloc[0]
        warnings.warn(
            f"probe_steps: {len(without)} of {len(table)} rows lack an interval (NaN), first {first['attribute']!r} "
            f"from {first['features']!r} at step {first['step']}: all units, or all groups, are predicted alike. More "
            "units, or harder ones, would give one.",
            DegenerateWarning,
            stacklevel=3,
        )
