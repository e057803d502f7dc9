from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mediation.errors import DesignError
from mediation.plot import forest, specification
from mediation.results import Effects
from mediation.results.kinds._specification import specifications
from tests.plot.artists import labels, legend, lines, title
from tests.results.results_factory import change, make_effects
from tests.results.specification_factory import make_specification

INF, NAN = math.inf, math.nan
WHOLE = make_specification()


def columns(ax, gid: str) -> list[tuple[float, float, float]]:
    """Place, lower and upper end of what is drawn upright."""
    return sorted((float(line.get_xdata()[0]), *map(float, sorted(line.get_ydata()))) for line in lines(ax, gid))


def estimates(ax) -> list[float]:
    drawn = sorted(lines(ax, "estimate"), key=lambda line: line.get_xdata()[0])
    return [float(line.get_ydata()[0]) for line in drawn]


def shape(ax, gid: str, x: float) -> list[str]:
    return [line.get_marker() for line in lines(ax, gid) if line.get_xdata()[0] == x]


def dashboard(ax) -> dict[str, set[int]]:
    """Columns that have each level, by its label."""
    names = dict(zip(np.round(ax.get_yticks(), 9), labels(ax), strict=True))
    found: dict[str, set[int]] = {}
    for line in lines(ax, "level"):
        found.setdefault(names[round(float(line.get_ydata()[0]), 9)], set()).add(int(line.get_xdata()[0]))
    return found


def test_shares_are_drawn_sorted_with_their_sets():
    ax = specification(WHOLE)
    rows = specifications(WHOLE.tidy()).sort_values("share_estimate")
    assert len(rows) == 9 + 12
    low, high = lines(ax, "zero")[0].get_xdata()
    assert low < 0 < len(rows) - 1 < high
    inside = [value for value in rows["share_estimate"] if ax.get_ylim()[0] < value < ax.get_ylim()[1]]
    assert set(np.round(inside, 9)) <= set(np.round(estimates(ax), 9))
    assert estimates(ax) == sorted(estimates(ax))
    top = ax.get_ylim()[1]
    for x, row in enumerate(rows.itertuples()):
        drawn = [(low, high) for at, low, high in columns(ax, "interval") if at == x]
        if row.share_method == "fieller" and row.share_conf_high < top:
            assert drawn == [(pytest.approx(row.share_conf_low), pytest.approx(row.share_conf_high))]


def test_choices_stand_below_the_column_that_made_them():
    ax = specification(WHOLE)
    rows = specifications(WHOLE.tidy()).sort_values("share_estimate").reset_index(drop=True)
    found = dashboard(ax)
    for choice in ("outcome", "corruption", "put in"):
        for level in rows[choice].unique():
            assert found[level] == set(rows.index[rows[choice] == level]), level
    assert {"outcome", "corruption", "put in"} <= set(labels(ax))
    assert "noise 0.5" in found
    low = lines(ax, "zero")[0].axes.get_ylim()[0]
    assert all(
        low < line.get_ydata()[0] < min(value for _, value, _ in columns(ax, "interval")) for line in lines(ax, "level")
    )


def test_the_first_specification_is_the_reference():
    ax = specification(WHOLE)
    rows = specifications(WHOLE.tidy()).sort_values("share_estimate")
    x = list(rows.index).index(0)
    assert shape(ax, "estimate", x) == ["D"]
    assert {line.get_marker() for line in lines(ax, "estimate") if line.get_xdata()[0] != x} <= {"o", "v", "^"}
    (band,) = [patch for patch in ax.patches if patch.get_gid() == "reference"]
    assert band.get_x() == pytest.approx(x - 0.5)
    assert legend(ax)[0] == "reference"


def test_what_does_not_vary_is_not_in_the_dashboard():
    ax = specification(make_specification(outcomes=("probability",), arms=()))
    assert set(dashboard(ax)) == {"corrupted", "another name", "noise 3"}
    assert "outcome" not in labels(ax)
    alone = specification(make_specification(outcomes=("probability",), corruptions=("corrupted",), arms=()))
    assert not dashboard(alone)
    assert len(estimates(alone)) == 1


def test_amounts_of_one_metric_are_drawn_in_its_units():
    ax = specification(WHOLE, outcome="log probability")
    rows = WHOLE.tidy().query("outcome == 'log probability' and estimand in ('pnie', 'ablation')")
    assert estimates(ax) == pytest.approx(sorted(rows["estimate"]))
    assert columns(ax, "interval") == [
        (x, pytest.approx(row.conf_low), pytest.approx(row.conf_high))
        for x, row in enumerate(rows.sort_values("estimate").itertuples())
    ]
    assert title(ax).startswith("PNIE and AE on log probability at residual")
    te = specification(WHOLE, outcome="log probability", estimand="te")
    assert len(estimates(te)) == 3


