from __future__ import annotations

import math

import pytest
from matplotlib.patches import Rectangle

from mediation import plot
from mediation.errors import DesignError
from tests.plot.artists import digits, ends, labels, lines, points, title
from tests.results.equivalences import MARGIN, arms, checked, made, make_equivalence, sweep, units
from tests.results.results_factory import make_effects


def zones(ax):
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_gid() == "margin"]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in found]


def verdicts(ax):
    return {round(text.xy[1]): text.get_text() for text in ax.texts if text.get_gid() == "verdict"}


def test_intervals_margin_and_verdicts_are_those_of_the_table():
    result = checked(sweep(), estimands="pnie")
    table = result.tidy()
    ax = plot.equivalence(result)
    assert zones(ax) == [(-MARGIN, MARGIN)]
    assert labels(ax) == table["site"].tolist()
    assert list(verdicts(ax).values()) == table["verdict"].tolist()
    low, high = ax.get_xlim()
    for y, row in table.iterrows():
        if math.isnan(row["equivalence_low"]):
            assert y not in ends(ax)
            continue
        expected = [min(max(row[end], low), high) for end in ("equivalence_low", "equivalence_high")]
        assert ends(ax)[y] == pytest.approx(expected)
    assert title(ax).startswith("Equivalence to no effect at a margin of ±0.1 (shaded)\nwith 95% intervals")


def test_a_row_without_an_interval_is_hollow():
    ax = plot.equivalence(checked(sweep(), estimands="pnie"))
    assert points(ax)[4].get_markerfacecolor() == "white"
    assert digits(ax)[4].endswith("no interval")


def test_effects_far_outside_are_arrows_and_keep_their_numbers():
    result = make_equivalence("effects")
    ax = plot.equivalence(result)
    assert ax.get_xlim()[1] <= 4 * MARGIN
    assert zones(ax) == [(-MARGIN, MARGIN)]
    row = result.tidy().index[result.tidy()["estimand"] == "te"][0]
    assert points(ax)[row].get_marker() == ">"
    assert digits(ax)[row].startswith("2.00")


def test_where_two_intervals_decide_the_pointwise_one_is_thin():
    result = checked(made(units()), alpha=0.05)
    ax = plot.equivalence(result, estimand="pnie")
    row = result.tidy().query("estimand == 'pnie'").iloc[0]
    assert ends(ax)[0] == pytest.approx((row["equivalence_low"], row["equivalence_high"]))
    assert ends(ax, "band")[0] == pytest.approx((row["conf_low"], row["conf_high"]))
    said = title(ax).replace("\n", " ")
    assert "90% intervals against the margin (thick, in digits), 95% intervals against 0 (thin)" in said
    one = plot.equivalence(make_equivalence("effects"))
    assert all(math.isnan(end) for line in lines(one, "band") for end in line.get_xdata())


def test_margins_of_their_own_are_drawn_row_by_row():
    result = checked(sweep(), 0.1, estimands="pnie", relative_to="te")
    table = result.tidy()
    table.loc[0, "margin"] *= 2
    changed = type(result)(table, result.units, result.provenance)
    ax = plot.equivalence(changed)
    assert [zone[1] for zone in zones(ax)] == pytest.approx(table["margin"].tolist())
    assert "±0.1 |TE|" in title(ax)


def test_forest_draws_the_same():
    first, second = plot.forest(make_equivalence()), plot.equivalence(make_equivalence())
    assert title(first) == title(second)
    assert labels(first) == labels(second)


def test_arms_are_named_with_their_dose():
    ax = plot.equivalence(checked(arms()))
    assert labels(ax) == ["Zero()", "Noise, dose 0.5", "Noise, dose 1"]


def test_the_strongest_sites_are_shown():
    ax = plot.equivalence(checked(sweep(), estimands="pnie"), most=2)
    assert labels(ax) == ["mlp(2)", "mlp(3)"]
    assert "the strongest 2 of 5 rows" in title(ax)


def test_other_kinds_are_refused_with_the_nearest():
    with pytest.raises(DesignError, match=r"result of effects.equivalence\(margin\), found one of kind 'effects'"):
        plot.equivalence(make_effects())
    with pytest.raises(DesignError, match=r"kind 'equivalence'; it draws 'effects'. Nearest: equivalence\(effects\)"):
        plot.decomposition(make_equivalence())
    with pytest.raises(DesignError, match="most = 0"):
        plot.equivalence(make_equivalence(), most=0)
