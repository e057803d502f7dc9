"""Interactions of several mediators: closed forms, the naive path, and the intervals of single questions."""

from __future__ import annotations

import warnings
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.estimate import Game, tabulate_interactions
from mediation.inference import Inference, crossed_intervals, mean_intervals
from mediation.testing import CooperativeGame, Gate, ParallelMediators, first_output, tiny_model, tiny_tokenizer

QUICK = {"rng": 0, "n_resamples": 199, "progress": False, "checks": 0}
SIZES = torch.linspace(0.5, 2.0, 24)


def ask(model, pairs, sites, outcome=first_output, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.MediationWarning)
        return med.interactions(model, pairs, sites, outcome, **{**QUICK, **options})


def players(k: int) -> med.SiteSet:
    return med.SiteSet(tuple(med.Site(f"players.{i}") for i in range(k)))


def sized(k: int, *, sizes=SIZES, **labels) -> med.Pairs:
    """Units of unequal size, from no player to all of them."""
    size = sizes[:, None]
    base, source = torch.cat([torch.zeros(len(size), k), size], 1), torch.cat([torch.ones(len(size), k), size], 1)
    frame = pd.DataFrame(labels) if labels else None
    return med.Pairs(base=base, source=source, frame=frame, **{name: name for name in labels})


def values(effects: med.Effects, key: str) -> np.ndarray:
    table = effects.tidy()
    return table.loc[table["estimand"] == key, "estimate"].to_numpy()


def worths(effects: med.Effects) -> dict[str, np.ndarray]:
    """The effect of each set of sites, unit by unit."""
    units = effects.units
    worth = units["y01"] - units["y00"] if "y01" in units else units["y11"] - units["y10"]
    return {site: worth[units["site"] == site].to_numpy() for site in dict.fromkeys(units["site"])}


# ----------------------------------------------------------------------------------------------------- closed forms
@pytest.mark.parametrize(
    ("kind", "direction", "alone", "joint"),
    [
        ("and", "denoising", 0, 1),
        ("and", "noising", 1, 1),
        ("or", "denoising", 1, 1),
        ("or", "noising", 0, 1),
        ("xor", "denoising", 1, 0),
        ("xor", "noising", -1, 0),
    ],
)
def test_gates(kind, direction, alone, joint):
    pairs = med.Pairs(base=torch.zeros(3, 2), source=torch.ones(3, 2))
    found = ask(Gate(kind), pairs, med.Site("first") | med.Site("second"), direction=direction)
    assert values(found, "alone").tolist() == [alone, alone]
    assert values(found, "joint").tolist() == [joint]
    assert values(found, "leave_one_out").tolist() == [joint - alone] * 2
    assert values(found, "shapley").tolist() == [joint / 2] * 2
    assert values(found, "pair_interaction").tolist() == values(found, "non_additivity").tolist() == [joint - 2 * alone]


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_a_three_way_and_with_units_of_unequal_size(direction):
    gate = CooperativeGame(3, lambda players: float(len(players) == 3))
    found = ask(gate, sized(3), players(3), direction=direction)
    mean = float(SIZES.mean())
    nothing, all_of_it = ("alone", "leave_one_out") if direction == "denoising" else ("leave_one_out", "alone")
    assert values(found, nothing).tolist() == [0, 0, 0]
    np.testing.assert_allclose(values(found, all_of_it), mean, rtol=1e-6)
    np.testing.assert_allclose(values(found, "shapley"), mean / 3, rtol=1e-6)
    np.testing.assert_allclose(
        values(found, "shapley_interaction"), mean / 2 * (1 if nothing == "alone" else -1), rtol=1e-6
    )


def test_when_sites_carry_everything_noising_is_the_dual_game():
    rng = np.random.default_rng(1)
    table = {frozenset(): 0.0}
    game = CooperativeGame(4, lambda players: table.setdefault(players, float(rng.normal())))
    one, other = (ask(game, sized(4), players(4), direction=direction) for direction in ("denoising", "noising"))
    np.testing.assert_allclose(values(one, "alone"), values(other, "leave_one_out"), atol=1e-5)
    np.testing.assert_allclose(values(one, "leave_one_out"), values(other, "alone"), atol=1e-5)
    np.testing.assert_allclose(values(one, "shapley"), values(other, "shapley"), atol=1e-5)
    assert np.abs(values(one, "pair_interaction") - values(other, "pair_interaction")).min() > 0.01


