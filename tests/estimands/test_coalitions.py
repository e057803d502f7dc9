"""Contrasts of coalitions against their definitions over all orders, and against games whose values are known."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest

from mediation.estimands._coalitions import (
    all_coalitions,
    apply_contrasts,
    contrasts,
    most_coalitions,
    needed_coalitions,
    order_contributions,
    sampled_orders,
)


def worth_of(worths, coalitions):
    """Return v as a function of a set, of one unit."""
    table = {frozenset(coalition): value for coalition, value in zip(coalitions, worths, strict=True)}
    return lambda players: table[frozenset(players)] if players else 0.0


def naive_shapley(v, k):
    """Return the mean over all k! orders of what each player adds (Shapley 1953)."""
    found = np.zeros(k)
    for order in permutations(range(k)):
        for place, player in enumerate(order):
            found[player] += v(order[: place + 1]) - v(order[:place])
    return found / factorial(k)


def naive_interaction(v, i, j, k):
    """Return the mean difference in differences, given who stands before the pair, joined as one player."""
    others = [one for one in range(k) if one not in (i, j)]
    found = []
    for order in permutations(["pair", *others]):
        given = order[: order.index("pair")]
        found.append(v((*given, i, j)) - v((*given, i)) - v((*given, j)) + v(given))
    return np.mean(found)


def table_of(worths, k, **options):
    """Return {(key, players): values (n,)} of the contrasts of random or given worths."""
    coalitions = all_coalitions(k)
    found = contrasts(k, exact=True, pairwise=options.get("pairwise", True))
    values = apply_contrasts(found, worths, coalitions)
    return {(one.key, one.players): values[:, row] for row, one in enumerate(found)}


def game(k, v):
    return np.array([[float(v(frozenset(coalition))) for coalition in all_coalitions(k)]])


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_contrasts_are_their_definitions(k):
    worths = np.random.default_rng(k).normal(size=(2, 2**k - 1))
    found = table_of(worths, k)
    for unit in range(2):
        v = worth_of(worths[unit], all_coalitions(k))
        everyone = tuple(range(k))
        shapley = naive_shapley(v, k)
        assert found["joint", everyone][unit] == pytest.approx(v(everyone))
        total = sum(v((i,)) for i in everyone)
        assert found["non_additivity", everyone][unit] == pytest.approx(v(everyone) - total)
        for i in everyone:
            assert found["alone", (i,)][unit] == pytest.approx(v((i,)))
            assert found["shapley", (i,)][unit] == pytest.approx(shapley[i])
            assert found["leave_one_out", (i,)][unit] == pytest.approx(v(everyone) - v(set(everyone) - {i}))
        for i, j in combinations(everyone, 2):
            assert found["pair_interaction", (i, j)][unit] == pytest.approx(v((i, j)) - v((i,)) - v((j,)))
            if k > 2:
                assert found["shapley_interaction", (i, j)][unit] == pytest.approx(naive_interaction(v, i, j, k))


@pytest.mark.parametrize("k", [2, 5, 9])
def test_shapley_effects_sum_to_the_joint_one_unit_by_unit(k):
    worths = np.random.default_rng(0).normal(size=(7, 2**k - 1))
    found = table_of(worths, k, pairwise=False)
    total = sum(found["shapley", (i,)] for i in range(k))
    np.testing.assert_allclose(total, found["joint", tuple(range(k))])


def shapley(k, v):
    found = table_of(game(k, v), k)
    return [found["shapley", (i,)].item() for i in range(k)]


def test_glove_game():
    """Two left gloves and a right one; only a pair is worth something: 1/6, 1/6, 2/3."""
    v = lambda players: min(len(players & {0, 1}), len(players & {2}))  # noqa: E731
    assert shapley(3, v) == pytest.approx([1 / 6, 1 / 6, 2 / 3])


def test_airport_game():
    """The runway is as long as the largest plane needs; each stretch is shared by those who use it."""
    costs = [1.0, 2.0, 3.0, 5.0]
    found = shapley(4, lambda players: max((costs[i] for i in players), default=0.0))
    steps = np.diff(costs, prepend=0.0) / np.arange(4, 0, -1)
    assert found == pytest.approx(np.cumsum(steps))


def test_unanimity_voting_and_a_player_who_adds_nothing():
    assert shapley(4, lambda players: {0, 1} <= players) == pytest.approx([0.5, 0.5, 0, 0])
    weights = [2, 1, 1]  # more than 2 of 4 votes: 2/3, 1/6, 1/6
    assert shapley(3, lambda players: sum(weights[i] for i in players) > 2) == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_an_additive_game_has_no_interactions():
    found = table_of(game(5, lambda players: sum(i + 1 for i in players)), 5)
    for (key, players), values in found.items():
        if key in ("alone", "shapley", "leave_one_out"):
            assert values.item() == pytest.approx(players[0] + 1)
        elif key != "joint":
            assert values.item() == pytest.approx(0)


def test_three_way_and_has_no_pairs_but_pairs_in_context():
    found = table_of(game(3, lambda players: len(players) == 3), 3)
    for pair in combinations(range(3), 2):
        assert found["pair_interaction", pair].item() == pytest.approx(0)
        assert found["shapley_interaction", pair].item() == pytest.approx(0.5)  # 0 given nobody, 1 given the third
    assert found["non_additivity", (0, 1, 2)].item() == pytest.approx(1)


# ------------------------------------------------------------------------------------------------- sampled orders
@pytest.mark.parametrize("k", [3, 4, 5])
def test_all_orders_give_the_exact_shapley_effect(k):
    orders = np.array([one for order in permutations(range(k)) for one in (order, order[::-1])])
    worths = np.random.default_rng(k).normal(size=(3, 2**k - 1))
    added = order_contributions(orders, worths, all_coalitions(k))
    exact = table_of(worths, k)
    for i in range(k):
        np.testing.assert_allclose(added[:, :, i].mean(axis=1), exact["shapley", (i,)])


def test_every_order_shares_out_the_joint_effect():
    orders = sampled_orders(7, 10, np.random.default_rng(1))
    needed = needed_coalitions(7, orders, pairwise=False)
    worths = np.random.default_rng(2).normal(size=(4, len(needed)))
    added = order_contributions(orders, worths, needed)
    assert added.shape == (4, 5, 7)
    np.testing.assert_allclose(added.sum(axis=2), np.tile(worths[:, [-1]], 5))


def test_an_order_and_its_reverse_are_exact_for_pairs():
    """With interactions of pairs only, one antithetic pair has no error: each gets its own and half of its pairs."""
    rng = np.random.default_rng(3)
    own, pairs = rng.normal(size=6), np.triu(rng.normal(size=(6, 6)), 1)
    coalitions = all_coalitions(6)
    worths = np.array([[own[list(c)].sum() + pairs[np.ix_(c, c)].sum() for c in coalitions]])
    added = order_contributions(sampled_orders(6, 2, rng), worths, coalitions)
    np.testing.assert_allclose(added[0, 0], own + (pairs + pairs.T).sum(axis=1) / 2)


def test_orders_are_orders_and_uniform():
    orders = sampled_orders(3, 6000, np.random.default_rng(0))
    assert (np.sort(orders, axis=1) == np.arange(3)).all()
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts == pytest.approx(np.full(6, 1000), abs=130)  # sd 41 of a count, reverses count twice


@pytest.mark.parametrize("pairwise", [True, False])
@pytest.mark.parametrize("k", [2, 3, 6, 10])
def test_the_bound_of_the_number_of_coalitions_holds(k, pairwise):
    assert len(needed_coalitions(k, None, pairwise=pairwise)) == most_coalitions(k, None, pairwise=pairwise)
    for n_orders in (4, 20):
        orders = sampled_orders(k, n_orders, np.random.default_rng(k))
        needed = needed_coalitions(k, orders, pairwise=pairwise)
        assert len(needed) == len(set(needed)) <= most_coalitions(k, n_orders, pairwise=pairwise)
        exact = {c for one in contrasts(k, exact=False, pairwise=pairwise) for c in one.weights}
        assert exact <= set(needed)
