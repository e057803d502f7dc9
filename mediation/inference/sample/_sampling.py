"""What is resampled: units or whole clusters, how much each counts, and the checks of what was given.

Clusters that count unequally need two corrections (Bell & McCaffrey 2002, Survey Methodology 28; Imbens & Kolesar 2016,
Rev. Econ. Stat. 98). With m_j the weight of cluster j, h_j = m_j / sum m its share, and v_j = sum of w_i^2 over its
units, which is the variance of its total if units are independent and alike, the residual total e_j of the weighted
mean has variance v_j (1 - 2 h_j) + h_j^2 sum v. Each e_j^2 is divided by what that is short of v_j ("CR2"), and the sum
of squares has Satterthwaite's degrees of freedom instead of J - 1. For clusters that count alike these are J / (J - 1)
and J - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import elements, reals, shown
from ..._series import in_order_of
from ...errors import DataError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """The sampling design of n units in J clusters; without clusters every unit is its own.

    Parameters
    ----------
    weights
        Weight of each unit, (n,), positive; all ones when they are equal.
    order
        Units sorted by cluster, (n,), clusters in the order of their first unit.
    starts
        Position in `order` at which each cluster starts, (J,).
    cluster_weights
        Total weight m_j of each cluster, (J,).
    working
        Sum of squared weights v_j of each cluster, (J,).
    inflation
        What each squared residual total is multiplied by, (J,); J / (J - 1) for clusters that count alike.
    df
        Degrees of freedom of the variance; J - 1 for clusters that count alike, NaN for one cluster.
    """

    weights: Array
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    cluster_weights: Array = field(init=False)
    working: Array = field(init=False)
    inflation: Array = field(init=False)
    df: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cluster_weights", self.totals(np.ones((1, self.n)))[0])
        object.__setattr__(self, "working", self.totals(self.weights[None])[0])
        inflation, df = _bell_mccaffrey(self.cluster_weights, self.working)
        object.__setattr__(self, "inflation", inflation)
        object.__setattr__(self, "df", df)

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.weights)

    @property
    def n_clusters(self) -> int:
        """Number of clusters J."""
        return len(self.starts)

    @property
    def clustered(self) -> bool:
        """Whether some cluster holds more than one unit."""
        return self.n_clusters < self.n

    @property
    def codes(self) -> NDArray[np.intp]:
        """Number of each unit's cluster, (n,), clusters counted by their first unit."""
        codes = np.empty(self.n, dtype=np.intp)
        codes[self.order] = np.repeat(np.arange(self.n_clusters), np.diff(self.starts, append=self.n))
        return codes

    @property
    def balanced(self) -> bool:
        """Whether every cluster counts the same."""
        m, a = self.cluster_weights, self.inflation
        return bool(m.max() == m.min() and a.max() == a.min())

    @property
    def equal_weights(self) -> bool:
        """Whether every unit counts the same."""
        return bool((self.weights == 1.0).all())

    @property
    def effective(self) -> tuple[float, float]:
        """Kish's effective numbers of units and of clusters, (sum w)^2 / sum w^2 of either's weights."""
        return kish(self.weights), kish(self.cluster_weights)

    def totals(self, rows: Array) -> Array:
        """Return the weighted cluster sums (k, J) of `rows` (k, n)."""
        weighted = rows * self.weights
        if not self.clustered:
            return weighted
        summed: Array = np.add.reduceat(weighted[:, self.order], self.starts, axis=1)
        return summed


def kish(weights: Array) -> float:
    """Return Kish's effective number, (sum w)^2 / sum w^2.

    Examples
    --------
    >>> kish(np.array([1.0, 1.0, 2.0])).__round__(3)
    2.667
    """
    found = reals(weights, what="weights", needed="an array of positive numbers", error=DataError)
    if not (found.size and np.isfinite(found).all() and (found > 0).all()):
        raise DataError("weights must be positive and finite numbers, and one at least.")
    return float(found.sum() ** 2 / np.square(found).sum())


