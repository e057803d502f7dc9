"""Random donors: each unit counts as the one that receives and as the one that gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def both_roles(values: Array, donors: NDArray[np.int64], weights: Array) -> Array:
    """Return one number a unit and group, (n, G), whose weighted mean is that of `values` over units and draws.

    With y_id the outcome of unit i in draw d, whose mediator came from unit j(i, d), the number of unit i is its own
    mean over draws plus, for every draw in which it gave, what that draw was apart from the receiver's mean:

        u_i = mean_d y_id + 1 / ((D - 1) w_i) * sum over (k, d) with j(k, d) = i of w_k (y_kd - mean_d y_kd)

    It is the linearisation of a U-statistic over pairs of units (Hoeffding 1948): the first term is the receiver's
    part, the second estimates the donor's. Means of units alone vary too little where some units are strong donors.

    Parameters
    ----------
    values
        Outcomes, (n, D, G).
    donors
        Row of the unit that gave, (n, D), the same for all groups; -1 where no other unit did.
    weights
        Weight of each unit, (n,).

    Notes
    -----
    With one draw the donor's part cannot be told from the receiver's, and means of units are returned: their interval
    holds if being a strong donor has nothing to do with being a strong receiver.

    Examples
    --------
    >>> values = np.array([[[0.0], [2.0]], [[1.0], [1.0]], [[3.0], [1.0]]])
    >>> found = both_roles(values, np.array([[1, 2], [2, 0], [0, 1]]), np.ones(3))
    >>> found.ravel(), values.mean()
    (array([ 2., -1.,  3.]), np.float64(1.3333333333333333))
    """
    mean: Array = values.mean(axis=1)
    n_draws = values.shape[1]
    if n_draws < 2 or (donors < 0).all():
        return mean
    given = np.zeros_like(mean)
    for draw in range(n_draws):
        there = donors[:, draw] >= 0
        apart = weights[there, None] * (values[there, draw] - mean[there])
        np.add.at(given, donors[there, draw], apart / (n_draws - 1))
    whole: Array = mean + given / weights[:, None]
    return whole
