from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import ttost_ind

from mediation import Effects, read
from mediation.errors import DataError, DegenerateWarning, DesignError, WeakTotalEffectWarning
from mediation.estimands import AbstractEstimand, TotalEffect
from mediation.inference import Inference, mean_intervals
from tests.results.equivalences import MARGIN, SITES, arms, checked, exact, made, make_equivalence, sweep, units


def row(result: Effects, estimand: str, site: str | None = None) -> pd.Series:
    table = result.tidy().query("estimand == @estimand")
    return (table if site is None else table[table["site"] == site]).iloc[0]


@pytest.mark.parametrize("verdict", SITES)
def test_each_verdict_is_given_where_it_belongs(verdict):
    layer = list(SITES).index(verdict)
    assert row(make_equivalence(), "pnie", f"mlp({layer})")["verdict"] == verdict


def test_verdicts_follow_from_the_two_intervals():
    for alpha in (0.025, 0.05):
        table = checked(sweep(), alpha=alpha).tidy()
        table = table[table["verdict"] != "no interval"]
        inside = (table["equivalence_low"] > -table["margin"]) & (table["equivalence_high"] < table["margin"])
        excluded = (table["conf_low"] > 0) | (table["conf_high"] < 0)
        names = {
            (True, False): "equivalent",
            (True, True): "both: real but negligible",
            (False, True): "different",
            (False, False): "undecided",
        }
        assert table["verdict"].tolist() == [names[pair] for pair in zip(inside, excluded, strict=True)]
        assert ((table["p_equivalence"] <= alpha) == inside).all()


def test_by_default_the_interval_that_is_shown_is_the_one_that_is_tested():
    result = made(units())
    found = checked(result).tidy().set_index("estimand")
    shown = result.tidy().set_index("estimand")
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "method", "n", "n_clusters"):
        assert found[name].equals(shown.loc[found.index, name])
    np.testing.assert_allclose(found["equivalence_low"], found["conf_low"])
    np.testing.assert_allclose(found["equivalence_high"], found["conf_high"])
    assert (found["margin"] == MARGIN).all()


def test_at_alpha_of_5_percent_it_is_the_90_percent_interval():
    result = made(units())
    found = row(checked(result, alpha=0.05), "pnie")
    values = (result.units["y01"] - result.units["y00"]).to_numpy()[:, None]
    shown = mean_intervals(values, settings=Inference(confidence_level=0.9, n_resamples=999))
    assert found["equivalence_high"] == pytest.approx(shown.conf_high[0])
    assert found["equivalence_high"] < found["conf_high"]


def test_another_confidence_level_of_the_result_decides_about_0_only():
    frame = units(indirect=(0.05, 0.2))
    wide, narrow = (checked(made(frame, confidence_level=level, n_resamples=9999)) for level in (0.999, 0.5))
    assert row(wide, "pnie")["equivalence_low"] == pytest.approx(row(narrow, "pnie")["equivalence_low"])
    assert [row(one, "pnie")["verdict"] for one in (wide, narrow)] == ["equivalent", "both: real but negligible"]


