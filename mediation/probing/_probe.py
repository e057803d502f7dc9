"""Probes: what can be read from states, out of sample, and how much of it the probe would read from anything."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._checks import called, one_of, positive_int, reals, shown
from .._seed import seed_from
from ..errors import BackendError, DataError, DegenerateWarning, DesignError
from ..inference import Inference, mean_intervals
from ._states import matrix, unit_labels
from ._widened import Widened, widened, wilson_widened

Array = NDArray[np.float64]
_Codes = NDArray[np.intp]
_HIDDEN = 32
_ITERATIONS = 200
_Folds = list[tuple[_Codes, _Codes]]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Probe:
    """How well a label can be read from features, out of sample; made by `probe`.

    Attributes
    ----------
    accuracy, conf_low, conf_high
        Share of units whose label is predicted by a probe that was not trained on them (nor on their group), with its
        interval.
    majority
        The same for the commonest label of the training units: what is reached without looking at the features.
    control_accuracy
        Mean accuracy of probes of the same kind that were trained and tested on shuffled labels.
    selectivity, selectivity_low, selectivity_high, selectivity_p
        accuracy - control_accuracy, with its interval and the p-value of "it is 0".
    n, n_groups, n_classes, n_splits, n_controls
        Units, groups (of units, without groups), labels, folds and shuffles.
    method
        How the interval of the accuracy was made.
    correct
        1 for each unit that was predicted rightly and 0 otherwise, ``(n,)``: what the accuracy is the mean of.
    control
        Share of the shuffles in which each unit was predicted rightly, ``(n,)``.
    """

    accuracy: float
    conf_low: float
    conf_high: float
    majority: float
    control_accuracy: float
    selectivity: float
    selectivity_low: float
    selectivity_high: float
    selectivity_p: float
    n: int
    n_groups: int
    n_classes: int
    n_splits: int
    n_controls: int
    method: str
    correct: Array
    control: Array

    def __repr__(self) -> str:
        return (
            f"<Probe accuracy {self.accuracy:.3f} [{self.conf_low:.3f}, {self.conf_high:.3f}], majority "
            f"{self.majority:.3f}, selectivity {self.selectivity:.3f} [{self.selectivity_low:.3f}, "
            f"{self.selectivity_high:.3f}], n={self.n}, {self.n_groups} groups, {self.n_classes} labels>"
        )


def probe(
    features: ArrayLike,
    labels: Iterable[Any],
    groups: Iterable[Any] | None = None,
    *,
    estimator: Any = "linear",
    n_splits: int = 5,
    n_controls: int = 5,
    rng: int | np.random.Generator | None = None,
    confidence_level: float = 0.95,
) -> Probe:
    """Train a classifier on `features` and return how well it reads `labels` from units that it has not seen.

    Folds are stratified by label and never divide a group. The control is the same probe on shuffled labels (Hewitt and
    Liang 2019, "Designing and interpreting probes with control tasks"): what it reaches is owed to the probe and to the
    balance of the labels. Labels are shuffled between whole groups where each group has one label, else between units.

    Parameters
    ----------
    features
        One unit a row, ``(n, d)``; further axes, such as positions (or the steps of `States`), are laid side by side.
    labels
        A class per unit, of any hashable kind.
    groups
        A label per unit; units that share one are kept in one fold and resampled together. None: each alone.
    estimator
        "linear" (logistic regression), "mlp" (one hidden layer of 32 units with a penalty on large weights, fitted in
        at most 200 steps), both on standardised features; or a scikit-learn classifier, cloned for every fold.
    n_splits
        Folds; every label needs at least as many units, and at least two groups.
    n_controls
        Shuffles of the labels.
    rng
        Seed or generator; the same gives the same numbers.
    confidence_level
        Of the intervals.

    Returns
    -------
    Probe

    Raises
    ------
    DataError
        If lengths differ, values are missing, or a label has too few units or groups.
    DesignError
        If an option is out of range, or `estimator` is unknown.
    BackendError
        If scikit-learn is not installed.

    Warns
    -----
    DegenerateWarning
        If the selectivity is the same in all units or, with groups, the accuracy in all groups (all units are
        predicted rightly, say): there is no interval then.

    Notes
    -----
    The interval of the accuracy is Wilson's without groups, and with them Student's t for a mean over groups, cut
    at 0 and 1; that of the selectivity is Student's t for a mean over units (or groups). Probes of different folds
    share most of their training units, so an accuracy of cross-validation varies more than that of as many
    independent trials: in simulations with 60 to 120 units its variance is 1.5 to 2.1 times as large where little
    can be read, and 0.8 to 1.3 times where most can. All intervals are therefore widened as if the variance were 1
    + k / (k - 1) times as large, k the number of folds (2.25 for five; Nadeau and Bengio 2003, Mach. Learn. 52, eq.
    9), and p-values go with them. That covers where nothing can be read and is wider than needed where nearly all
    can.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> colour = rng.integers(2, size=80)
    >>> states = rng.normal(size=(80, 5)) + 2.5 * colour[:, None] * [1, 0, 0, 0, 0]
    >>> found = probe(states, colour, rng=0)
    >>> bool(found.conf_low > found.majority), found.n_classes
    (True, 2)
    """
    x = _features(features)
    names = unit_labels(labels, len(x), "probe: labels")
    y, group = _codes(names, len(x), "labels"), None if groups is None else _codes(groups, len(x), "groups")
    positive_int(n_splits, what="probe: n_splits", least=2)
    positive_int(n_controls, what="probe: n_controls")
    seed = seed_from(rng)
    classifier = _classifier(estimator, seed)
    _check_labels(y, group, n_splits, names)
    settings = Inference(method="t", confidence_level=confidence_level)
    random = np.random.default_rng(np.random.SeedSequence((seed, 3)))
    folds = _folds(y, group, n_splits, int(random.integers(2**31)))
    correct = (_predicted(classifier, x, y, folds) == y).astype(np.float64)
    control = np.zeros(len(x))
    for _ in range(n_controls):
        shuffled = _shuffled(y, group, random)
        control += (_predicted(classifier, x, shuffled, folds) == shuffled) / n_controls
    of_accuracy, found = _intervals(correct, control, group, settings, n_splits)
    return Probe(
        accuracy=float(correct.mean()),
        conf_low=float(np.clip(of_accuracy.low, 0, 1)),
        conf_high=float(np.clip(of_accuracy.high, 0, 1)),
        majority=float((_commonest(y, folds) == y).mean()),
        control_accuracy=float(control.mean()),
        selectivity=float(correct.mean() - control.mean()),
        selectivity_low=found.low,
        selectivity_high=found.high,
        selectivity_p=found.p_value,
        n=len(x),
        n_groups=len(x) if group is None else int(group.max()) + 1,
        n_classes=int(y.max()) + 1,
        n_splits=n_splits,
        n_controls=n_controls,
        method=of_accuracy.method,
        correct=_frozen(correct),
        control=_frozen(control),
    )


def _intervals(
    correct: Array, control: Array, groups: _Codes | None, settings: Inference, n_splits: int
) -> tuple[Widened, Widened]:
    """Return the intervals of the accuracy (Wilson's, or of a mean over groups) and of the selectivity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        if groups is None:
            accuracy = wilson_widened(correct, settings.confidence_level, n_splits)
        else:
            accuracy = widened(mean_intervals(correct[:, None], clusters=groups, settings=settings), n_splits)
        of_units = mean_intervals((correct - control)[:, None], clusters=groups, settings=settings)
        selectivity = widened(of_units, n_splits)
    said = {1.0: "all units are predicted rightly", 0.0: "all units are predicted wrongly"}
    reasons = {
        "accuracy": said.get(float(correct.mean()), "all groups have the same accuracy"),
        "selectivity": "accuracy less control accuracy is the same throughout",
    }
    for (what, reason), found in zip(reasons.items(), (accuracy, selectivity), strict=True):
        if np.isnan(found.low):
            message = (
                f"probe: {reason}, so the {what} has no interval (NaN). More units, or harder ones, would give one."
            )
            warnings.warn(message, DegenerateWarning, stacklevel=3)
    return accuracy, selectivity


def _features(given: ArrayLike) -> Array:
    found = reals(given, what="probe: features", needed="an array (n, d), one unit a row,", error=DataError)
    if found.ndim < 2 or found.size == 0:
        raise DataError(f"probe: features has shape {found.shape}; one unit a row is needed, (n, d).")
    return matrix(found.reshape(len(found), -1), "probe: features")


def _codes(given: Iterable[Any], n: int, what: str) -> _Codes:
    values = unit_labels(given, n, f"probe: {what}")
    try:
        codes, _ = pd.factorize(pd.Series(values, dtype=object))
    except TypeError:
        raise DataError(
            f"probe: {what} hold a {type(values[0]).__name__}, which cannot be compared; use texts or numbers."
        ) from None
    if (codes < 0).any():
        raise DataError(f"probe: {what} of unit {int(np.argmin(codes))} is missing.")
    return codes


def _check_labels(y: _Codes, groups: _Codes | None, n_splits: int, names: list[Any]) -> None:
    def name(code: int) -> str:
        return shown(names[int(np.argmax(y == code))])

    counts = np.bincount(y)
    if len(counts) < 2:
        raise DataError(f"probe: all units have the label {name(0)}; at least two labels are needed.")
    if counts.min() < n_splits:
        raise DataError(
            f"probe: label {name(int(np.argmin(counts)))} is held by {counts.min()} units, and {n_splits} folds are "
            f"asked for (there are {len(counts)} labels in {len(y)} units). Use fewer folds, or merge or drop rare "
            "labels."
        )
    if groups is None:
        return
    if groups.max() + 1 < n_splits:
        raise DataError(f"probe: {groups.max() + 1} groups cannot fill {n_splits} folds. Use fewer folds.")
    for code in range(len(counts)):
        if len(set(groups[y == code])) < 2:
            raise DataError(
                f"probe: label {name(code)} occurs in one group only, so it cannot be both learnt and tested. "
                "Drop it, or use finer groups."
            )


def _folds(y: _Codes, groups: _Codes | None, n_splits: int, seed: int) -> _Folds:
    selection = _sklearn("model_selection")
    kind = selection.StratifiedKFold if groups is None else selection.StratifiedGroupKFold
    splitter = kind(n_splits=n_splits, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(y)), y, groups))


