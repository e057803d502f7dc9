"""Random states that look like given ones: what a probe reads from them, it reads from nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._seed import seed_from
from ._states import States, states_from


def random_like(states: Any, rng: int | np.random.Generator | None = None) -> States:
    """Return random states with the means, covariances and norms of `states`, and nothing of the units.

    Every row is drawn from the normal distribution with the mean and the covariance of the units at that step (and the
    covariance between steps). Then the shortest row is given the smallest norm of `states` at that step, the next one
    the next, and so on: the norms are those of `states`, of other units.

    Parameters
    ----------
    states
        `States`, or an array ``(n, steps, hidden)`` or ``(n, hidden)``.
    rng
        Seed or generator; the same gives the same numbers.

    Returns
    -------
    States
        Of the same shape and lengths, called "random".

    Raises
    ------
    DataError
        If the states are no such array.

    Examples
    --------
    >>> states = np.random.default_rng(0).normal(size=(40, 2, 5)) + 3
    >>> found = random_like(states, rng=0)
    >>> same = np.sort(np.linalg.norm(states, axis=2), axis=0), np.sort(np.linalg.norm(found, axis=2), axis=0)
    >>> bool(np.allclose(*same))
    True
    """
    given = states_from(states, "random_like: states")
    random = np.random.default_rng(np.random.SeedSequence((seed_from(rng), 13)))
    n, steps, _ = given.shape
    mixing = random.normal(size=(n, n))
    out = np.full(given.shape, np.nan)
    for step in range(steps):
        units = np.flatnonzero(given.has[:, step])
        if not len(units):
            continue
        x = np.asarray(given.values[units, step], dtype=np.float64)
        mean = x.mean(axis=0)
        drawn = mean + mixing[np.ix_(units, units)] @ (x - mean) / np.sqrt(max(1, len(units) - 1))
        own = np.linalg.norm(drawn, axis=1)
        norms = np.empty(len(units))
        norms[np.argsort(own)] = np.sort(np.linalg.norm(x, axis=1))
        out[units, step] = drawn * (norms / np.where(own > 0, own, 1.0))[:, None]
    return States(out.astype(given.dtype), given.lengths, "random")
