from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.errors import DesignError
from mediation.plot import forest
from mediation.results import Effects
from tests.plot.artists import digits, ends, labels, lines, points, title
from tests.results.results_factory import change, make_ablation, make_effects, make_sweep

NAN = math.nan
GONE = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], NAN)


def test_rows_are_those_of_the_table_from_the_top():
    effects = make_ablation()
    table = effects.tidy()
    ax = forest(effects)
    assert [points(ax)[y].get_xdata()[0] for y in range(len(table))] == pytest.approx(table["estimate"].tolist())
    assert [ends(ax)[y] for y in range(len(table))] == [
        pytest.approx(pair) for pair in zip(table["conf_low"], table["conf_high"], strict=True)
    ]
    assert labels(ax) == table["arm"].tolist()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert ax.get_xlabel() == "ablation effect on LogitDiff('answer', 'foil')"


def test_numbers_are_written_beside_the_rows():
    written = digits(forest(make_effects()))
    assert written[0] == "2.24 [2.03, 2.45]"
    assert written[6] == "0.691 [0.646, 0.734]"
    assert set(written) == set(range(7))


def test_a_missing_interval_is_hollow_and_says_so():
    ax = forest(change(make_ablation(), 2, **GONE))
    assert points(ax)[2].get_markerfacecolor() == "white"
    assert 2 not in ends(ax)
    assert digits(ax)[2].endswith("no interval")
    assert points(ax)[1].get_markerfacecolor() != "white"


def test_ratios_are_not_drawn_on_the_axis_of_amounts():
    ax = forest(make_effects())
    assert 6 not in points(ax)
    assert 6 not in ends(ax)
    assert any(text.get_text() == "ratio: not on this axis" and text.get_position()[1] == 6 for text in ax.texts)


def test_a_ratio_alone_has_its_own_axis():
    effects = make_effects()
    row = effects.tidy().iloc[6]
    ax = forest(effects, estimand="pm")
    assert points(ax)[0].get_xdata()[0] == row["estimate"]
    assert ends(ax)[0] == (row["conf_low"], row["conf_high"])
    assert ax.get_xlabel() == "proportion mediated"


def test_an_unbounded_set_has_arrows_on_both_sides():
    ax = forest(make_effects(te=0.1, n=20, n_clusters=10), estimand="pm")
    arrows = lines(ax, "arrow")
    assert [arrow.get_marker() for arrow in arrows] == ["<", ">"]
    assert [float(arrow.get_xdata()[0]) for arrow in arrows] == pytest.approx(list(ax.get_xlim()))
    assert not lines(ax, "cap")
    assert digits(ax)[0].endswith("unbounded")


def test_one_infinite_end_has_one_arrow():
    ax = forest(change(make_ablation(), 0, conf_high=math.inf))
    (arrow,) = lines(ax, "arrow")
    assert arrow.get_marker() == ">"
    assert arrow.get_ydata()[0] == 0
    low, high = ends(ax)[0]
    assert low == pytest.approx(make_ablation().tidy().loc[0, "conf_low"])
    assert high == pytest.approx(ax.get_xlim()[1])
    assert digits(ax)[0].endswith("inf)")


def test_an_estimate_beyond_the_limits_points_outside():
    wide = change(
        make_ablation(), 0, estimate=5000.0, method="fieller (unbounded)", conf_low=-math.inf, conf_high=math.inf
    )
    ax = forest(wide)
    assert ax.get_xlim()[1] < 10
    assert points(ax)[0].get_marker() == ">"


def test_a_sweep_shows_its_strongest_sites_in_the_order_of_the_table():
    sweep = make_sweep()
    rows = sweep.tidy().query("estimand == 'pnie'")
    top = set(rows["estimate"].abs().nlargest(12).index)
    expected = rows[[index in top for index in rows.index]]
    ax = forest(sweep, estimand="pnie", most=12)
    assert labels(ax) == expected["site"].tolist()
    assert title(ax).startswith("Pure indirect effect (PNIE): the strongest 12 of 270 rows")
    assert ax.get_xlabel() == "PNIE: effect on LogitDiff('answer', 'foil')"


def test_a_sweep_shows_bands_behind_intervals():
    sweep = make_sweep(layers=(5,), positions=(2, 8))
    rows = sweep.tidy().query("estimand == 'pnie'").reset_index(drop=True)
    ax = forest(sweep, estimand="pnie")
    drawn = rows[rows["conf_low"].notna()]
    assert set(ends(ax, "band")) == set(drawn.index)
    for y, row in drawn.iterrows():
        assert ends(ax)[y] == pytest.approx((row["conf_low"], row["conf_high"]))
        assert ends(ax, "band")[y] == pytest.approx((row["band_low"], row["band_high"]))
        assert f"{row['band_low']:.2f}" in digits(ax)[y]
    assert "simultaneous bands" in title(ax)