def _classifier(estimator: Any, seed: int) -> Any:
    if not isinstance(estimator, str):
        wrong = [name for name in ("fit", "predict", "get_params") if not callable(getattr(estimator, name, None))]
        if wrong or isinstance(estimator, type):
            raise DesignError(
                f"probe: estimator is {called(estimator)}; 'linear', 'mlp' or a classifier of scikit-learn is needed, "
                "such as LinearDiscriminantAnalysis()."
            )
        return estimator
    one_of(estimator, ("linear", "mlp"), what="probe: estimator")
    start = seed % 2**32
    if estimator == "linear":
        chosen = _sklearn("linear_model").LogisticRegression(max_iter=2000, random_state=start)
    else:
        chosen = _sklearn("neural_network").MLPClassifier(
            (_HIDDEN,), solver="lbfgs", alpha=1.0, tol=1e-3, max_iter=_ITERATIONS, random_state=start
        )
    return _sklearn("pipeline").make_pipeline(_sklearn("preprocessing").StandardScaler(), chosen)


def _predicted(classifier: Any, x: Array, y: _Codes, folds: _Folds) -> _Codes:
    """Return what probes trained on the other folds say of each unit."""
    clone, unfinished = _sklearn("base").clone, _sklearn("exceptions").ConvergenceWarning
    said = np.full(len(y), -1, dtype=np.intp)
    for train, test in folds:
        only = np.unique(y[train])
        # Shuffled labels may leave a fold with one: there is nothing to learn then.
        with warnings.catch_warnings():
            # A probe whose fit stopped early is a probe like another: it is judged out of sample.
            warnings.simplefilter("ignore", unfinished)
            said[test] = only[0] if len(only) == 1 else clone(classifier).fit(x[train], y[train]).predict(x[test])
    return said


def _commonest(y: _Codes, folds: _Folds) -> _Codes:
    said = np.full(len(y), -1, dtype=np.intp)
    for train, test in folds:
        said[test] = np.bincount(y[train]).argmax()
    return said


def _shuffled(y: _Codes, groups: _Codes | None, random: np.random.Generator) -> _Codes:
    if groups is None:
        return random.permutation(y)
    first = np.array([y[np.argmax(groups == group)] for group in range(groups.max() + 1)])
    return random.permutation(first)[groups] if (first[groups] == y).all() else random.permutation(y)


def _frozen(values: Array) -> Array:
    values.setflags(write=False)
    return values


def _sklearn(part: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as error:
        raise BackendError("Probes need scikit-learn: pip install scikit-learn.") from error