def test_additive_sites_have_no_interaction_and_no_warning_of_one():
    x = torch.linspace(-1, 1, 20)[:, None]
    pairs, model = (
        med.Pairs(base=x, source=x + 1 + x**2),
        ParallelMediators(gains=(1.0, -2.0, 0.5), weights=(3.0, 4.0, 1.0)),
    )
    sites = med.SiteSet(tuple(med.Site(path) for path in model.sites))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = med.interactions(model, pairs, sites, first_output, **QUICK)
    assert {one.category for one in caught} == {med.errors.DegenerateWarning}
    np.testing.assert_allclose(values(found, "shapley"), values(found, "alone"), rtol=1e-5)
    table = found.tidy().set_index("estimand")
    for key in ("non_additivity", "pair_interaction", "shapley_interaction"):
        rows = table.loc[[key]]
        assert (rows["estimate"] == 0).all()
        assert (rows["method"] == "degenerate").all()
        assert rows[["conf_low", "conf_high", "std_error", "p_value", "p_adjusted"]].isna().all(axis=None)


def test_effects_that_do_not_add_up_are_warned_of_with_their_numbers_at_the_users_line():
    gate = CooperativeGame(2, lambda players: float(len(players) == 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = med.interactions(gate, sized(2), players(2), first_output, **QUICK)
    (told,) = [one for one in caught if one.category is med.errors.InteractionWarning]
    assert told.filename == __file__
    row = found.tidy().set_index("estimand").loc["non_additivity"]
    assert "2 sites alone sum to 0.000" in str(told.message)
    assert f"joint effect is {row['estimate']:.3f}" in str(told.message)
    assert f"interval {row['conf_low']:.3f} to {row['conf_high']:.3f}" in str(told.message)


# ---------------------------------------------------------------------------------------- intervals of single questions
@pytest.fixture(scope="module")
def mixed() -> CooperativeGame:
    rng = np.random.default_rng(4)
    table = {frozenset(): 0.0}
    return CooperativeGame(4, lambda players: table.setdefault(players, float(rng.normal(len(players)))))


@pytest.fixture(scope="module")
def labelled() -> med.Pairs:
    rng = np.random.default_rng(2)
    return sized(
        4,
        sizes=torch.tensor(rng.gamma(2.0, size=24), dtype=torch.float32),
        cluster=[f"c{i % 8}" for i in range(24)],
        weight=rng.uniform(0.5, 2.0, size=24),
    )


@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_joint_and_alone_are_indirect_effects_with_the_intervals_of_mediate(mixed, labelled, method):
    sites, numbers = players(4), ["estimate", "std_error", "conf_low", "conf_high", "p_value", "n", "n_clusters"]
    for direction, key in (("denoising", "pnie"), ("noising", "tnie")):
        table = ask(mixed, labelled, sites, direction=direction, method=method).tidy()
        for mediator, row in ((sites.jointly(), "joint"), (sites, "alone")):
            effects = med.mediate(mixed, labelled, mediator, first_output, estimands=key, method=method, **QUICK).tidy()
            mine = table[table["estimand"] == row].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine[[*numbers, "site"]], effects[[*numbers, "site"]], rtol=1e-10)
            if row == "alone":
                np.testing.assert_allclose(mine["p_adjusted"], effects["p_adjusted"])


def test_every_row_is_the_mean_of_a_contrast_of_the_units(mixed, labelled):
    found = ask(mixed, labelled, players(4))
    worth, names = worths(found), [f"players.{i}" for i in range(4)]

    def v(chosen):
        return worth[" & ".join(name for name in names if name in chosen)] if chosen else np.zeros(24)

    expected = {("joint", " & ".join(names), ""): v(names)}
    expected["non_additivity", " & ".join(names), ""] = v(names) - sum(v([name]) for name in names)
    for name in names:
        expected["leave_one_out", name, ""] = v(names) - v([one for one in names if one != name])
        orders = list(permutations(names))
        added = [v(order[: order.index(name) + 1]) - v(order[: order.index(name)]) for order in orders]
        expected["shapley", name, ""] = sum(added) / factorial(4)
        for other in names[names.index(name) + 1 :]:
            expected["pair_interaction", name, other] = v([name, other]) - v([name]) - v([other])
    keys = list(expected)
    intervals = mean_intervals(
        np.stack([expected[key] for key in keys], axis=1),
        clusters=labelled.cluster,
        weights=labelled.weight,
        settings=Inference(n_resamples=199, seed=0),
    )
    table = found.tidy().set_index(["estimand", "site", "partner"]).loc[keys]
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(table[name], getattr(intervals, name), rtol=1e-6, atol=1e-9)
    assert (table["n_draws"] == 1).all()
    assert (table["n_clusters"] == 8).all()


def test_p_values_are_adjusted_within_an_estimand():
    rng = np.random.default_rng(0)
    table = {frozenset(): 0.0}
    game = CooperativeGame(3, lambda players: table.setdefault(players, float(rng.normal())))
    sizes = torch.tensor(rng.normal(0.4, 1.0, size=24), dtype=torch.float32)
    found = ask(game, sized(3, sizes=sizes), players(3)).tidy()
    single = found["estimand"].isin(["joint", "non_additivity"])
    assert (found.loc[single, "p_adjusted"] == found.loc[single, "p_value"]).all()
    assert (found["p_adjusted"] >= found["p_value"]).all()


# --------------------------------------------------------------------------------------------------- sampled orders
def test_sampled_shapley_effects_are_those_of_their_orders_with_intervals_over_both(mixed, labelled):
    found = ask(mixed, labelled, players(4), exact_up_to=3, n_orders=12)
    orders = np.array(found.provenance["interactions"]["orders"])
    assert orders.shape == (12, 4)
    worth = worths(found)
    added = np.zeros((24, 12, 4))
    for row, order in enumerate(orders):
        before = np.zeros(24)
        for place, player in enumerate(order):
            after = worth[" & ".join(f"players.{i}" for i in sorted(order[: place + 1]))]
            added[:, row, player], before = after - before, after
    pairs = (added[:, ::2] + added[:, 1::2]) / 2
    expected = crossed_intervals(pairs, clusters=labelled.cluster, weights=labelled.weight)
    table = found.tidy()
    rows = table[table["estimand"] == "shapley"]
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(rows[name], getattr(expected, name), rtol=1e-9)
    assert (rows["method"] == "two-way t (clusters x draws)").all()
    assert (rows["n_draws"] == 12).all()
    assert (rows["p_adjusted"] >= rows["p_value"]).all()
    np.testing.assert_allclose(rows["estimate"].sum(), values(found, "joint")[0], rtol=1e-9)
    exact = ask(mixed, labelled, players(4)).tidy()
    assert set(exact["estimand"]) - set(table["estimand"]) == {"shapley_interaction"}
    same = table[table["estimand"] != "shapley"].merge(exact, on=["estimand", "site", "partner"])
    assert len(same) == 16
    np.testing.assert_allclose(same["conf_low_x"], same["conf_low_y"], rtol=1e-9)


def test_only_the_sets_that_are_needed_are_run():
    game = CooperativeGame(5, lambda players: float(len(players)))
    found = ask(game, sized(5), players(5), exact_up_to=2, n_orders=4, pairwise=False)
    orders = found.provenance["interactions"]["orders"]
    needed = {frozenset(order[:size]) for order in orders for size in range(1, 6)}
    needed |= {frozenset([i]) for i in range(5)} | {frozenset(range(5)) - {i} for i in range(5)}
    assert found.provenance["interactions"]["coalitions"] == found.units["site"].nunique() == len(needed) < 31
    assert found.provenance["plan"]["worlds"] == len(needed) + 1
    assert "pair_interaction" not in set(found.tidy()["estimand"])
    everything = ask(game, sized(5), players(5))
    assert everything.provenance["plan"]["worlds"] == 2**5


# -------------------------------------------------------------------------------------------------------- transformers
@pytest.fixture(scope="module")
def llama() -> med.Model:
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


@pytest.fixture(scope="module")
def capitals() -> med.Pairs:
    places = ["France", "Italy", "Germany", "Spain"]
    texts = [f"The capital of {place} is the city" for place in places]
    return med.Pairs(base=texts, source=texts[1:] + texts[:1])


ANSWER = med.LogitDiff(" Paris", " Rome")


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_the_naive_path_gives_the_same(llama, capitals, direction):
    sites = med.residual(0, at=3) | med.attention(1, head=1, at="last") | med.mlp(2, at="last")
    fast = ask(llama, capitals, sites, ANSWER, direction=direction)
    slow = ask(llama, capitals, sites, ANSWER, direction=direction, backend="reference")
    columns = [name for name in fast.units if name.startswith("y")]
    assert columns == (["y00", "y01"] if direction == "denoising" else ["y11", "y10"])
    assert np.abs(fast.units[columns] - slow.units[columns]).max(axis=None) < 1e-5
    assert fast.units[columns[0]].nunique() > 3
    np.testing.assert_allclose(fast.tidy()["estimate"], slow.tidy()["estimate"], atol=1e-5)


def test_a_site_that_is_overwritten_downstream_is_redundant(llama, capitals):
    found = ask(llama, capitals, med.residual(0) | med.residual(1), ANSWER)
    worth = worths(found)
    earlier, later, both = worth["residual[0]"], worth["residual[1]"], worth["residual[0] & residual[1]"]
    assert np.abs(earlier).max() > 1e-3
    np.testing.assert_allclose(both, later, atol=1e-6)
    table = found.tidy().set_index(["estimand", "site"])["estimate"]
    np.testing.assert_allclose(table["pair_interaction", "residual[0]"], -earlier.mean(), atol=1e-6)
    assert table["leave_one_out", "residual[0]"] == 0


def test_named_mediators_may_be_several_sites_each(llama, capitals):
    early, late = med.mlp(0) | med.attention(0), med.mlp(2)
    found = ask(llama, capitals, {"early": early, "late": late}, ANSWER)
    assert list(dict.fromkeys(found.units["site"])) == ["early", "late", "early & late"]
    for mediator, site in ((early.jointly(), "early"), ((early | late).jointly(), "early & late")):
        effects = med.mediate(llama, capitals, mediator, ANSWER, estimands="pnie", **QUICK)
        worth = effects.units["y01"] - effects.units["y00"]
        np.testing.assert_allclose(worths(found)[site], worth, atol=1e-6)
    joint = ask(llama, capitals, {"early": early.jointly(), "late": late}, ANSWER)
    assert joint == found


def test_sites_that_are_not_spelled_out_are_expanded(llama, capitals):
    found = ask(llama, capitals, med.mlp(at="last"), ANSWER, n_resamples=99)
    assert found.provenance["interactions"]["sites"] == ["mlp[0]@last", "mlp[1]@last", "mlp[2]@last"]


# -------------------------------------------------------------------------------------------------------------- laws
def test_the_order_of_sites_does_not_matter(mixed, labelled):
    one, other = (ask(mixed, labelled, sites) for sites in (players(4), med.SiteSet(players(4).sites[::-1])))
    key = ["estimand", "site"]
    of_a_site = "estimand in ['alone', 'shapley', 'leave_one_out']"
    tables = [effects.tidy().query(of_a_site).set_index(key).sort_index() for effects in (one, other)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"exact_up_to": 0, "n_orders": 8}], ids=["exact", "sampled"])
def test_the_table_can_be_made_again_from_what_is_saved(mixed, labelled, options, tmp_path):
    found = ask(mixed, labelled, players(4), **options)
    kept = med.read(found.save(tmp_path / "x"))
    assert kept == found
    known = kept.provenance["interactions"]
    orders = None if known["orders"] is None else np.array(known["orders"])
    game = Game(players=tuple(known["sites"]), direction=known["direction"], orders=orders, pairwise=known["pairwise"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.MediationWarning)
        again = tabulate_interactions(kept.units, game, Inference(n_resamples=199, seed=0))
    pd.testing.assert_frame_equal(again[list(found.tidy().columns)], found.tidy(), check_dtype=False)


def test_the_same_seed_gives_the_same_orders_and_numbers(mixed, labelled):
    options = {"exact_up_to": 0, "n_orders": 6}
    one, again, other = (ask(mixed, labelled, players(4), rng=seed, **options) for seed in (3, 3, 4))
    assert one == again
    assert one.provenance["interactions"]["orders"] != other.provenance["interactions"]["orders"]