def test_a_sweep_without_bands_writes_its_intervals():
    sweep = make_sweep(layers=(5,), positions=(2,))
    table = sweep.tidy().assign(band_low=NAN, band_high=NAN, p_adjusted=NAN)
    ax = forest(Effects(table, sweep.units, sweep.provenance), estimand="te")
    assert digits(ax)[0] == "2.40 [1.90, 2.90]"
    assert "bands" not in title(ax)


def test_several_estimands_of_a_sweep_are_told_apart():
    assert labels(forest(make_sweep(layers=(5,), positions=(2,)))) == [
        "residual[5]@2  TE",
        "residual[5]@2  PNIE",
        "residual[5]@2  TNIE",
    ]


def test_one_arm_at_two_sites_or_doses_is_told_apart():
    ablation = make_ablation(doses=(0.5, 1.0), zero=False)
    table = ablation.tidy().assign(arm="noise")
    assert labels(forest(Effects(table, ablation.units, {}))) == [
        "noise at mlp[8], dose 0.5",
        "noise at mlp[8], dose 1",
        "noise at attention[9].head[3], dose 0.5",
        "noise at attention[9].head[3], dose 1",
    ]


def test_an_arm_without_a_name_is_called_by_its_site():
    ablation = make_ablation(doses=(0.5,), zero=False)
    table = ablation.tidy().assign(arm="")
    assert labels(forest(Effects(table, ablation.units, {}))) == [
        "ablation at mlp[8]",
        "ablation at attention[9].head[3]",
    ]
    assert labels(forest(Effects(table.iloc[:1].assign(site=""), ablation.units, {}))) == ["ablation"]


def test_long_names_are_cut_in_the_middle():
    effects = make_ablation(zero=False)
    arms = [f"GaussianNoise({i}).at(model.layers.12.self_attn.o_proj.adapter_of_some_kind)" for i in range(10)]
    shown = labels(forest(Effects(effects.tidy().assign(arm=arms), effects.units, {})))
    assert max(map(len, shown)) <= 44 + len(", dose 0.25")
    assert all("..." in label for label in shown)


def test_an_unknown_estimand_gets_the_closest():
    with pytest.raises(DesignError, match=r"estimand = 'tine' is not known. Closest: 'tnie'"):
        forest(make_effects(), estimand="tine")
    with pytest.raises(DesignError, match="most = 0"):
        forest(make_effects(), most=0)


def test_subgroups_and_models_are_named_and_have_their_bands():
    half = pd.Series(np.arange(200) % 2, name="half")
    ax = med.plot.forest(make_effects().by("half", frame=half, estimands="te"))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1"]
    assert len([line for line in ax.lines if line.get_gid() == "band"]) == 2
    seeds = {"a": make_effects(), "b": make_effects(te=1.0, seed=1)}
    ax = med.plot.forest(med.compare_many(seeds, paired=True, estimands="te"))
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["a", "b", "a - b"]


def test_a_far_end_of_a_gap_is_left_outside_of_the_axis():
    from mediation.plot.drawing._rows import Row, span

    inf = math.inf
    near = Row(0.2, 0.1, 0.0, 0.4)
    gap = Row(9.0, 50.0, -inf, inf, method="fieller (complement: <= -0.5 or >= 400)")
    assert span([near, gap])[1] < 10
    assert span([near, gap])[0] < -0.5
    close = Row(9.0, 50.0, -inf, inf, method="fieller (complement: <= -0.5 or >= 0.9)")
    assert span([near, close])[1] > 0.9
    line = Row(300.0, 900.0, -inf, inf, method="fieller (unbounded)")
    assert span([near, line])[1] < 1.0  # its estimate may be anywhere
    assert span([line])[1] > 300.0


def test_the_strongest_rows_are_those_of_any_sign_in_the_order_of_the_table():
    from mediation.plot.drawing import strongest

    table = pd.DataFrame({"estimate": [0.1, -3.0, 2.0, NAN, 0.5], "site": list("abcde")})
    assert strongest(table, 2)["site"].tolist() == ["b", "c"]
    assert strongest(table, 3)["site"].tolist() == ["b", "c", "e"]
    assert strongest(table, 5) is table
    pairs = table.assign(partner=["", "x", "", "", ""])
    assert strongest(pairs, 2)["site"].tolist() == ["c", "e"]


@pytest.mark.parametrize(("family", "says"), [("outcome", "simultaneous bands (thin"), ("all", "over all outcomes")])
def test_bands_that_hold_over_all_outcomes_say_so(family, says):
    rng = np.random.default_rng(0)
    frame = pd.concat(
        pd.DataFrame({"outcome": outcome, "site": site, "unit": range(30), "y00": 0.0, "y01": rng.normal(1, 1, 30)})
        for outcome in ("kl", "logit")
        for site in ("a", "b", "c")
    )
    found = med.effects(frame, estimands="pnie", rng=0, n_resamples=99, family=family)
    assert says in title(forest(found, outcome="kl")).replace("\n", " ")
    later = found.adjust("max-t", family="outcomes")
    assert "simultaneous bands over all outcomes (thin" in title(forest(later, outcome="logit")).replace("\n", " ")
