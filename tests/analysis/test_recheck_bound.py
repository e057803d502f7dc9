"""The bound on what half precision does to an effect, against its formulas, and which cells are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

import mediation as med
from mediation.analysis._recheck_bound import Cell, bound_of, sample_cells

ERRORS = np.random.default_rng(0).normal(0.1, 1.0, (4, 3)) * 1e-3


def test_some_of_the_sites_predict_one_more():
    means = ERRORS.mean(axis=1)
    spread = np.sqrt(((means - means.mean()) ** 2).sum() / 3)
    expected = abs(means.mean()) + stats.t.ppf(0.975, 3) * spread * np.sqrt(1 + 1 / 4)
    assert bound_of(ERRORS, sites=9, cells_of_a_site=20).bound == pytest.approx(expected, rel=1e-12)
    assert bound_of(-ERRORS, sites=9, cells_of_a_site=20).bound == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("cells", "missing"), [(12, 1 - 3 / 12), (4, 1 - 3 / 4), (np.inf, 1.0)])
def test_all_sites_and_some_of_their_cells(cells, missing):
    within = np.sqrt(sum(((row - row.mean()) ** 2).sum() for row in ERRORS) / (4 * 2))
    reach = stats.t.ppf(0.975, 4 * 2) * within * np.sqrt(missing / 3)
    expected = np.abs(ERRORS.mean(axis=1)).max() + reach
    assert bound_of(ERRORS, sites=4, cells_of_a_site=cells).bound == pytest.approx(expected, rel=1e-12)


def test_every_cell_of_every_site_is_exact():
    found = bound_of(ERRORS, sites=4, cells_of_a_site=3)
    assert found.bound == pytest.approx(np.abs(ERRORS.mean(axis=1)).max(), rel=1e-12)
    assert bound_of(ERRORS, sites=4, cells_of_a_site=2).bound == found.bound  # weights may draw a unit of few
    assert found.mean == pytest.approx(ERRORS.mean())
    assert found.rms == pytest.approx(np.sqrt((ERRORS**2).sum() / 12))
    assert found.largest == np.abs(ERRORS).max()


def test_too_few_cells_say_nothing():
    assert bound_of(ERRORS[:1], sites=4, cells_of_a_site=20).bound is None
    assert bound_of(ERRORS[:, :1], sites=4, cells_of_a_site=20).bound is None
    assert bound_of(ERRORS[:, :1], sites=9, cells_of_a_site=20).bound is not None


def drawn(weights, n_seeds=400, cells=4):
    counts = Counter()
    for seed in range(n_seeds):
        counts.update(cell.unit for cell in sample_cells(["a"], weights, {"a": 1}, cells, seed))
    return counts


def test_a_unit_is_drawn_in_proportion_to_its_weight():
    weights = np.array([1.0, 1.0, 1.0, 1.0, 40.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    counts = drawn(weights)
    assert sum(counts.values()) == 4 * 400
    assert counts[4] >= 0.95 * 400  # three times out of four it is the first, and it is hardly ever left out
    even = drawn(np.ones(10))
    assert 0.3 * 400 < even[4] < 0.5 * 400  # 4 of 10


@pytest.mark.parametrize(
    ("keys", "n", "cells", "sites", "units"),
    [(1, 50, 32, 1, 32), (2, 50, 32, 2, 16), (8, 50, 32, 8, 4), (9, 50, 32, 8, 4), (100, 50, 32, 8, 4),
     (100, 2, 32, 16, 2), (1, 50, 1, 1, 2), (5, 50, 4, 2, 2), (3, 5, 1000, 3, 5)],
)  # fmt: skip
def test_how_many_sites_and_units(keys, n, cells, sites, units):
    found = sample_cells(list(range(keys)), np.ones(n), dict.fromkeys(range(keys), 3), cells, 0)
    of_sites = Counter(cell.key for cell in found)
    assert (len(of_sites), set(of_sites.values())) == (sites, {units})
    assert len(set(found)) == len(found)
    assert {cell.draw for cell in found} <= {0, 1, 2}
    assert len({(cell.key, cell.unit) for cell in found}) == len(found)
    assert all(isinstance(cell, Cell) for cell in found)


def test_every_draw_can_be_drawn():
    found = sample_cells(["a"], np.ones(60), {"a": 4}, 60, 0)
    assert {cell.draw for cell in found} == {0, 1, 2, 3}


class Scales(nn.Module):
    """Its mediator is the input, which half precision rounds; the outcome is the first of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return x + torch.tanh(self.layer(x))


@med.outcome
def first(output):
    return output[:, 0]


@pytest.mark.filterwarnings(
    "ignore::mediation.errors.PrecisionWarning", "ignore::mediation.errors.WeakTotalEffectWarning"
)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_run_of_all_cells_by_hand(weighted):
    torch.manual_seed(0)
    base, n = torch.randn(7, 3), 7
    weights = np.arange(1.0, 8.0) if weighted else None
    pairs = med.Pairs(base=base, source=base + torch.randn(7, 3), weight=weights)
    asked = {"n_resamples": 99, "rng": 0, "estimands": ["te", "pnie"], "backend": "hooks"}
    model = med.load(Scales())
    half = med.mediate(model, pairs, med.Site("layer"), first, precision="bfloat16", **asked)
    full = med.mediate(model, pairs, med.Site("layer"), first, **asked)
    found = half.provenance["precision"]["effects"]
    for key, more in (("te", "y11"), ("pnie", "y01")):
        errors = (half.units[more] - half.units["y00"] - full.units[more] + full.units["y00"]).to_numpy()
        # With weights, units are drawn by weight, so that even a sample of all of them is none of a finite population.
        missing = 1.0 if weighted else 0.0
        reach = stats.t.ppf(0.975, n - 1) * errors.std(ddof=1) * np.sqrt(missing / n)
        assert found[key]["bound"] == pytest.approx(abs(errors.mean()) + reach, rel=1e-3, abs=1e-7)
        assert found[key]["max_error"] == pytest.approx(np.abs(errors).max(), rel=1e-3, abs=1e-7)
        row = half.tidy().set_index("estimand").loc[key]
        width = (row["conf_high"] - row["conf_low"]) / 2
        assert found[key]["half_width"] == pytest.approx(width, rel=1e-9)
        assert found[key]["bound_to_half_width"] == pytest.approx(found[key]["bound"] / width, rel=1e-9)
