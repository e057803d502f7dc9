from __future__ import annotations

import pytest
from matplotlib import pyplot as plt

from mediation import plot, power
from mediation.errors import DesignError
from tests.plot.artists import legend, lines, title
from tests.results.equivalences import make_effects_pilot, make_power


def needed(ax):
    return {text.get_text() for text in ax.texts if text.get_gid() == "needed"}


def test_the_curves_are_those_of_the_table():
    found = make_power()
    ax = plot.power(found)
    curve = found.tidy()
    for name in ("power", "equivalence_power"):
        (line,) = lines(ax, name)
        assert line.get_xdata().tolist() == curve["n"].tolist()
        assert line.get_ydata().tolist() == curve[name].tolist()
    assert legend(ax) == ["to tell 0.30 from 0", "to show that 0 lies within ±0.35", "the pilot"]
    assert title(ax).startswith("Power by number of units: PNIE\nat level 0.05; points: simulated")
    assert ax.get_ylabel() == "power"
    assert ax.get_xlabel() == "number of units"


def test_what_is_wanted_the_pilot_and_the_needed_numbers_are_marked():
    found = make_power()
    ax = plot.power(found)
    assert lines(ax, "wanted")[0].get_ydata()[0] == 0.8
    assert lines(ax, "pilot")[0].get_xdata()[0] == found.n
    assert needed(ax) == {str(found.n_needed), str(found.n_for_margin)}
    assert [float(line.get_xdata()[0]) for line in lines(ax, "needed")] == [found.n_needed, found.n_for_margin]


def test_simulated_powers_are_points_with_their_intervals():
    found = make_power()
    ax = plot.power(found)
    drawn = ax.containers
    heights = sorted(float(bar.lines[0].get_ydata()[0]) for bar in drawn)
    assert heights == pytest.approx(sorted(one.power for _, one in found.simulated))
    for bar in drawn:
        (low, high) = (float(cap.get_ydata()[0]) for cap in bar.lines[1])
        assert any((one.low, one.high) == pytest.approx((low, high)) for _, one in found.simulated)


def test_what_can_be_told_is_drawn_on_the_scale_of_effects():
    found = make_power()
    ax = plot.power(found, show="effects")
    curve = found.tidy()
    for name in ("detectable_effect", "smallest_margin"):
        assert lines(ax, name)[0].get_ydata().tolist() == curve[name].tolist()
    assert lines(ax, "effect")[0].get_ydata()[0] == 0.3
    assert lines(ax, "margin")[0].get_ydata()[0] == 0.35
    assert ax.get_ylabel().startswith("PNIE: effect on")


def test_without_a_margin_there_is_one_curve():
    found = power(make_effects_pilot(), effect=0.3)
    ax = plot.power(found)
    assert not lines(ax, "equivalence_power")
    assert legend(ax) == ["to tell 0.30 from 0", "the pilot"]


def test_few_numbers_of_units_are_points():
    ax = plot.power(power(make_effects_pilot(), effect=0.3, n=[50, 100]))
    (line,) = lines(ax, "power")
    assert line.get_marker() == "o"


def test_ax_is_honoured():
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    assert plot.power(make_power(), ax=left) is left
    assert not right.lines
    assert plt.get_fignums() == [figure.number]


def test_wrong_things_are_refused():
    with pytest.raises(DesignError, match=r"power draws the Power that med.power returns, found Effects"):
        plot.power(make_effects_pilot())
    with pytest.raises(DesignError, match=r"power\(ax=...\) must be one matplotlib Axes, found list"):
        plot.power(make_power(), ax=[])
    with pytest.raises(DesignError, match="show = 'margin'"):
        plot.power(make_power(), show="margin")
