from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.collections import PatchCollection

from mediation.errors import DesignError
from mediation.plot import forest, interaction
from mediation.results import Effects
from tests.plot.artists import labels, legend, marked, points, title
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_effects


def cells(ax) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


def row(effects: Effects, key: str, site: str, partner: str = "") -> dict:
    table = effects.tidy()
    (found,) = table[(table["estimand"] == key) & (table["site"] == site) & (table["partner"] == partner)].to_dict(
        "records"
    )
    return found


def boxes(ax, gid: str) -> set[tuple[int, int]]:
    """Cells (column, row) that carry a patch."""
    found = [one for one in ax.collections if isinstance(one, PatchCollection) and one.get_gid() == gid]
    centres = [path.get_extents().get_points().mean(axis=0) for one in found for path in one.get_paths()]
    return {(round(x), round(y)) for x, y in centres}


def test_the_diagonal_is_alone_and_pairs_stand_on_both_sides():
    effects = make_interactions(4)
    sites = effects.provenance["interactions"]["sites"]
    ax = interaction(effects)
    shown = cells(ax)
    assert shown.shape == (4, 4)
    assert labels(ax) == [text.get_text() for text in ax.get_xticklabels()] == sites
    for i, first in enumerate(sites):
        assert shown[i, i] == row(effects, "alone", first)["estimate"]
        for j, second in enumerate(sites[i + 1 :], start=i + 1):
            assert shown[i, j] == shown[j, i] == row(effects, "pair_interaction", first, second)["estimate"]
    assert boxes(ax, "diagonal") == {(i, i) for i in range(4)}
    assert title(ax).startswith("Interactions of sites (denoising)")


def test_in_context_the_diagonal_is_shapley():
    effects = make_interactions(3)
    sites = effects.provenance["interactions"]["sites"]
    ax = interaction(effects, "shapley_interaction")
    assert cells(ax)[1, 1] == row(effects, "shapley", sites[1])["estimate"]
    assert cells(ax)[2, 0] == row(effects, "shapley_interaction", sites[0], sites[2])["estimate"]
    assert "share of the joint effect" in title(ax)


def test_colours_are_symmetric_about_0_and_the_limit_is_kept():
    effects = make_interactions(4)
    low, high = interaction(effects).images[0].get_clim()
    assert -low == high == np.abs(cells(interaction(effects))).max()
    assert interaction(effects, limit=9.0).images[0].get_clim() == (-9.0, 9.0)


def test_cells_are_marked_by_their_adjusted_p_value_and_sign():
    effects = make_interactions(4)
    table = effects.tidy()
    sure = table["estimand"].isin(["alone", "pair_interaction"]) & (table["p_adjusted"] <= 0.05)
    assert 0 < sure.sum() < 10
    sites = {site: i for i, site in enumerate(effects.provenance["interactions"]["sites"])}
    expected: dict[str, set[tuple[int, int]]] = {"above": set(), "below": set()}
    for line in table[sure].to_dict("records"):
        i = sites[line["site"]]
        j = sites[line["partner"]] if line["partner"] else i
        expected["above" if line["estimate"] > 0 else "below"] |= {(i, j), (j, i)}
    ax = interaction(effects)
    assert {name: marked(ax, name) for name in expected} == expected
    assert legend(ax) == ["above 0, p (adj.) ≤ .05", "below 0, p (adj.) ≤ .05"]


def test_cells_without_an_interval_are_hatched_and_not_marked():
    effects = make_interactions(4)
    table = effects.tidy()
    first = table.index[(table["estimand"] == "pair_interaction")][0]
    table.loc[first, ["std_error", "conf_low", "conf_high", "p_value", "p_adjusted"]] = math.nan
    ax = interaction(Effects(table, effects.units, effects.provenance))
    assert boxes(ax, "no interval") == {(0, 1), (1, 0)}
    assert not {(0, 1), (1, 0)} & marked(ax, "above")
    assert "no interval" in legend(ax)
    assert not boxes(interaction(effects), "no interval")


@pytest.mark.parametrize(("k", "written"), [(8, 64), (9, 0)])
def test_digits_stand_in_the_cells_of_few_sites(k, written):
    ax = interaction(make_interactions(k, sampled=True))
    assert sum(text.get_gid() == "digits" for text in ax.texts) == written
    assert len(labels(ax)) == k


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(DesignError, match="of kind 'effects'; it draws 'interactions'"):
        interaction(make_effects())
    with pytest.raises(DesignError, match="pairwise=True"):
        interaction(make_interactions(3, pairwise=False))
    with pytest.raises(DesignError, match="three or more sites"):
        interaction(make_interactions(2), "shapley_interaction")
    with pytest.raises(DesignError, match="interaction limit"):
        interaction(make_interactions(2), limit=0.0)
    with pytest.raises(DesignError, match="pair_interaction"):
        interaction(make_interactions(2), "pair")


def test_a_forest_has_all_sites_first_then_each_site_then_pairs():
    effects = make_interactions(3)
    sites = effects.provenance["interactions"]["sites"]
    ax = forest(effects)
    shown = labels(ax)
    assert shown[:5] == [
        "all sites  joint",
        "all sites  non-additivity",
        *(f"{sites[0]}  {name}" for name in ("alone", "Shapley", "leave-one-out")),
    ]
    assert shown[-1] == f"{sites[1]} x {sites[2]}  pair in context"
    assert len(points(ax)) == len(effects.tidy()) == 17
    assert title(ax).startswith("Effects of sites, alone and together")


def test_a_forest_of_many_leaves_out_pairs_first():
    effects = make_interactions(6)
    shown = labels(forest(effects, most=22))
    assert len(shown) == 22
    assert sum(" x " in label for label in shown) == 2
    assert labels(forest(effects, estimand="shapley")) == effects.provenance["interactions"]["sites"]
