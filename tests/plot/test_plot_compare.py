from __future__ import annotations

import math

import pytest

from mediation.errors import DesignError
from mediation.plot import compare, forest
from mediation.results import Effects
from tests.plot.artists import digits, ends, labels, points, title
from tests.results.comparisons import make_comparison
from tests.results.results_factory import change, make_effects

GROUP = 4.5  # rows from one estimand to the next: a name, two results, their difference, and a gap


def shaded(ax):
    return sorted(
        tuple(round(y, 2) for y in (patch.get_y(), patch.get_y() + patch.get_height()))
        for patch in ax.patches
        if patch.get_gid() == "difference"
    )


def test_each_estimand_has_both_results_and_their_difference():
    comparison = make_comparison()
    ax = compare(comparison)
    for index, line in enumerate(comparison.tidy().to_dict("records")):
        top = 1 + GROUP * index
        drawn = [points(ax)[top + place].get_xdata()[0] for place in range(3)]
        assert drawn == pytest.approx([line["first"], line["second"], line["estimate"]])
        assert ends(ax)[top] == pytest.approx((line["first_low"], line["first_high"]))
        assert ends(ax)[top + 1] == pytest.approx((line["second_low"], line["second_high"]))
        assert ends(ax)[top + 2] == pytest.approx((line["conf_low"], line["conf_high"]))
    assert len(points(ax)) == 18
    assert shaded(ax)[0] == (2.55, 3.45)


def test_rows_are_named_by_result_and_groups_by_estimand():
    ax = compare(make_comparison())
    assert labels(ax)[:3] == ["small", "large", "difference"]
    assert labels(ax)[18:20] == ["total effect  TE", "pure direct effect  PNDE"]
    assert title(ax).split("\n") == ["small minus large (mlp[3]), on the same units", "with 95% intervals"]
    assert ax.get_xlabel() == "effect on LogitDiff('a', 'b')"
    assert [points(ax)[y].get_marker() for y in (1, 2, 3)] == ["o", "s", "D"]  # told apart without colour


def test_numbers_are_those_of_the_summary():
    comparison = make_comparison()
    written = digits(compare(comparison))
    assert len(written) == 18
    line = comparison.tidy().iloc[0]
    assert written[3].startswith(f"{line['estimate']:.2f} [{line['conf_low']:.2f}")


def test_a_line_at_0_is_inside_the_axis():
    ax = compare(make_comparison(), estimand="te")
    low, high = ax.get_xlim()
    assert low < 0 < high
    assert any(list(line.get_xdata()) == [0, 0] for line in ax.lines)
    assert labels(ax) == ["small", "large", "difference"]


def test_a_sweep_shows_bands_of_the_differences_in_digits():
    comparison = make_comparison("sweep")
    ax = compare(comparison, most=2)
    rows = comparison.tidy().query("estimand == 'pnie'")
    strongest = rows.loc[rows["estimate"].abs().sort_values(ascending=False).index[:2]].sort_index()
    assert [points(ax)[y].get_xdata()[0] for y in (3, 3 + GROUP)] == pytest.approx(strongest["estimate"].tolist())
    assert ends(ax, "band")[3] == pytest.approx(tuple(strongest[["band_low", "band_high"]].iloc[0]))
    assert f"[{strongest['band_low'].iloc[0]:.2f}" in digits(ax)[3]
    assert "the largest 2 of 4" in title(ax)
    assert "simultaneous bands of differences" in title(ax)


def test_ratios_beside_amounts_are_written_out_only():
    comparison = make_comparison("groups")
    ax = compare(comparison)
    last = 1 + 2 * GROUP
    assert not {last, last + 1, last + 2} & set(points(ax))
    assert {last, last + 1, last + 2} <= set(digits(ax))
    assert any(text.get_text() == "ratio: not on this axis" for text in ax.texts)
    assert "two independent groups" in title(ax)
    assert len(points(compare(comparison, estimand="pm"))) == 3


def test_arms_are_named_with_their_doses():
    ax = compare(make_comparison("arms"))
    assert labels(ax)[9:] == ["Zero()", "noise, dose 0.5", "noise, dose 1"]


def test_a_missing_interval_is_hollow():
    gone = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value", "first_low", "first_high"], math.nan)
    ax = compare(change(make_comparison(), 0, **gone))
    assert points(ax)[1].get_markerfacecolor() == points(ax)[3].get_markerfacecolor() == "white"
    assert points(ax)[2].get_markerfacecolor() != "white"
    assert 3 not in ends(ax)
    assert digits(ax)[3].endswith("no interval")


def test_forest_draws_the_differences_alone():
    comparison = make_comparison()
    ax = forest(comparison)
    table = comparison.tidy()
    assert [points(ax)[y].get_xdata()[0] for y in range(6)] == pytest.approx(table["estimate"].tolist())
    assert title(ax).startswith("Difference, small minus large: effects")
    assert labels(ax)[0] == "total effect  TE"
    sweep = forest(make_comparison("sweep"), estimand="pnie")
    assert labels(sweep)[0] == "residual[0]@last"
    assert "simultaneous bands" in title(sweep)


def test_other_results_are_sent_elsewhere():
    with pytest.raises(DesignError, match=r"kind 'effects'; it draws 'comparison'. Nearest: decomposition"):
        compare(make_effects())
    with pytest.raises(DesignError, match="estimand = 'cde'"):
        compare(make_comparison(), estimand="cde")
    known = {**make_comparison().provenance, "comparison": {}}
    ax = compare(Effects(make_comparison().tidy(), make_comparison().units, known))
    assert labels(ax)[:2] == ["first", "second"]
