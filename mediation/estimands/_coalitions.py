"""Several mediators as players of a game: which sets of them to patch together, and which contrasts of their effects.

The worth v(S) of a coalition S of players 0 .. k - 1 is the effect of patching the sites of S together, and v of the
empty set is 0. Every quantity here is a weighted sum of worths, so per unit it is a contrast of potential outcomes.

    joint            v(N)
    non-additivity   v(N) - sum_i v({i})
    alone            v({i}): i is added to nothing (also "add-one-in", "first in")
    leave-one-out    v(N) - v(N - i): i is added to all others (also "last in")
    Shapley          mean over all orders of v(before i, and i) - v(before i)  (Shapley 1953)
    pair             v({i, j}) - v({i}) - v({j})
    pair in context  Shapley interaction index: the same difference in differences, given each set of other players,
                     averaged (Grabisch & Roubens 1999)

With many players the mean over orders is taken over a sample of them (Castro, Gomez & Tejada 2009), each with its
reverse (antithetic: Mitchell, Cooper, Frank & Holmes 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import final

import numpy as np
from numpy.typing import NDArray

Coalition = tuple[int, ...]
Array = NDArray[np.float64]
Orders = NDArray[np.intp]


@final
@dataclass(frozen=True, slots=True)
class CoalitionContrast:
    """A weighted sum of worths.

    Parameters
    ----------
    key
        Key in the `estimand` column.
    players
        Whom it is about: all players, one, or the two of a pair.
    weights
        Weight of the worth of each coalition; the empty one is left out, since it is worth 0.
    """

    key: str
    players: Coalition
    weights: Mapping[Coalition, float]


def all_coalitions(k: int) -> list[Coalition]:
    """Return all coalitions of `k` players but the empty one, small ones first.

    Examples
    --------
    >>> all_coalitions(2)
    [(0,), (1,), (0, 1)]
    """
    return [coalition for size in range(1, k + 1) for coalition in combinations(range(k), size)]


def needed_coalitions(k: int, orders: Orders | None, *, pairwise: bool) -> list[Coalition]:
    """Return the coalitions whose worth is needed: all of them, or those that `orders` and the other rows ask for.

    Parameters
    ----------
    k
        Number of players.
    orders
        Sampled orders of the players, (n_orders, k); None when Shapley effects are exact.
    pairwise
        Whether every pair is asked for.

    Examples
    --------
    >>> needed_coalitions(3, np.array([[0, 1, 2]]), pairwise=False)
    [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    >>> len(needed_coalitions(4, np.array([[0, 1, 2, 3], [3, 2, 1, 0]]), pairwise=False))
    11
    """
    if orders is None:
        return all_coalitions(k)
    found = {*combinations(range(k), 1), *combinations(range(k), k - 1), tuple(range(k))}
    found |= set(combinations(range(k), 2)) if pairwise else set()
    found |= {tuple(sorted(order[:size])) for order in orders.tolist() for size in range(1, k + 1)}
    return sorted(found, key=lambda coalition: (len(coalition), coalition))


def most_coalitions(k: int, n_orders: int | None, *, pairwise: bool) -> int:
    """Return an upper bound of the number of coalitions, without making them; `n_orders` None: all.

    Examples
    --------
    >>> most_coalitions(10, None, pairwise=True), most_coalitions(10, 64, pairwise=True)
    (1023, 431)
    """
    if n_orders is None:
        return (1 << k) - 1
    sizes = [min(comb(k, size), k if size in (1, k - 1) else n_orders) for size in range(1, k + 1)]
    if pairwise and k > 2:
        sizes[1] = comb(k, 2)
    return sum(sizes)


def contrasts(k: int, *, exact: bool, pairwise: bool) -> list[CoalitionContrast]:
    """Return the contrasts of a game of `k` players: of all, then player by player, then pair by pair.

    Without `exact` those that need all coalitions (Shapley effects, pairs in context) are left out.

    Examples
    --------
    >>> [(one.key, one.players) for one in contrasts(2, exact=True, pairwise=False)][:4]
    [('joint', (0, 1)), ('non_additivity', (0, 1)), ('alone', (0,)), ('shapley', (0,))]
    >>> contrasts(2, exact=True, pairwise=False)[3].weights
    {(0,): 0.5, (0, 1): 0.5, (1,): -0.5}
    """
    everyone = tuple(range(k))
    found = [
        CoalitionContrast("joint", everyone, {everyone: 1.0}),
        CoalitionContrast("non_additivity", everyone, {everyone: 1.0, **{(i,): -1.0 for i in everyone}}),
    ]
    for i in everyone:
        found.append(CoalitionContrast("alone", (i,), {(i,): 1.0}))
        if exact:
            found.append(CoalitionContrast("shapley", (i,), shapley_weights(i, k)))
        rest = tuple(j for j in everyone if j != i)
        found.append(CoalitionContrast("leave_one_out", (i,), {everyone: 1.0, rest: -1.0}))
    if pairwise:
        pairs = list(combinations(everyone, 2))
        found += [CoalitionContrast("pair_interaction", (i, j), _pair(i, j)) for i, j in pairs]
        if exact and k > 2:  # with two players both are the same
            found += [CoalitionContrast("shapley_interaction", pair, interaction_weights(*pair, k)) for pair in pairs]
    return found


def shapley_weights(i: int, k: int) -> dict[Coalition, float]:
    """Return the weight of each worth in the Shapley effect of player `i`: s! (k - s - 1)! / k! for s others before.

    Examples
    --------
    >>> shapley_weights(0, 2)
    {(0,): 0.5, (0, 1): 0.5, (1,): -0.5}
    """
    others = [j for j in range(k) if j != i]
    weights: dict[Coalition, float] = {}
    for size in range(k):
        share = 1.0 / (k * comb(k - 1, size))
        for before in combinations(others, size):
            weights[tuple(sorted((*before, i)))] = share
            if before:
                weights[before] = -share
    return weights


def interaction_weights(i: int, j: int, k: int) -> dict[Coalition, float]:
    """Return the weights of the Shapley interaction index of `i` and `j`: s! (k - s - 2)! / (k - 1)! for s others.

    Examples
    --------
    >>> interaction_weights(0, 1, 2)
    {(0, 1): 1.0, (0,): -1.0, (1,): -1.0}
    """
    others = [one for one in range(k) if one not in (i, j)]
    weights: dict[Coalition, float] = {}
    for size in range(k - 1):
        share = 1.0 / ((k - 1) * comb(k - 2, size))
        for given in combinations(others, size):
            for more, sign in (((i, j), 1.0), ((i,), -1.0), ((j,), -1.0), ((), 1.0)):
                coalition = tuple(sorted((*given, *more)))
                if coalition:
                    weights[coalition] = sign * share
    return weights


def _pair(i: int, j: int) -> dict[Coalition, float]:
    return {(i, j): 1.0, (i,): -1.0, (j,): -1.0}


def apply_contrasts(found: Sequence[CoalitionContrast], worths: Array, coalitions: Sequence[Coalition]) -> Array:
    """Return the contrasts unit by unit, (n, rows), from the worths of `coalitions`, (n, coalitions)."""
    index = {coalition: column for column, coalition in enumerate(coalitions)}
    matrix = np.zeros((len(coalitions), len(found)))
    for row, one in enumerate(found):
        for coalition, weight in one.weights.items():
            matrix[index[coalition], row] = weight
    return np.asarray(worths @ matrix)


def sampled_orders(k: int, n_orders: int, rng: np.random.Generator) -> Orders:
    """Return `n_orders` random orders of `k` players, (n_orders, k); each odd row is the reverse of the row before.

    Examples
    --------
    >>> orders = sampled_orders(4, 6, np.random.default_rng(0))
    >>> orders.shape, bool((orders[1::2] == orders[::2, ::-1]).all())
    ((6, 4), True)
    """
    first = rng.permuted(np.tile(np.arange(k), (n_orders // 2, 1)), axis=1)
    return np.stack([first, first[:, ::-1]], axis=1).reshape(-1, k)


def order_contributions(orders: Orders, worths: Array, coalitions: Sequence[Coalition]) -> Array:
    """Return what each player adds in each pair of an order and its reverse, (n, n_orders / 2, k).

    Over the players these sum to v(N) in every order, since what is added telescopes.

    Parameters
    ----------
    orders
        From `sampled_orders`, (n_orders, k).
    worths
        Worth of each coalition, unit by unit, (n, coalitions).
    coalitions
        Which coalition each column is.

    Examples
    --------
    >>> orders, worths = np.array([[0, 1], [1, 0]]), np.array([[1.0, 2.0, 7.0]])
    >>> order_contributions(orders, worths, [(0,), (1,), (0, 1)])
    array([[[3., 4.]]])
    """
    index = {coalition: column for column, coalition in enumerate(coalitions)}
    n, k = len(worths), orders.shape[1]
    added = np.empty((n, len(orders), k))
    for row, order in enumerate(orders.tolist()):
        columns = [index[before] for before in _before(order)]
        added[:, row, order] = np.diff(worths[:, columns], axis=1, prepend=0.0)
    return np.asarray(added.reshape(n, -1, 2, k).mean(axis=2))


def _before(order: Iterable[int]) -> list[Coalition]:
    """Return the growing coalitions of one order, without the empty one."""
    present: list[int] = []
    grown = []
    for player in order:
        present.append(player)
        grown.append(tuple(sorted(present)))
    return grown
