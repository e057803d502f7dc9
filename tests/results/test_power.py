from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestPower

from mediation import power
from mediation.errors import DataError, DesignError
from mediation.estimands import NaturalIndirectEffect
from mediation.inference.power._power import equivalence_power
from mediation.results import Power
from tests.results.equivalences import arms, exact, made, sweep, units


def pilot(mean=0.3, sd=1.0, n=50, **columns):
    y00 = np.random.default_rng(0).normal(size=n)
    return made(pd.DataFrame({"y00": y00, "y01": y00 + exact(mean, sd, n, 1), **columns}))


def flips(up=12, down=6, n=100):
    changed = np.repeat([1.0, -1.0, 0.0], [up, down, n - up - down])
    return made(pd.DataFrame({"y00": (changed < 0).astype(float), "y01": (changed > 0).astype(float)}))


def test_the_needed_number_and_the_detectable_effect_are_those_of_statsmodels():
    found = power(pilot())
    exact_n = TTestPower().solve_power(effect_size=0.3, alpha=0.05, power=0.8)
    assert found.n_needed == np.ceil(exact_n)
    assert found.detectable_effect == pytest.approx(TTestPower().solve_power(nobs=50, alpha=0.05, power=0.8), rel=1e-4)
    assert found.n_for_margin is None
    curve = found.tidy().set_index("n")
    assert curve.loc[50, "power"] == pytest.approx(TTestPower().power(0.3, 50, 0.05), abs=1e-9)
    assert curve.loc[found.n_needed, "power"] >= 0.8
    assert curve["equivalence_power"].isna().all()


def test_the_margin_has_the_power_of_two_one_sided_tests():
    found = power(pilot(), margin=0.4, power=0.9)
    n = found.n_for_margin
    assert equivalence_power(0.4, 1 / np.sqrt(n), n) >= 0.9 > equivalence_power(0.4, 1 / np.sqrt(n - 1), n - 1)
    assert equivalence_power(found.smallest_margin, 1 / np.sqrt(50), 50) == pytest.approx(0.9, abs=1e-6)
    curve = found.tidy().set_index("n")
    assert curve.loc[n, "equivalence_power"] == pytest.approx(float(equivalence_power(0.4, 1 / np.sqrt(n), n)))


def test_the_curve_rises_in_power_and_falls_in_what_is_detected():
    curve = power(pilot(), margin=0.3).tidy()
    assert (curve.diff()[["power", "equivalence_power"]].dropna() > 0).all(axis=None)
    assert (curve.diff()[["detectable_effect", "smallest_margin"]].dropna() < 0).all(axis=None)
    assert {50}.issubset(set(curve["n"]))
    assert len(curve) >= 20


def test_numbers_of_units_can_be_asked_for():
    assert power(pilot(), n=200).tidy()["n"].tolist() == [50, 200]
    assert power(pilot(), n=[20, 80]).tidy()["n"].tolist() == [20, 50, 80]


def test_clusters_keep_their_design_effect():
    columns = {"cluster": np.repeat(np.arange(10), 5)}
    y00 = np.zeros(50)
    between = exact(0.3, 1.0, 10, 2)
    result = made(pd.DataFrame({"y00": y00, "y01": np.repeat(between, 5) + exact(0.0, 1e-3, 50, 3), **columns}))
    found = power(result)
    # units of a cluster are alike, so it is the clusters that count
    needed = TTestPower().solve_power(effect_size=0.3, alpha=0.05, power=0.8)
    assert found.clusters_needed == pytest.approx(needed, abs=1.5)
    assert found.n_needed == 5 * found.clusters_needed
    assert power(result, n=103).tidy()["n_clusters"].tolist() == [10, 20]
    assert "(90 clusters)" in " ".join(found.summary().as_text().split())


def test_a_larger_effect_or_a_smaller_power_needs_fewer_units():
    small, large = (power(pilot(), effect=effect).n_needed for effect in (0.2, 0.6))
    assert large < small
    assert power(pilot(), effect=-0.2).n_needed == small
    assert power(pilot(), effect=0.2, power=0.5).n_needed < small
    assert power(pilot(), effect=0.2, alpha=0.01).n_needed > small


def test_the_upper_limit_of_the_standard_deviation_needs_more():
    usual, upper = power(pilot(n=20), effect=0.5), power(pilot(n=20), effect=0.5, sd="upper")
    assert upper.n_needed > usual.n_needed
    assert upper.detectable_effect == pytest.approx(upper.plan.widening * usual.detectable_effect)
    assert "upper 80% confidence limit" in upper.summary().as_text()