def test_clusters_method_and_seed_are_those_of_the_result():
    frame = units().assign(cluster=np.arange(80) // 4)
    result = made(frame, method="percentile", rng=5)
    found = row(checked(result), "pnie")
    assert found["equivalence_low"] == pytest.approx(row(result, "pnie")["conf_low"])
    assert found["n_clusters"] == 20


def test_ratios_are_left_out_unless_they_are_asked_for_and_then_have_fiellers_set():
    result = made(units())
    assert "pm" not in set(checked(result).tidy()["estimand"])
    found = row(checked(result, estimands="pm"), "pm")
    assert (found["equivalence_low"], found["equivalence_high"]) == pytest.approx(
        (found["conf_low"], found["conf_high"])
    )
    assert found["verdict"] == "equivalent"
    assert set(checked(made(units(), estimands="pm")).tidy()["estimand"]) == {"pm"}


def test_an_unbounded_ratio_is_undecided_and_warned_of():
    result = made(units(te=0.02, sd=1.0))
    with pytest.warns(WeakTotalEffectWarning, match="is not distinguishable from 0 at level 0.025"):
        found = row(result.equivalence(0.2, estimands="pm"), "pm")
    assert found["verdict"] == "undecided"
    assert np.isinf(found["equivalence_high"])


def test_a_relative_margin_is_in_units_of_the_outcome_and_leaves_out_the_total():
    found = checked(made(units()), 0.1, relative_to="te").tidy().set_index("estimand")
    assert "te" not in found.index
    assert found.loc["pnie", "margin"] == pytest.approx(0.1 * 2.0)
    assert found.loc["pnie", "verdict"] == "equivalent"
    # the ends hold the uncertainty of the margin: those of effect +- 0.1 TE, moved by 0.1 TE as estimated
    frame = units()
    contrast = (frame["y01"] - frame["y00"] - 0.1 * (frame["y11"] - frame["y00"])).to_numpy()[:, None]
    shown = mean_intervals(contrast, settings=Inference(n_resamples=999))
    assert found.loc["pnie", "equivalence_high"] == pytest.approx(shown.conf_high[0] + 0.2)


def test_beside_a_weak_total_nothing_is_shown_to_be_small():
    result = made(units(te=0.02, sd=1.0, indirect=(0.0, 1e-4)))
    with pytest.warns(WeakTotalEffectWarning, match=r"In 1 of 1 rows TE is not distinguishable from 0 at level 0.025"):
        found = result.equivalence(10.0, estimands="pnie", relative_to="te")
    assert row(found, "pnie")["verdict"] == "undecided"
    assert row(found, "pnie")["p_equivalence"] > 0.025
    assert "Nothing is small beside TE, which may itself be 0." in " ".join(found.summary().as_text().split())


def test_an_effect_that_is_clear_beside_a_weak_total_is_still_different():
    result = made(units(te=0.0, sd=1.0, indirect=(0.5, 0.2)))
    found = row(checked(result, 0.1, relative_to=TotalEffect()), "pnie")
    assert found["verdict"] == "different"


def test_zeros_in_every_unit_are_known_not_tested():
    with pytest.warns(DegenerateWarning, match=r"1 of 5 rows have no interval \(1 exactly 0 in every unit\)") as caught:
        found = sweep().equivalence(MARGIN, estimands="pnie")
    assert len(caught) == 1
    one = row(found, "pnie", "mlp(4)")
    assert np.isnan([one["p_equivalence"], one["equivalence_low"], one["conf_low"]]).all()
    text = found.summary().as_text()
    assert "Exactly 0 in every unit, which is known and was not tested: PNIE at mlp(4)." in text


def test_arms_are_tested_each():
    found = checked(arms(), 0.1)
    assert found.kind == "equivalence"
    table = found.tidy()
    assert table["verdict"].tolist() == ["different", "equivalent", "different"]
    assert table["arm"].tolist() == arms().tidy()["arm"].tolist()
    assert table["dose"].tolist()[1:] == [0.5, 1.0]
    assert "n_draws" not in table


def test_a_result_keeps_its_units_and_its_account_and_is_read_as_it_was(tmp_path):
    found = make_equivalence()
    assert found.units.equals(sweep().units)
    assert found.provenance["equivalence"]["margin"] == MARGIN
    assert found.provenance["outcome"] == "LogitDiff('a', 'b')"
    assert read(found.save(tmp_path / "x")) == found
    assert repr(make_equivalence("effects")).startswith("<Effects: equivalence of te, pnde")
    assert "1 undecided" in repr(found) or "undecided" in repr(found)


def test_two_results_on_the_same_units_are_compared_against_the_margin():
    first, second = made(units(indirect=(0.5, 0.1))), made(units(indirect=(0.55, 0.1), seed=7))
    same = first.compare(second, estimands="pnie")
    found = row(same.equivalence(0.1), "pnie")
    gap = (first.units["y01"] - second.units["y01"]).to_numpy()[:, None]
    shown = mean_intervals(gap, settings=Inference(n_resamples=999))
    assert found["verdict"] == "both: real but negligible"
    assert found["estimate"] == pytest.approx(-0.05)
    assert (found["equivalence_low"], found["equivalence_high"]) == pytest.approx(
        (shown.conf_low[0], shown.conf_high[0]), abs=1e-6
    )
    assert "different from no difference" in " ".join(same.equivalence(0.001).summary().as_text().split())


def test_two_groups_of_units_have_the_two_sample_tests_of_statsmodels():
    first, second = made(units(n=80), method="t"), made(units(n=60, indirect=(0.03, 0.3), seed=7), method="t")
    found = row(first.compare(second, paired=False, estimands="pnie").equivalence(0.1), "pnie")
    one, two = ((result.units["y01"] - result.units["y00"]).to_numpy() for result in (first, second))
    assert found["p_equivalence"] == pytest.approx(ttost_ind(one, two, -0.1, 0.1, usevar="unequal")[0], rel=1e-6)


def test_ratios_and_relative_margins_are_not_asked_of_a_comparison():
    both = made(units()).compare(made(units(indirect=(0.1, 0.3), seed=7)), estimands=["te", "pnie", "pm"])
    assert set(both.equivalence(0.1).tidy()["estimand"]) == {"te", "pnie"}
    with pytest.raises(DesignError, match="difference of two ratios"):
        both.equivalence(0.1, estimands="pm")
    with pytest.raises(DesignError, match="difference of two of them"):
        both.equivalence(0.1, estimands="pnie", relative_to="te")


class Twice(AbstractEstimand):
    """A contrast of one's own."""

    key = "twice"
    weights = {"y01": 2.0, "y00": -2.0}  # noqa: RUF012


def test_an_estimand_of_ones_own_is_given_as_the_object():
    result = made(units(), estimands=[Twice(), "te"])
    with pytest.raises(DesignError, match="'twice' is your own"):
        result.equivalence(0.5)
    found = row(result.equivalence(0.5, estimands=Twice()), "twice")
    assert found["verdict"] == "equivalent"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": 0.0}, "margin = 0.0"),
        ({"margin": 0.1, "alpha": 0.5}, "alpha = 0.5"),
        ({"margin": 0.1, "estimands": "pnei"}, "Closest: 'pnie'"),
        ({"margin": 0.1, "estimands": ["pnie", "pm"]}, "Ask for them apart"),
        ({"margin": 0.1, "estimands": "pm", "relative_to": "te"}, "is a share already"),
        ({"margin": 0.1, "estimands": ["te"], "relative_to": "te"}, "within a share of itself"),
        ({"margin": 0.1, "relative_to": "pm"}, "is a ratio"),
        ({"margin": 0.1, "relative_to": "oe"}, "needs the potential outcomes"),
        ({"margin": 0.1, "estimands": 3}, "estimands = 3"),
    ],
)
def test_questions_that_make_no_sense_are_refused(options, said):
    with pytest.raises(DesignError, match=said):
        made(units()).equivalence(**options)