def test_amounts_of_two_metrics_never_share_an_axis():
    with pytest.raises(DesignError, match="PNIE on 3 outcomes would share one axis") as caught:
        specification(WHOLE, estimand="pnie")
    assert "outcome='logit difference'" in str(caught.value)
    assert len(estimates(specification(WHOLE, estimand="pm_pure"))) == 9


def test_other_kinds_and_other_names_are_refused():
    with pytest.raises(DesignError, match="kind 'effects'"):
        specification(make_effects())
    with pytest.raises(DesignError, match="Closest: 'pnie'"):
        specification(WHOLE, estimand="pnei")
    with pytest.raises(DesignError, match="Closest: 'probability'"):
        specification(WHOLE, outcome="probabilty")
    with pytest.raises(DesignError, match=r"Nearest: specification\(effects\)"):
        forest(WHOLE)


def with_set(low: float, high: float, method: str, estimate: float = 0.4) -> Effects:
    """The table with another set for the first share."""
    at = int(np.flatnonzero(WHOLE.tidy()["estimand"] == "pm_pure")[0])
    return change(WHOLE, at, conf_low=low, conf_high=high, method=method, estimate=estimate)


def place(effects: Effects) -> int:
    rows = specifications(effects.tidy()).sort_values("share_estimate", na_position="last", kind="stable")
    return list(rows.index).index(0)


def test_two_half_lines_have_a_gap_and_two_arrows():
    effects = with_set(-INF, INF, "fieller (complement: <= -0.2 or >= 0.3)")
    ax, x = specification(effects), place(effects)
    pieces = [(low, high) for at, low, high in columns(ax, "interval") if at == x]
    assert len(pieces) == 2
    assert pieces[0][1] == pytest.approx(-0.2)
    assert pieces[1][0] == pytest.approx(0.3)
    assert sorted(shape(ax, "arrow", x)) == ["^", "v"]


def test_the_whole_line_has_arrows_and_no_caps():
    effects = with_set(-INF, INF, "fieller (unbounded)")
    ax, x = specification(effects), place(effects)
    assert sorted(shape(ax, "arrow", x)) == ["^", "v"]
    assert not [line for line in lines(ax, "cap") if x - 0.5 < line.get_xdata()[0] < x + 0.5]


def test_a_finite_end_far_beyond_the_estimates_is_a_hollow_arrow():
    effects = with_set(0.1, 500.0, "fieller")
    ax, x = specification(effects), place(effects)
    assert shape(ax, "beyond", x) == ["^"]
    assert not shape(ax, "arrow", x)
    assert ax.get_ylim()[1] < 20
    (line,) = [line for line in lines(ax, "beyond") if line.get_xdata()[0] == x]
    assert line.get_markerfacecolor() == "white"


def test_a_missing_set_is_hollow_and_has_no_line():
    effects = with_set(NAN, NAN, "degenerate")
    ax, x = specification(effects), place(effects)
    assert not [at for at, _, _ in columns(ax, "interval") if at == x]
    (line,) = [line for line in lines(ax, "estimate") if line.get_xdata()[0] == x]
    assert line.get_markerfacecolor() == "white"
    assert legend(ax)[-1] == "no interval"


def test_grey_tells_which_intervals_are_on_both_sides():
    ax = specification(WHOLE, outcome="probability")
    rows = WHOLE.tidy().query("outcome == 'probability' and estimand in ('pnie', 'ablation')").sort_values("estimate")
    both = ((rows["conf_low"] <= 0) & (rows["conf_high"] >= 0)).tolist()
    assert 0 < sum(both) < len(both)
    colours = {float(line.get_xdata()[0]): line.get_color() for line in lines(ax, "interval")}
    reference = list(rows.index).index(rows.index.min())
    greys = {colours[x] for x, covers in enumerate(both) if covers and x != reference}
    darks = {colours[x] for x, covers in enumerate(both) if not covers and x != reference}
    assert not greys & darks
    assert legend(ax) == ["reference", "on one side of 0", "on both sides"]


def test_it_draws_on_the_axes_it_is_given():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6))
    assert specification(WHOLE, ax=right) is right
    assert not left.lines
    assert len(figure.axes) == 2


def test_nothing_is_warned_of_while_drawing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        specification(with_set(NAN, NAN, "degenerate", estimate=NAN)).get_figure().canvas.draw()


def test_names_of_the_user_are_printed_as_they_are():
    table = WHOLE.tidy().replace({"outcome": {"probability": "cost in $ of $x$"}, "arm": {"zero": "$a$_b"}})
    effects = Effects(table.assign(site="$s$_1"), WHOLE.units, WHOLE.provenance)
    ax = specification(effects)
    ax.get_figure().canvas.draw()
    assert {r"cost in \$ of \$x\$", r"\$a\$_b"} <= set(labels(ax))
    assert r"\$s\$_1" in title(ax)
    assert r"on cost in \$ of \$x\$ at" in title(specification(effects, outcome="cost in $ of $x$"))
