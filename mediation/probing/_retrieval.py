"""Whether a state finds its own unit's key among the keys of all units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .._checks import positive_int, shown, true_or_false
from ..errors import DataError, DesignError
from ..inference import wilson
from ._states import States, matrix

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Retrieval:
    """How often a unit's own key is among the k nearest to its query; made by `retrieval`.

    Attributes
    ----------
    accuracy, conf_low, conf_high
        Share of units whose own key is among the k nearest, with Wilson's interval.
    chance
        k / n: the same for queries that have nothing to do with the keys.
    p_value
        Of "the accuracy is that of chance" (score test).
    mean_reciprocal_rank, median_rank
        Of the own key's ranks.
    k, n
        How many nearest keys count, and units.
    ranks
        Rank of each unit's own key, ``(n,)``, from 1; keys that are as near count half.
    """

    accuracy: float
    conf_low: float
    conf_high: float
    chance: float
    p_value: float
    mean_reciprocal_rank: float
    median_rank: float
    k: int
    n: int
    ranks: Array

    def __repr__(self) -> str:
        return (
            f"<Retrieval top-{self.k} accuracy {self.accuracy:.3f} [{self.conf_low:.3f}, {self.conf_high:.3f}], chance "
            f"{self.chance:.3f}, mean reciprocal rank {self.mean_reciprocal_rank:.3f}, median rank "
            f"{self.median_rank:g}, n={self.n}>"
        )


def retrieval(
    queries: Any, keys: Any, *, k: int = 1, centred: bool = False, confidence_level: float = 0.95
) -> Retrieval:
    """Rank the keys of all units by their cosine with each unit's query, and return where its own key stands.

    Parameters
    ----------
    queries, keys
        ``(n, d)`` each, or `States` of one step, in the same space: one query and one key a unit, such as a latent and
        the image feature of the unit's own region.
    k
        How many nearest keys count as found.
    centred
        Take the mean query from the queries and the mean key from the keys first. A direction that all queries share
        hides what tells them apart.
    confidence_level
        Of the interval.

    Returns
    -------
    Retrieval

    Raises
    ------
    DataError
        If shapes do not fit, or a query or key has no direction (0, or the mean).
    DesignError
        If `k` is not below the number of units.

    Notes
    -----
    The keys are taken as they are: the interval is about other queries with the same keys. A group of units that share
    one key (one image) finds it at the rank of ties; give one unit of each.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> keys = rng.normal(size=(50, 16))
    >>> retrieval(keys + 0.1 * rng.normal(size=(50, 16)), keys).accuracy
    1.0
    """
    true_or_false(centred, what="retrieval: centred")
    q, key = _one(queries, "queries"), _one(keys, "keys")
    if q.shape != key.shape:
        raise DataError(
            f"retrieval: queries are {q.shape[0]} x {q.shape[1]} and keys {key.shape[0]} x {key.shape[1]}; one query "
            "and one key a unit, of as many features, are needed."
        )
    positive_int(k, what="retrieval: k")
    if k >= len(q):
        raise DesignError(f"retrieval: k = {shown(k)} of {len(q)} keys: every key is found. Ask for fewer.")
    near = _directions(q, "query", centred=centred) @ _directions(key, "key", centred=centred).T
    own = np.diagonal(near)[:, None]
    tie = np.abs(near - own) <= 1e-12
    ranks = 1.0 + ((near > own) & ~tie).sum(axis=1) + 0.5 * (tie.sum(axis=1) - 1)
    hits = (ranks <= k).astype(np.float64)
    found = wilson(hits[:, None], confidence_level=confidence_level, null=k / len(q))
    ranks.setflags(write=False)
    return Retrieval(
        accuracy=float(hits.mean()),
        conf_low=float(found.conf_low[0]),
        conf_high=float(found.conf_high[0]),
        chance=k / len(q),
        p_value=float(found.p_value[0]),
        mean_reciprocal_rank=float(np.mean(1.0 / ranks)),
        median_rank=float(np.median(ranks)),
        k=k,
        n=len(q),
        ranks=ranks,
    )


def _one(given: Any, what: str) -> Array:
    if isinstance(given, States):
        if given.shape[1] != 1 or not given.has.all():
            raise DataError(
                f"retrieval: {what} are {given!r}; one state a unit is needed. Take one step, states.take(steps=[0]), "
                "or the mean, states.mean(), and units that have one."
            )
        given = given.values[:, 0]
    return matrix(given, f"retrieval: {what}", least=2)


def _directions(x: Array, what: str, *, centred: bool) -> Array:
    moved = x - x.mean(axis=0) if centred else x
    norms = np.linalg.norm(moved, axis=1)
    empty = norms <= 1e-12 * np.linalg.norm(x, axis=1)
    if empty.any():
        why = "it is the mean of all" if centred else "it is 0"
        raise DataError(
            f"retrieval: the {what} of unit {int(np.argmax(empty))} has no direction: {why}. Drop the unit."
        )
    found: Array = moved / norms[:, None]
    return found