def _bell_mccaffrey(m: Array, v: Array) -> tuple[Array, float]:
    """Return what squared residual totals are multiplied by, (J,), and Satterthwaite's degrees of freedom.

    With C_jk the covariance of e_j and e_k and a_j = v_j / C_jj, the variance is sum_j a_j e_j^2 / (sum m)^2 and

        df = (sum_j v_j)^2 / sum_jk a_j a_k C_jk^2,   C_jk = [j = k] v_j - h_k v_j - h_j v_k + h_j h_k sum v
    """
    n_clusters = len(m)
    if n_clusters < 2:
        return np.ones(n_clusters), float("nan")
    if m.max() == m.min() and v.max() == v.min():
        return np.full(n_clusters, n_clusters / (n_clusters - 1)), n_clusters - 1.0
    h, total = m / m.sum(), v.sum()
    own = v * (1.0 - 2.0 * h) + h**2 * total
    a = v / own
    # C_jk without the diagonal's extra v_j is x_j h_k + h_j x_k with x = h total / 2 - v
    x = 0.5 * h * total - v
    xx, xh, hh = (a * x) @ x, (a * x) @ h, (a * h) @ h
    squares = 2.0 * (xx * hh + xh**2) + (a**2 * (own**2 - np.square(own - v))).sum()
    return a, float(total**2 / squares)


def checked_columns(values: ArrayLike, what: str) -> Array:
    """Return `values` as a float array (n, K); raise DataError if it is not finite numbers of that shape.

    Examples
    --------
    >>> checked_columns([[1, 2], [3, 4]], "values").shape
    (2, 2)
    """
    try:
        found = np.asarray(values)
        if found.dtype.kind == "c":
            raise DataError(f"{what} holds complex numbers; real numbers are needed.")
        array = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{what} cannot be read as numbers ({error}). Give an array (units, columns).") from error
    if array.ndim != 2:
        hint = f" Use {what}[:, None] for one column." if array.ndim == 1 else ""
        raise DataError(f"{what} must have two axes, (units, columns); found shape {array.shape}.{hint}")
    if array.shape[0] == 0:
        raise DataError(f"{what} has shape {array.shape}: there are no units. Give at least one; two for an interval.")
    finite = np.isfinite(array)
    if not finite.all():
        unit, column = np.argwhere(~finite)[0]
        count = int((~finite).sum())
        raise DataError(
            f"{what} holds {array[unit, column]} at unit {unit}, column {column} (the first of {count}). "
            "Every unit needs a finite number: drop the unit everywhere, or correct its outcome."
        )
    return array


def _is_missing(label: object) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)  # only a missing value differs from itself
    except (TypeError, ValueError, RuntimeError):
        return True


def _cluster_codes(clusters: Sequence[Any] | NDArray[Any], n: int) -> NDArray[np.intp]:
    clusters = in_order_of(clusters, range(n), what="clusters", error=DataError)
    shape = getattr(clusters, "shape", None)
    if shape is not None and len(shape) != 1:
        raise DataError(f"clusters must have one axis with a label per unit, ({n},); found shape {tuple(shape)}.")
    plain = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    labels = elements(plain, what="clusters", needed=f"one label per unit ({n} of them)", error=DataError)
    if len(labels) != n:
        raise DataError(f"clusters has {len(labels)} labels for {n} units; give one label per unit.")
    seen: dict[Any, int] = {}
    codes = np.empty(n, dtype=np.intp)
    for unit, label in enumerate(labels):
        if _is_missing(label):
            raise DataError(f"clusters holds {shown(label)} at unit {unit}; every unit needs a cluster.")
        try:
            codes[unit] = seen.setdefault(label, len(seen))
        except TypeError as error:
            raise DataError(
                f"clusters holds {shown(label)} at unit {unit}; a label must be hashable, such as text."
            ) from error
    return codes


def _checked_weights(weights: ArrayLike, n: int) -> Array:
    weights = in_order_of(weights, range(n), what="weights", error=DataError)
    array = reals(weights, what="weights", needed="one positive number per unit", error=DataError)
    if array.shape != (n,):
        raise DataError(f"weights must have one number per unit, shape ({n},); found shape {array.shape}.")
    bad = ~(np.isfinite(array) & (array > 0))
    if bad.any():
        unit = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"weights holds {array[unit]} at unit {unit}; weights must be positive and finite. "
            "Drop a unit that should not count."
        )
    return np.ones(n) if array.max() == array.min() else array / array.max()


def sampling(n: int, clusters: Sequence[Any] | NDArray[Any] | None, weights: ArrayLike | None) -> Sampling:
    """Return the design of `n` units; a cluster per unit is no clusters, equal weights are no weights.

    Examples
    --------
    >>> sampling(4, ["a", "b", "a", "b"], None).n_clusters
    2
    """
    codes = np.arange(n, dtype=np.intp) if clusters is None else _cluster_codes(clusters, n)
    checked = np.ones(n) if weights is None else _checked_weights(weights, n)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return Sampling(checked, order, starts)
