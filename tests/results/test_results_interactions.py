"""What a summary says of interactions, and of noising against denoising in a sweep."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mediation.errors import DesignError
from mediation.results import Effects
from mediation.results.kinds._sweep import differ_note
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_sweep

NAN = math.nan


def text_of(effects: Effects, *args, **options) -> str:
    return " ".join(str(effects.summary(*args, **options)).split())


def test_sites_follow_the_joint_effect_and_pairs_follow_sites():
    table = make_interactions(3).tidy()
    sites = list(dict.fromkeys(table.loc[table["estimand"] == "alone", "site"]))
    expected = [("joint", " & ".join(sites)), ("non_additivity", " & ".join(sites))]
    expected += [(key, site) for site in sites for key in ("alone", "shapley", "leave_one_out")]
    pairs = [(sites[0], sites[1]), (sites[0], sites[2]), (sites[1], sites[2])]
    expected += [(key, site) for site, _ in pairs for key in ("pair_interaction", "shapley_interaction")]
    assert list(zip(table["estimand"], table["site"], strict=True)) == expected


def test_the_summary_names_direction_orders_formulas_and_that_sites_do_not_add_up():
    said = text_of(make_interactions(3))
    assert said.startswith("How 3 sites share their joint effect (denoising)")
    assert "Shapley effects: exact, over all 8 sets of sites." in said
    assert "v(S) = Y(0, M_S(1)) - Y(0, M(0))" in said
    assert "leave-one-out: v(N) - v(N-i)" in said
    assert "do not add up to the joint one" in said
    assert "Random arms" not in said
    noising = text_of(make_interactions(3, direction="noising", sampled=True, pairwise=False))
    assert "v(S) = Y(1, M(1)) - Y(1, M_S(0))" in noising
    assert "over 8 sampled orders and their reverses, the same for all units." in noising
    assert "Shapley: two-way t" in noising
    assert "pair" not in noising.replace("sites, or pairs", "")


def test_sites_that_add_up_are_not_cautioned_of():
    effects = make_interactions(3)
    table = effects.tidy()
    table.loc[table["estimand"] == "non_additivity", ["conf_low", "conf_high"]] = -0.1, 0.1
    assert "do not add up" not in text_of(Effects(table, effects.units, effects.provenance))
    table.loc[table["estimand"] == "non_additivity", ["conf_low", "conf_high", "std_error", "p_value"]] = NAN
    assert "do not add up" not in text_of(Effects(table, effects.units, effects.provenance))


def test_most_limits_sites_and_pairs_and_says_so():
    summary = make_interactions(6).summary(most=2)
    lines = summary.as_text().splitlines()
    assert sum("Shapley " in line and "[" in line for line in lines) == 2
    assert sum(" pair  " in line and "[" in line for line in lines) == 2
    assert sum("pair in context" in line and "[" in line for line in lines) == 2
    said = " ".join(summary.notes)
    assert "2 of 6 sites shown, the strongest by |Shapley|." in said
    assert "2 of 15 pairs shown, the strongest by |pair|." in said
    assert all(len(line) <= 100 for line in lines)


def test_one_estimand_alone():
    text = str(make_interactions(3).summary("shapley"))
    assert text.count("Shapley  ") == 3
    assert "leave-one-out" not in text


def test_repr_and_html():
    effects = make_interactions(3)
    assert repr(effects).startswith("<Effects: joint, non_additivity, alone, shapley")
    assert "How 3 sites share" in effects._repr_html_()


@pytest.mark.parametrize(
    "ask", [lambda one: one.equivalence(0.1), lambda one: one.compare(one)], ids=["equivalence", "compare"]
)
def test_questions_that_interactions_do_not_answer_say_so(ask):
    with pytest.raises(DesignError, match="interactions"):
        ask(make_interactions(3))


# ------------------------------------------------------------------------------------------------ noising and denoising
def bands(**sites: tuple[bool, bool]) -> pd.DataFrame:
    """A sweep's table by site: whether the bands of PNIE and of INTmed leave out 0."""
    rows = []
    for site, out in sites.items():
        for key, excludes in zip(("pnie", "int_med"), out, strict=True):
            rows.append({"estimand": key, "site": site, "band_low": 0.5 if excludes else -0.5, "band_high": 1.0})
    return pd.DataFrame(rows)


def test_sites_where_noising_and_denoising_differ_are_counted():
    table = bands(a=(True, True), b=(True, False), c=(False, True), d=(False, False), e=(True, True))
    expected = "At 2 of 3 marked sites and at 1 other site noising and denoising differ: the band of INTmed excludes 0"
    assert differ_note(table, "pnie").startswith(expected)
    only = bands(a=(True, False), c=(False, True), d=(False, True))
    assert differ_note(only, "pnie").startswith("At 2 unmarked sites noising")
    assert differ_note(bands(a=(True, True)), "pnie").startswith("At 1 of 1 marked sites noising")


@pytest.mark.parametrize(
    "table",
    [
        bands(a=(True, False)),
        bands(a=(True, True)).query("estimand == 'pnie'"),
        bands(a=(True, True)).assign(band_low=NAN, band_high=NAN),
    ],
    ids=["nowhere", "not asked", "no bands"],
)
def test_nothing_is_said_where_they_do_not_differ_or_nobody_knows(table):
    assert differ_note(table, "pnie") == ""
    assert differ_note(bands(a=(True, True)), "int_med") == ""


def test_the_summary_of_a_sweep_says_it():
    sweep = make_sweep(layers=(0, 5, 10), estimands=("pnie", "tnie", "int_med"))
    assert "noising and denoising differ: the band of INTmed excludes 0" in text_of(sweep)
    assert "noising and denoising differ" not in text_of(sweep, "int_med")
