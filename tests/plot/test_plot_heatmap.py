from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from mediation.errors import DesignError
from mediation.plot import heatmap
from mediation.results import Effects
from tests.plot.artists import hatched, legend, marked, title
from tests.results.results_factory import TOKENS, make_sweep

NAN = math.nan


def rows_of(effects: Effects, estimand: str = "pnie") -> pd.DataFrame:
    rows = effects.tidy().query(f"estimand == '{estimand}'")
    return rows.assign(column=rows["position"].astype(int), row=rows["layer"].astype(int))


def cells(rows: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(rows["column"], rows["row"], strict=True))


def xlabels(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def altered(sweep: Effects, estimand: str, **values) -> Effects:
    """The sweep with values of its first nonzero site of the estimand replaced."""
    table = sweep.tidy()
    at = table.index[(table["estimand"] == estimand) & (table["estimate"] != 0)][0]
    for name, value in values.items():
        table.loc[at, name] = value
    return Effects(table, sweep.units, sweep.provenance)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("estimand", ["pnie", "tnie", "te"])
def test_each_cell_holds_its_estimate(estimand, shuffle):
    sweep = make_sweep(shuffle=shuffle)
    ax = heatmap(sweep, estimand)
    (image,) = ax.images
    expected = rows_of(sweep, estimand).pivot(index="row", columns="column", values="estimate").to_numpy()
    assert np.array_equal(image.get_array().filled(NAN), expected)
    assert image.origin == "lower"
    assert ax.get_ylim()[0] < ax.get_ylim()[1]  # layer 0 at the bottom


def test_colours_are_symmetric_about_zero():
    sweep = make_sweep()
    (image,) = heatmap(sweep).images
    largest = rows_of(sweep)["estimate"].abs().max()
    assert image.get_clim() == pytest.approx((-largest, largest))
    middle = mpl.colormaps["RdBu_r"](0.5)
    assert min(middle[:3]) > 0.9  # neutral in the middle
    assert image.cmap.name == "RdBu_r"


def test_marks_are_where_the_band_excludes_zero():
    sweep = make_sweep()
    rows = rows_of(sweep)
    ax = heatmap(sweep)
    above, below = cells(rows[rows["band_low"] > 0]), cells(rows[rows["band_high"] < 0])
    assert above
    assert below
    assert marked(ax, "above") == above
    assert marked(ax, "below") == below
    assert marked(ax, "unknown") == set()
    assert legend(ax) == ["band above 0", "band below 0", "exactly 0 by construction"]


def test_marks_differ_in_shape_and_have_a_light_edge():
    ax = heatmap(make_sweep())
    up, down = (next(c for c in ax.collections if c.get_gid() == gid) for gid in ("above", "below"))
    assert not np.array_equal(up.get_paths()[0].vertices, down.get_paths()[0].vertices)
    for mark in (up, down):
        assert np.allclose(mark.get_edgecolor()[:, :3], 1)
        assert mark.get_facecolor()[:, :3].max() < 0.3


def test_pointwise_intervals_do_not_mark():
    sweep = make_sweep(layers=(0,), positions=(1,))
    wide = altered(sweep, "pnie", estimate=1.0, conf_low=0.5, conf_high=1.5, band_low=-0.2, band_high=2.2)
    assert marked(heatmap(wide), "above") == set()


def test_a_band_that_touches_zero_does_not_mark():
    sweep = make_sweep(layers=(0,), positions=(1,))
    assert marked(heatmap(altered(sweep, "pnie", estimate=1.0, band_low=0.0, band_high=2.0)), "above") == set()


def test_cells_that_are_zero_by_construction_are_hatched():
    sweep = make_sweep()
    rows = rows_of(sweep)
    ax = heatmap(sweep)
    assert hatched(ax) == cells(rows[(rows["estimate"] == 0) & rows["conf_low"].isna()])
    (patch,) = [collection for collection in ax.collections if collection.get_gid() == "fixed"]
    assert patch.get_hatch()
    red, green, blue, _ = patch.get_facecolor()[0]
    assert red == green == blue  # neutral


def test_a_zero_with_an_interval_is_not_hatched():
    sweep = make_sweep(layers=(0,), positions=(1, 2))
    ax = heatmap(altered(sweep, "pnie", estimate=0.0))
    assert hatched(ax) == set()
    assert "exactly 0 by construction" not in legend(ax)


def test_cells_without_a_band_are_crossed():
    ax = heatmap(altered(make_sweep(layers=(0,), positions=(1, 2)), "pnie", band_low=NAN, band_high=NAN))
    assert marked(ax, "unknown") == {(0, 0)}
    assert "no band" in legend(ax)


def test_cells_that_were_not_run_are_empty():
    sweep = make_sweep(layers=(0, 1), positions=(1, 2))
    table = sweep.tidy()
    gone = (table["layer"] == 1) & (table["position"] == "2")
    ax = heatmap(Effects(table[~gone], sweep.units, {}))
    assert ax.images[0].get_array().mask.tolist() == [[False, False], [False, True]]
    assert "not run" in legend(ax)
    assert "not run" not in legend(heatmap(sweep))


def test_a_table_without_bands_marks_nothing_and_says_so():
    sweep = make_sweep(layers=(0, 1), positions=(2, 8))
    table = sweep.tidy().assign(band_low=NAN, band_high=NAN, p_adjusted=NAN)
    ax = heatmap(Effects(table, sweep.units, {}))
    assert [marked(ax, gid) for gid in ("above", "below", "unknown")] == [set(), set(), set()]
    assert "No simultaneous bands" in title(ax).replace("\n", " ")


def test_bands_that_hold_over_all_outcomes_say_so():
    sweep = make_sweep()
    inference = {**sweep.provenance.get("inference", {}), "family": "all"}
    joint = Effects(sweep.tidy(), sweep.units, {**sweep.provenance, "inference": inference})
    assert "band over all outcomes above 0" in legend(heatmap(joint))
    assert "band above 0" in legend(heatmap(sweep))


def test_axes_are_labelled_with_layers_and_tokens():
    ax = heatmap(make_sweep())
    assert xlabels(ax) == [f"{i} {token!r}" for i, token in enumerate(TOKENS)]
    assert ax.get_xticklabels()[0].get_rotation() == 45
    assert [text.get_text() for text in ax.get_yticklabels()] == [str(layer) for layer in range(0, 30, 2)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("position", "layer")


def test_layers_that_were_skipped_are_not_drawn():
    ax = heatmap(make_sweep(layers=(4, 0, 20), positions=(8,)))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "4", "20"]
    assert ax.images[0].get_array().shape == (3, 1)


def test_positions_without_labels_are_in_order_of_number():
    sweep = make_sweep(layers=(0,), positions=(-1, -10, -2), tokens=())
    assert xlabels(heatmap(sweep)) == ["-10", "-2", "-1"]


def test_named_positions_are_in_the_order_of_their_labels():
    sweep = make_sweep(layers=(0, 1), positions=(1, 2, 3))
    names = {"1": "verb", "2": "subject", "3": "last"}
    table = sweep.tidy().assign(position=[names[key] for key in sweep.tidy()["position"]])
    labelled = {"subject": "subject ' Tower'", "verb": "verb ' is'", "last": "last ' of'"}
    ax = heatmap(Effects(table, sweep.units, {"position_labels": labelled}))
    assert xlabels(ax) == list(labelled.values())
    assert xlabels(heatmap(Effects(table, sweep.units, {}))) == ["verb", "subject", "last"]


def test_long_labels_are_cut():
    sweep = make_sweep(layers=(0,), positions=(0, 8), tokens=("a" * 60, "b"))
    assert max(map(len, xlabels(heatmap(sweep)))) == 20


def test_short_labels_lie_flat_and_keep_their_lines():
    sweep = make_sweep(layers=(0, 1), positions=(1, 8))
    labelled = {"1": "subject\n(Eiffel)", "8": "last"}
    ax = heatmap(Effects(sweep.tidy(), sweep.units, {"position_labels": labelled}))
    assert xlabels(ax) == ["subject\n(Eiffel)", "last"]
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {0}


def test_turned_labels_are_one_line():
    sweep = make_sweep(layers=(0, 1), positions=range(9))
    labelled = {str(i): f"subject {i}\n(Eiffel)" for i in range(9)}
    ax = heatmap(Effects(sweep.tidy(), sweep.units, {"position_labels": labelled}))
    assert xlabels(ax)[3] == "subject 3 (Eiffel)"
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {45}


def test_the_one_position_all_is_not_news():
    sweep = make_sweep(layers=(0, 1), positions=(8,), heads=(0, 1))
    at_all = Effects(sweep.tidy().assign(position="all"), sweep.units, {})
    assert title(heatmap(at_all)).startswith("Pure indirect effect (PNIE, denoising)\n")


def test_many_positions_are_turned_upright():
    ax = heatmap(make_sweep(layers=(0,), positions=range(40), tokens=[f"token{i}" for i in range(40)]))
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {90}
    assert len(xlabels(ax)) == 40


def test_title_says_what_was_patched_into_what():
    said = title(heatmap(make_sweep(), "pnie")).replace("\n", " ")
    assert said == (
        "Pure indirect effect (PNIE, denoising) "
        "Source (clean) residual activation patched into the base (corrupted) run"
    )
    said = title(heatmap(make_sweep(), "tnie")).replace("\n", " ")
    assert said.startswith(
        "Total indirect effect (TNIE, noising, sign reversed) Base (corrupted) residual activation patched"
    )


def test_colour_bar_is_labelled_with_the_outcome():
    ax = heatmap(make_sweep(), "tnie")
    (bar,) = [each for each in ax.get_figure().axes if each is not ax]
    assert bar.get_ylabel() == "TNIE: effect on LogitDiff('answer', 'foil')"


def test_heads_are_across_when_the_position_is_one():
    sweep = make_sweep(layers=(0, 1, 2), positions=(8,), heads=(0, 1, 2, 3), tokens=(" of",))
    ax = heatmap(sweep)
    rows = sweep.tidy().query("estimand == 'pnie'")
    expected = rows.pivot(index="layer", columns="head", values="estimate").to_numpy(dtype=float)
    assert np.array_equal(ax.images[0].get_array().filled(NAN), expected)
    assert ax.get_xlabel() == "head"
    assert xlabels(ax) == ["0", "1", "2", "3"]
    assert "position 8 ' of'" in title(ax)


def test_layers_positions_and_heads_need_a_choice():
    sweep = make_sweep(layers=(0, 1), positions=(2, 8), heads=(0, 1, 2))
    with pytest.raises(DesignError, match=r"vary in layer, position \(2\) and head \(3\)"):
        heatmap(sweep)
    at = sweep.tidy().query("estimand == 'pnie' and position == '8'")
    ax = heatmap(sweep, position=8)
    assert np.array_equal(
        ax.images[0].get_array().filled(NAN), at.pivot(index="layer", columns="head", values="estimate").to_numpy(float)
    )
    ax = heatmap(sweep, head=1)
    assert ax.get_xlabel() == "position"
    assert "head 1" in title(ax)
    with pytest.raises(DesignError, match="heatmap position = '7' is not known"):
        heatmap(sweep, position=7)


def test_one_head_is_still_a_grid_of_heads():
    ax = heatmap(make_sweep(layers=(0, 1), positions=(8,), heads=(5,)))
    assert (ax.get_xlabel(), xlabels(ax)) == ("head", ["5"])


def test_limit_is_shared_between_panels():
    ax = heatmap(make_sweep(), limit=1.0)
    assert ax.images[0].get_clim() == (-1.0, 1.0)
    assert ax.images[0].colorbar.extend == "max"
    assert heatmap(make_sweep(), limit=9.0).images[0].colorbar.extend == "neither"
    for wrong in (0, -1.0, math.inf, "1"):
        with pytest.raises(DesignError, match="limit"):
            heatmap(make_sweep(), limit=wrong)


def test_all_zero_is_drawn():
    ax = heatmap(make_sweep(layers=(0, 1), positions=(0,)))
    assert ax.images[0].get_clim() == (-1.0, 1.0)
    assert hatched(ax) == {(0, 0), (0, 1)}


def test_an_unknown_estimand_gets_the_closest():
    with pytest.raises(DesignError, match=r"estimand = 'pnei' is not known. Closest: 'pnie'"):
        heatmap(make_sweep(layers=(0,)), "pnei")


def test_sites_without_a_layer_are_refused():
    sweep = make_sweep(layers=(0, 1), positions=(8,))
    table = sweep.tidy()
    table["layer"] = pd.array([None] * len(table), dtype="Int64")
    with pytest.raises(DesignError, match=r"site 'residual\[0\]@8' has no layer. Nearest: forest"):
        heatmap(Effects(table, sweep.units, {}))


@pytest.mark.parametrize("heads", [None, (0, 1)])
def test_two_sites_in_one_cell_are_named(heads):
    sweep = make_sweep(layers=(0, 1), positions=(8,), heads=heads)
    other = sweep.tidy().assign(site=sweep.tidy()["site"].str.replace("residual|attention", "mlp", regex=True))
    with pytest.raises(
        DesignError, match=r"one site per cell; '(residual|attention)\[0\].*', 'mlp\[0\].*' share layer 0"
    ):
        heatmap(Effects(pd.concat([sweep.tidy(), other]), sweep.units, {}))
