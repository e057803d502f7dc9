from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from mediation.plot import forest
from mediation.results import Effects
from tests.plot.artists import digits, ends, labels, lines, points, title
from tests.results.results_factory import change, make_controls

SEVERAL = {"estimands": ("pnie", "tnie"), "sites": ("mlp[3]", "mlp[4]")}


def test_the_effect_stands_first_then_the_controls_then_what_is_beyond_them():
    effects = make_controls()
    table = effects.tidy()
    ax = forest(effects)
    heights = sorted(points(ax))
    assert [points(ax)[y].get_xdata()[0] for y in heights] == pytest.approx(table["estimate"].tolist())
    assert labels(ax) == ["the effect itself", *table["control"][1:]]
    gaps = np.diff(heights)
    first = table["control"].str.startswith("beyond").idxmax()
    assert np.flatnonzero(gaps > 1.2).tolist() == [first - 1]
    shown = table[table["conf_low"].notna()]
    for row, y in zip(table.itertuples(), heights, strict=True):
        assert (y in ends(ax)) == (row.Index in shown.index)
        if y in ends(ax):
            assert ends(ax)[y] == pytest.approx((row.conf_low, row.conf_high))


def test_the_effect_is_emphasised():
    ax = forest(make_controls())
    weights = [tick.get_fontweight() for tick in ax.get_yticklabels()]
    assert weights[0] == "bold"
    assert set(weights[1:]) == {"normal"}
    (band,) = [patch for patch in ax.patches if patch.get_gid() == "real"]
    assert band.get_extents() is not None
    real, *others = [points(ax)[y] for y in sorted(points(ax))]
    assert all(real.get_markersize() > other.get_markersize() for other in others)
    colours = [point.get_markeredgecolor() for point in others[:6]]
    assert len(set(colours)) == 1
    assert colours[0] != real.get_markeredgecolor()
    red, green, blue = mpl.colors.to_rgb(colours[0])
    assert red == green == blue
    assert {point.get_marker() for point in others[6:]} == {"D"}
    assert {point.get_marker() for point in others[:6]} == {"o"}


def test_a_line_carries_the_effect_down_to_its_last_control():
    effects = make_controls()
    ax = forest(effects)
    (carried,) = lines(ax, "carried")
    assert set(carried.get_xdata()) == {effects.tidy()["estimate"][0]}
    assert list(carried.get_ydata()) == [0, 6]


def test_the_self_patch_says_what_it_is():
    ax = forest(make_controls())
    assert digits(ax)[1] == "0 in every unit"
    assert points(ax)[1].get_markerfacecolor() == "white"


def test_another_row_without_an_interval_says_so():
    gone = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], math.nan)
    ax = forest(change(make_controls(), 2, **gone))
    assert digits(ax)[2].endswith("no interval")


def test_groups_have_heads_of_their_own():
    ax = forest(make_controls(**SEVERAL))
    heads = [label for label in labels(ax) if " at " in label]
    assert heads == ["PNIE at mlp[3]", "PNIE at mlp[4]", "TNIE at mlp[3]", "TNIE at mlp[4]"]
    assert labels(ax).count("the effect itself") == 4
    assert len(lines(ax, "carried")) == 4
    assert len(points(ax)) == 4 * 11
    assert title(ax) == "PNIE and TNIE at 2 sites, and their null controls\nwith 95% intervals"
    assert ax.get_xlabel() == "effect on LogitDiff('answer', 'foil')"


def test_one_estimand_of_two():
    ax = forest(make_controls(estimands=("pnie", "tnie")), estimand="tnie")
    assert title(ax).startswith("TNIE at residual[12]@last, and its null controls")
    assert ax.get_xlabel() == "TNIE: effect on LogitDiff('answer', 'foil')"
    assert len(points(ax)) == 11


def test_a_few_controls_on_axes_of_ones_own():
    effects = make_controls()
    table = effects.tidy()
    few = Effects(table[table["control"].isin(["none", "self-patch"])], effects.units, effects.provenance)
    _, (left, right) = plt.subplots(1, 2)
    assert forest(few, ax=left) is left
    assert labels(left) == ["the effect itself", "self-patch"]
    assert not right.lines