def test_only_results_with_units_of_their_own_are_tested():
    with pytest.raises(DesignError, match="kind 'equivalence'"):
        make_equivalence("effects").equivalence(0.1)


def test_units_of_another_study_are_noticed():
    result = made(units())
    other = made(units(indirect=(0.5, 0.2)))
    mixed = Effects(result.tidy(), other.units, result.provenance)
    with pytest.raises(DataError, match=r"PNDE is|PNIE is"):
        mixed.equivalence(0.1)
    sites = Effects(sweep().tidy(), sweep().units.query("site != 'mlp(2)'"), sweep().provenance)
    with pytest.raises(DataError, match=r"no units of TE at mlp\(2\)"):
        sites.equivalence(0.1)


def test_sentences_say_what_was_found():
    found = checked(made(units(indirect=(0.02, 0.2))))
    low, high = row(found, "pnie")[["conf_low", "conf_high"]]
    assert found.summary("pnie").notes[0] == (
        f"PNIE 0.020 [{low:.3f}, {high:.3f}] lies within ±0.1 and holds 0: equivalent to no effect at that margin."
    )
    for verdict, words in (
        ("both: real but negligible", "and leaves out 0: real but negligible at that margin."),
        ("different", "lies beyond ±0.1: different from no effect, by more than the margin."),
        ("undecided", "reaches beyond ±0.1 and holds 0: undecided, neither effect nor absence is shown."),
    ):
        notes = checked(made(units(indirect=SITES[verdict]))).summary("pnie").notes
        assert notes[0].endswith(words)


def test_a_sentence_never_says_of_one_interval_what_holds_for_the_other():
    found = checked(made(units(indirect=(0.042, 0.2)), estimands="pnie", n_resamples=9999), alpha=0.05)
    one = row(found, "pnie")
    assert one["equivalence_low"] > 0 > one["conf_low"]
    said = found.summary().notes[0]
    assert said.startswith("PNIE 0.042: tested interval [0.00")
    assert said.endswith("holds 0: equivalent to no effect at that margin.")


def test_the_summary_of_many_sites_counts_verdicts_and_says_what_they_hold_for():
    frames = [units(indirect=(0.01 * layer, 0.2)).assign(site=f"mlp({layer})", unit=range(80)) for layer in range(20)]
    found = checked(made(pd.concat(frames), estimands="pnie"))
    text = " ".join(found.summary(most=5).as_text().split())
    counts = found.tidy()["verdict"].value_counts()
    assert f"{counts['equivalent']} equivalent" in text
    assert "Listed are the 5 strongest." in text
    assert "'Equivalent at all of them' needs no adjustment" in text
    assert "divide alpha by 20" in text
    assert text.index("mlp(19)") < text.index("mlp(18)")


def test_two_intervals_are_printed_where_they_differ():
    headers = [field.header for field in checked(made(units()), alpha=0.05).summary().fields]
    assert {"95% interval", "90% tested"} <= set(headers)
    headers = [field.header for field in checked(made(units())).summary().fields]
    assert "95% interval" in headers
    assert not any("tested" in header for header in headers)


def test_nothing_is_warned_of_where_every_test_is_made():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(units(), estimands=["te", "pnie"]).equivalence(0.1)


def test_exact_moments():
    values = exact(0.3, 2.0, 50, 0)
    assert (values.mean(), values.std(ddof=1)) == pytest.approx((0.3, 2.0))