def test_flips_are_enumerated():
    found = power(flips(), effect=0.08, margin=0.1, simulate=2000)
    assert "enumeration" in found.method
    for what, one in found.simulated:
        formula = found._formula(what, one.n_clusters)
        assert one.low - 0.01 < formula < one.high + 0.04  # bootstrap-t is never narrower than t
    # with so few flips the t formula would promise more
    few = power(flips(up=2, down=1, n=40), effect=0.05)
    sd = few.plan.pilot.std_error * np.sqrt(40)
    assert few.tidy().set_index("n").loc[40, "power"] < TTestPower().power(0.05 / sd, 40, 0.05)


def test_the_simulation_agrees_with_the_formula_for_a_normal_pilot_and_is_repeatable():
    found = power(pilot(n=60), effect=0.4, margin=0.5, simulate=600, rng=3)
    assert {what for what, _ in found.simulated} == {"effect", "margin"}
    for what, one in found.simulated:
        formula = found._formula(what, one.n_clusters)
        assert one.power == pytest.approx(formula, abs=0.07)
    assert found.simulated == power(pilot(n=60), effect=0.4, margin=0.5, simulate=600, rng=3).simulated
    assert "simulated" in [field.header for field in found.summary().fields]


def test_a_skewed_pilot_is_told_that_the_formula_promises_too_much():
    y00 = np.zeros(24)
    skewed = -np.random.default_rng(4).exponential(1.0, 24)
    result = made(pd.DataFrame({"y00": y00, "y01": skewed}))
    found = power(result, effect=0.6, simulate=800)
    assert any(one.high < found._formula(what, one.n_clusters) for what, one in found.simulated)
    assert "promises too much" in found.summary().as_text()


def test_a_site_of_a_sweep_is_named_and_warned_of():
    found = power(sweep(), site="mlp(3)", margin=0.2)
    assert found.where == "mlp(3)"
    assert "winner's curse" in found.summary().as_text()
    assert "winner's curse" not in power(sweep(), site="mlp(3)", effect=0.2).summary().as_text()
    with pytest.raises(DesignError, match="say which one by site"):
        power(sweep())


def test_an_arm_of_an_ablation_is_named():
    found = power(arms(), estimand="ablation", arm="Zero()", effect=0.1)
    assert found.where == "Zero()"
    assert found.plan.pilot.mean == pytest.approx(0.6)


def test_an_estimand_may_be_given_as_an_object():
    assert power(pilot(), estimand=NaturalIndirectEffect("pure")).n_needed == power(pilot()).n_needed


def test_what_is_told_in_words():
    found = power(pilot(), effect=0.3, margin=0.4)
    assert repr(found) == (
        "<Power: PNIE of 0.30 needs 90 units for power 0.8; the pilot's 50 units detect 0.40, or show a margin of 0.47>"
    )
    text = found.summary().as_text()
    assert "To tell an effect of 0.30 from 0 with power 0.8 takes 90 units." in text
    assert "To show that an effect of 0 lies within ±0.4 with power 0.8 takes 68 units." in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "the pilot's own estimate," in power(pilot()).summary().as_text()
    assert "<table>" in found._repr_html_()


def test_more_units_than_can_be_counted_are_not_numbered():
    found = power(pilot(), effect=1e-6)
    assert found.n_needed is None
    assert "more than 10 million units" in repr(found)


def test_a_power_cannot_be_changed():
    found = power(pilot())
    assert isinstance(found, Power)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.estimand = "te"
    table = found.tidy()
    table.loc[0, "power"] = 2.0
    assert (found.tidy()["power"] <= 1.0).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"estimand": "pnei"}, "Closest: 'pnie'"),
        ({"estimand": "pm"}, "is a ratio"),
        ({"margin": 0.0}, "margin = 0.0; a positive number"),
        ({"margin": -1.0}, "margin = -1.0; a positive number"),
        ({"effect": np.nan}, "effect = nan"),
        ({"effect": 0.0}, "effect = 0"),
        ({"power": 0.05}, "power = 0.05; a number between alpha = 0.05 and 1"),
        ({"power": 1.0}, "power = 1.0"),
        ({"alpha": 1.0}, "alpha = 1.0"),
        ({"sd": "largest"}, "sd = 'largest'"),
        ({"n": 1}, "n = 1; whole numbers of at least 2 units"),
        ({"n": [20, 2.5]}, "n = 2.5"),
        ({"simulate": -1}, "simulate = -1"),
        ({"site": "mlp"}, "No row of 'pnie' has site = 'mlp'"),
        ({"arm": "Zero()"}, "not named by 'arm'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(DesignError, match=said):
        power(made(units()), **options)


def test_a_pilot_that_says_nothing_of_spread_is_refused():
    with pytest.raises(DesignError, match="the pilot is dict"):
        power({})
    with pytest.raises(DataError, match="the same in every unit of the pilot"):
        power(pilot(sd=0.0))
    with pytest.raises(DataError, match="fewer than 2"):
        power(pilot(cluster="a"))
    with pytest.raises(DesignError, match="kind 'equivalence'"):
        power(pilot().equivalence(0.1))
