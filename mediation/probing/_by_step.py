"""How similar states are between units and within one, step by step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._checks import called, elements, listed, one_of, reals
from .._seed import seed_from
from ..errors import DataError, DegenerateWarning, DesignError, DominantUnitWarning
from ..inference import Inference
from ._rows import MEASURES
from ._states import States, check_name, states_from, unit_labels
from ._steps import Found, Steps

_MOST_STEPS = 64


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Similarity:
    """Similarity of states by step; made by `similarity`.

    Attributes
    ----------
    name
        What the states are called.
    n, n_groups, steps
        Units, groups of units (units, without groups), and steps.
    confidence_level
        Of the intervals.
    """

    name: str
    n: int
    n_groups: int
    steps: int
    confidence_level: float
    _table: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """Return one row a number: ``states, measure, step, other, estimate, std_error, conf_low, conf_high, ...``.

        `step` and `other` count from 0. `other` is the second step of a pair, and missing where there is none; for
        measures "by lag", `step` is the lag. `method` says how the interval was made, `n` and `n_groups` from how many
        units and groups.
        """
        return self._table.copy()

    def rows(self, measure: str) -> pd.DataFrame:
        """Return the rows of one measure.

        Raises
        ------
        DesignError
            If it was not computed.
        """
        one_of(measure, list(dict.fromkeys(self._table["measure"])), what="measure")
        found: pd.DataFrame = self._table[self._table["measure"] == measure].reset_index(drop=True)
        return found

    def matrix(self, measure: str = "intra cosine") -> NDArray[np.float64]:
        """Return a measure of pairs of steps as a matrix ``(steps, steps)``: 1 on the diagonal, NaN where not known.

        Raises
        ------
        DesignError
            If it was not computed, or is not one of pairs.
        """
        rows = self.rows(measure)
        if rows["other"].isna().any():
            raise DesignError(f"matrix({measure!r}): it has one number a step. Pairs of steps: 'intra cosine', 'cka'.")
        found = np.full((self.steps, self.steps), np.nan)
        np.fill_diagonal(found, 1.0)
        for step, other, estimate in zip(rows["step"], rows["other"], rows["estimate"], strict=True):
            found[step, other] = found[other, step] = estimate
        return found

    def compare(self, *others: Similarity) -> pd.DataFrame:
        """Return the tidy frames of several kinds of states in one, such as latents beside tokens of text and image.

        Raises
        ------
        DesignError
            If two have the same name.
        """
        return compare(self, *others)

    def __repr__(self) -> str:
        groups = "" if self.n_groups == self.n else f" in {self.n_groups} groups"
        return (
            f"<Similarity of {self.name!r}: {self.n} units{groups}, {self.steps} step{'' if self.steps == 1 else 's'}>"
        )


def similarity(
    states: Any,
    *,
    groups: Iterable[Any] | None = None,
    centre: ArrayLike | States | None = None,
    measures: Sequence[str] | None = None,
    name: str | None = None,
    rng: int | np.random.Generator | None = 0,
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
) -> Similarity:
    """Return how similar states are between units (inter) and between the steps of one unit (intra).

    ====================== ===========================================================================================
    inter cosine           mean cosine of two units of different groups, at each step
    inter centred cosine   the same after `centre` is taken away
    effective rank         of the states at each step (`effective_rank`)
    cka                    debiased linear CKA of each step with the first, and with the one before it (`linear_cka`)
    intra cosine           mean over units of the cosine of two steps of a unit, by pair of steps and by lag
    intra centred cosine   the same after `centre` is taken away
    ====================== ===========================================================================================

    Raw cosines of hidden states are high for any input, since they share a large mean (Ethayarajh 2019, "How contextual
    are contextualized word representations?"). Read them beside the same numbers of other states (tokens of text and
    image, inner states: `compare`), and beside the centred ones.

    Parameters
    ----------
    states
        `States` of `capture`, or an array ``(n, steps, hidden)`` or ``(n, hidden)``. At a step, the units that have it
        count.
    groups
        A label a unit; units that share one (one image, say) are not compared with each other between units, and are
        left out or resampled together.
    centre
        What is taken away for centred cosines: a vector, or states whose mean it is (a wide set of other states, say).
        None: the mean of these states over units and steps. With one step and None there is no centred cosine between
        units, which would be near -1 / (n - 1) whatever the states are.
    measures
        Names from the table above; None for all.
    name
        What the states are called in tables; their own name when None.
    rng
        Seed or generator, of resamples and of blocks.
    confidence_level, n_resamples
        Of the intervals.

    Returns
    -------
    Similarity

    Raises
    ------
    DataError
        If the states are no such array, no step is left, or lengths differ.
    DesignError
        If a measure is unknown, or there are more than 64 steps.

    Warns
    -----
    DegenerateWarning
        If numbers have no interval: too few units or groups, or no spread.
    DominantUnitWarning
        If one unit holds over half of the squared distances to the mean that an effective rank is made of.

    Notes
    -----
    A mean over pairs of units is a U-statistic: pairs that share a unit are dependent, so its interval is that of the
    delete-one jackknife over units (or groups), on Fisher's z scale, with the t quantile. In simulations with 15 to 40
    units, 95% intervals cover the population's mean cosine in 93% to 97%; in 90% where states without any common
    direction spread over two dimensions only, and less where what matters is rare enough to be missing from the sample.
    Those of CKA, on the same scale, cover in 92% to 99%. Centred cosines with a centre of their own are corrected (by
    the jackknife) for the bias that it brings. Means within units have the bootstrap's intervals (`mean_intervals`);
    where the centre is the states' own and moves with the units, it is the bootstrap-t of jackknife pseudo-values, on
    Fisher's z scale.

    The effective rank depends on the number of units, so its interval is about the value expected of another sample of
    the same size; values of samples of different sizes cannot be compared. With k = min(n - 1, hidden), the highest
    rank possible, the interval is the bootstrap-t of jackknife pseudo-values of -log(k - rank), widened where their
    kurtosis says that the variance itself is uncertain. docs/probing.md has its coverage, which is too low for states
    whose lengths have heavy tails. All intervals are pointwise. With more than 100 units, the effective rank, CKA and
    centred cosines with a centre of their own leave out 100 blocks of units in turn.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own, common = rng.normal(size=(30, 3, 8)), rng.normal(size=(1, 3, 8))
    >>> states = own * [[[1.0], [0.3], [0.1]]] + 2 * common  # less and less of the unit, step by step
    >>> found = similarity(states, n_resamples=999)
    >>> found.rows("inter cosine")["estimate"].is_monotonic_increasing
    True
    """
    given = states_from(states, "similarity: states")
    if name is not None:
        check_name(name, "similarity: name")
    wanted = (
        list(MEASURES)
        if measures is None
        else [measures]
        if isinstance(measures, str)
        else elements(measures, what="similarity: measures", needed=f"a list of measures, of {listed(MEASURES)},")
    )
    for one in wanted:
        one_of(one, list(MEASURES), what="similarity: measures")
    if given.shape[1] > _MOST_STEPS:
        raise DesignError(
            f"similarity: {given.name!r} has {given.shape[1]} steps, and {_MOST_STEPS} are compared at most. Take "
            "some: states.take(steps=range(16)), or one a unit: states.mean()."
        )
    if not given.has.any():
        raise DataError(f"similarity: no unit of {given.name!r} has a step.")
    codes = _groups(groups, len(given))
    steps = Steps(
        np.asarray(given.values, dtype=np.float64),
        given.has,
        np.arange(len(given)) if codes is None else codes,
        codes is not None,
        _centre(centre, given.shape[2]),
        Inference(confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng)),
    )
    rows = [row for one in wanted for row in MEASURES[one](steps)]
    said = given.name if name is None else name
    table = pd.DataFrame([_row(said, row) for row in rows], columns=_COLUMNS)
    table["other"] = table["other"].astype("Int64")
    _warn(table, said)
    _warn_of_dominant_units(rows, said)
    n_groups = len(given) if codes is None else int(codes.max()) + 1
    return Similarity(said, len(given), n_groups, given.shape[1], confidence_level, table)


def compare(*similarities: Similarity) -> pd.DataFrame:
    """Return the tidy frames of several `Similarity` in one; the column `states` tells them apart.

    Raises
    ------
    DesignError
        If one is something else, or two have the same name.

    Examples
    --------
    >>> one, two = (similarity(np.random.default_rng(s).normal(size=(9, 2, 4)), name=f"s{s}") for s in (0, 1))
    >>> list(compare(one, two)["states"].unique())
    ['s0', 's1']
    """
    wrong = [one for one in similarities if not isinstance(one, Similarity)]
    if wrong or not similarities:
        found = f"found {called(wrong[0])}" if wrong else "none is given"
        raise DesignError(f"compare: results of probing.similarity are needed, {found}.")
    names = [one.name for one in similarities]
    double = [name for name in names if names.count(name) > 1]
    if double:
        raise DesignError(f"compare: two are called {double[0]!r}. Name them: similarity(states, name='text').")
    return pd.concat([one.tidy() for one in similarities], ignore_index=True)


_COLUMNS = [
    *("states", "measure", "step", "other", "estimate", "std_error", "conf_low", "conf_high"),
    *("method", "n", "n_groups"),
]


def _row(name: str, row: Found) -> tuple[Any, ...]:
    one = row.spread
    numbers = (one.estimate, one.std_error, one.conf_low, one.conf_high, one.method)
    return (name, row.measure, row.step, row.other, *numbers, row.n, row.n_groups)


def _groups(groups: Iterable[Any] | None, n: int) -> NDArray[np.intp] | None:
    if groups is None:
        return None
    labels = unit_labels(groups, n, "similarity: groups")
    codes, _ = pd.factorize(pd.Series(labels, dtype=object))
    if (codes < 0).any():
        raise DataError(f"similarity: the group of unit {int(np.argmin(codes))} is missing.")
    return codes


def _centre(given: Any, hidden: int) -> NDArray[np.float64] | None:
    if given is None:
        return None
    found: NDArray[np.float64]
    if isinstance(given, States):
        found = np.asarray(given.values, dtype=np.float64)[given.has].mean(axis=0)
    else:
        needed = f"{hidden} finite numbers, or states of {hidden} features,"
        found = reals(given, what="similarity: centre", needed=needed, error=DataError)
        found = found.reshape(-1, found.shape[-1]).mean(axis=0) if found.ndim > 1 and found.size else found
    if found.shape != (hidden,) or not np.isfinite(found).all():
        raise DataError(
            f"similarity: centre has shape {found.shape} or is not finite; {hidden} finite numbers, or states of "
            f"{hidden} features, are needed."
        )
    return found


def _warn(table: pd.DataFrame, name: str) -> None:
    without = table[table["conf_low"].isna()]
    if len(without):
        first = without.iloc[0]
        warnings.warn(
            f"similarity: {len(without)} of {len(table)} numbers of {name!r} have no interval (NaN), first "
            f"{first['measure']} at step {first['step']}: too few units or groups there, or no spread.",
            DegenerateWarning,
            stacklevel=3,
        )


def _warn_of_dominant_units(rows: list[Found], name: str) -> None:
    dominated = [row for row in rows if row.caveat]
    if dominated:
        first = dominated[0]
        more = f" (and at {len(dominated) - 1} more)" if len(dominated) > 1 else ""
        warnings.warn(
            f"similarity: {first.measure} of {name!r} at step {first.step}{more}: {first.caveat}. With tails so heavy, "
            "the interval may miss the expected rank more often than its level says. Look at that unit, or scale each "
            "state to length 1.",
            DominantUnitWarning,
            stacklevel=3,
        )
