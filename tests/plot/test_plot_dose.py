from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mediation.errors import DesignError
from mediation.plot import dose
from mediation.plot._dose import _blank
from mediation.results import Effects
from tests.plot.artists import legend, lines, title
from tests.results.results_factory import change, make_ablation

NAN = math.nan
GONE = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], NAN)


def curves(ax):
    return {bars.get_label(): bars for bars in ax.containers}


def test_each_family_is_a_line_through_its_estimates():
    effects = make_ablation()
    table = effects.tidy()
    drawn = curves(dose(effects))
    assert list(drawn) == ["GaussianNoise(dose).at(mlp(8))", "GaussianNoise(dose).at(attention(9, head=3))"]
    for name, site in zip(drawn, ("mlp[8]", "attention[9].head[3]"), strict=True):
        rows = table[(table["site"] == site) & table["dose"].notna()]
        line = drawn[name].lines[0]
        assert line.get_xdata() == pytest.approx(rows["dose"].to_numpy())
        assert line.get_ydata() == pytest.approx(rows["estimate"].to_numpy())


def test_bars_and_ribbon_are_the_intervals():
    effects = make_ablation(zero=False)
    rows = effects.tidy().query("site == 'mlp[8]'")
    ax = dose(effects)
    bars = curves(ax)["GaussianNoise(dose).at(mlp(8))"].lines[2][0].get_segments()
    assert [segment[0][1] for segment in bars] == pytest.approx(rows["conf_low"].tolist())
    assert [segment[1][1] for segment in bars] == pytest.approx(rows["conf_high"].tolist())
    ribbons = [collection for collection in ax.collections if collection.get_gid() == "ribbon"]
    assert len(ribbons) == 2
    corners = ribbons[0].get_paths()[0].vertices
    for _, row in rows.iterrows():
        at = corners[np.isclose(corners[:, 0], row["dose"]), 1]
        assert at.min() == pytest.approx(row["conf_low"])
        assert at.max() == pytest.approx(row["conf_high"])


def test_families_differ_in_colour_marker_and_line():
    first, second = (bars.lines[0] for bars in dose(make_ablation()).containers)
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()


def test_doses_are_joined_in_order():
    effects = make_ablation(doses=(2.0, 0.1, 0.5))
    x = dose(effects).containers[0].lines[0].get_xdata()
    assert list(x) == [0.1, 0.5, 2.0]


def test_arms_without_a_dose_are_levels_with_bands():
    effects = make_ablation()
    rows = effects.tidy()[effects.tidy()["dose"].isna()]
    ax = dose(effects)
    assert [line.get_ydata()[0] for line in lines(ax, "level")] == pytest.approx(rows["estimate"].tolist())
    bands = [patch for patch in ax.patches if patch.get_gid() == "level band"]
    assert [band.get_y() for band in bands] == pytest.approx(rows["conf_low"].tolist())
    assert [band.get_y() + band.get_height() for band in bands] == pytest.approx(rows["conf_high"].tolist())
    assert legend(ax)[2:] == ["Zero().at(mlp(8))", "Zero().at(attention(9, head=3))"]


def test_a_level_without_an_interval_says_so():
    ax = dose(change(make_ablation(), 5, **GONE))
    assert "Zero().at(mlp(8)) (no interval)" in legend(ax)
    assert len([patch for patch in ax.patches if patch.get_gid() == "level band"]) == 1


def test_a_point_without_an_interval_is_hollow():
    effects = change(make_ablation(), 2, **GONE)
    ax = dose(effects)
    (hollow,) = lines(ax, "hollow")
    assert hollow.get_xdata().tolist() == [0.5]
    assert hollow.get_markerfacecolor() == "white"
    assert "no interval" in legend(ax)
    assert "no interval" not in legend(dose(make_ablation()))


def test_one_dose_is_a_point():
    ax = dose(make_ablation(doses=(0.5,), zero=False))
    assert [len(bars.lines[0].get_xdata()) for bars in ax.containers] == [1, 1]
    ax.get_figure().canvas.draw()


@pytest.mark.parametrize(
    ("doses", "scale"), [((0.01, 0.1, 1.0), "log"), ((0.0, 0.1, 100.0), "linear"), ((0.5, 1.0), "linear")]
)
def test_wide_doses_are_on_a_logarithmic_axis(doses, scale):
    assert dose(make_ablation(doses=doses)).get_xscale() == scale


def test_labels():
    ax = dose(make_ablation())
    assert ax.get_xlabel() == "dose"
    assert ax.get_ylabel().replace("\n", " ") == "ablation effect on LogitDiff('answer', 'foil')"
    assert "with 95% intervals" in title(ax)


def test_one_arm_at_two_sites_is_two_lines():
    effects = make_ablation(zero=False)
    table = effects.tidy().assign(arm="noise")
    assert list(curves(dose(Effects(table, effects.units, {})))) == ["noise at mlp[8]", "noise at attention[9].head[3]"]


def test_an_arm_without_a_name_is_called_by_its_site():
    effects = make_ablation(zero=False)
    table = effects.tidy().query("site == 'mlp[8]'").assign(arm="")
    assert list(curves(dose(Effects(table, effects.units, {})))) == ["mlp[8]"]
    assert list(curves(dose(Effects(table.assign(site=""), effects.units, {})))) == ["ablation"]


@pytest.mark.parametrize(
    ("arm", "value", "name"),
    [
        ("GaussianNoise(0.5).at(mlp(8))", 0.5, "GaussianNoise(dose).at(mlp(8))"),
        ("GaussianNoise(1.0).at(mlp(1))", 1.0, "GaussianNoise(dose).at(mlp(1))"),
        ("mlp[1]: GaussianNoise(1.0)", 1.0, "mlp[1]: GaussianNoise(dose)"),
        ("GaussianNoise(1e-05)", 1e-5, "GaussianNoise(dose)"),
        ("GaussianNoise(2)@mlp[3]", 2.0, "GaussianNoise(dose)@mlp[3]"),
        ("Blend(Zero(), -0.25)", -0.25, "Blend(Zero(), dose)"),
        ("layer2.mlp noise", 2.0, "layer2.mlp noise"),
        ("noise", 0.5, "noise"),
        ("Zero()", NAN, "Zero()"),
    ],
)
def test_the_dose_is_blanked_in_the_name_of_the_family(arm, value, name):
    assert _blank(arm, value) == name


def test_arms_without_any_dose_are_refused():
    effects = make_ablation()
    table = effects.tidy()
    with pytest.raises(DesignError, match=r"arms without a dose, found 'Zero\(\).at\(mlp\(8\)\)'.*use forest"):
        dose(Effects(table[table["dose"].isna()], effects.units, {}))


def test_bars_reach_from_the_lower_to_the_upper_end():
    from mediation.plot._dose import _line

    rows = pd.DataFrame({"dose": [1.0, 2.0], "estimate": [1.0, 2.0], "conf_low": [0.9, 1.5], "conf_high": [1.6, 2.1]})
    _, _, (bars,) = _line(plt.figure().gca(), rows, "noise", 0)
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.9, 1.6]), pytest.approx([1.5, 2.1])]
