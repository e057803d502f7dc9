"""Which rows share a growing pass, and where each is changed: worlds of several sites, others between, near misses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation import Interchange, LogitDiff, Pairs, Site, World, Zero, attention, mlp, residual
from mediation.testing import first_output, tiny_model
from tests.engine.studies import finish, gap, together, token_pairs, values

OUTCOME = LogitDiff(5, 6)
PAIRS = token_pairs((8, 8, 8))


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama", layers=3))


@pytest.mark.parametrize("run", ["base", "source"])
def test_a_later_layer_may_change_an_earlier_token(model, run):
    # The pass is fed from the earliest token that any change reaches, not from that of the first layer's.
    other = "source" if run == "base" else "base"
    first, later = Interchange(other).at(residual(0, at=5)), Interchange(other).at(mlp(1, at=4))
    worlds = [World("base"), World("source"), World(run, first), World(run, later), World(run, together(first, later))]
    worlds += [World(run, together(Interchange(other).at(residual(0, at=6)), Interchange(other).at(mlp(1, at=(1, 2)))))]
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0)
    assert found.report["fan_out_rows"] > 0
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    assert gap(found.values, naive) < 1e-4
    assert np.abs(naive[4] - naive[2]).max() > 1e-3  # the later change matters


def test_rows_that_are_changed_alike_may_have_others_between_them(model):
    sites = [mlp(1, at=(1, 3)), attention(1, at=(1, 3)), mlp(1, at=(1, 4)), attention(1, at=(1, 5)), mlp(1, at=(1, 6))]
    worlds = [World("base"), World("source"), *(World("base", Interchange().at(site)) for site in sites)]
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0)
    assert found.report["passes"] == 3  # one of either plain input, and one in which all of these grow
    assert gap(found.values, values(model, PAIRS, worlds, OUTCOME, backend="reference")) < 1e-4


def test_rows_are_of_their_own_draw(model):
    worlds = [
        World("base"),
        World("base", med.GaussianNoise(1.0).at(mlp(1, at=3))),
        World("base", Zero().at(mlp(1, at=3))),
    ]
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0, n_draws=3)
    assert gap(found.values, values(model, PAIRS, worlds, OUTCOME, backend="reference", n_draws=3)) < 1e-4
    assert (np.ptp(found.values[1], axis=1) > 1e-3).all()


class Sharp(nn.Module):
    """Its outcome is a million times how far the mediator is from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.mediator = nn.Identity()

    def forward(self, x):
        return 1e6 * (self.mediator(x) - 1.0)


def test_activations_that_are_nearly_the_same_are_exchanged_all_the_same():
    # Base and source differ by some units of float32's last place, far below any tolerance for "close".
    base = torch.ones(6, 1)
    source = base + torch.tensor([2.0, 4.0, 8.0, 16.0, 32.0, 64.0])[:, None] * 2.0**-23
    worlds = [World("base"), World("source"), World("base", Interchange().at(Site("mediator")))]
    found = finish(med.load(Sharp()), Pairs(base=base, source=source), worlds, first_output)
    assert found.report["null_rows"] == 0
    expected = (1e6 * (source - 1.0))[:, 0].double().numpy()
    np.testing.assert_array_equal(found.values[2, :, 0], expected)
    np.testing.assert_array_equal(found.values[0, :, 0], 0.0)


def test_a_row_is_there_from_the_first_of_its_changes_on_whatever_the_order_of_the_worlds(model):
    early, late = Interchange().at(residual(0, at=5)), Interchange().at(mlp(2, at="last"))
    last = [Interchange().at(site) for site in (mlp(2, at="last"), residual(0, at="last"), attention(1, at="last"))]
    worlds = [World("base"), World("source"), *(World("base", one) for one in (together(early, late), early, *last))]
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0)
    assert found.report["fan_out_rows"] == 5 * len(PAIRS)
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    assert gap(found.values, naive) < 1e-4
    assert np.abs(naive[2] - naive[3]).max() > 1e-3


def test_the_same_tokens_at_other_places_are_exchanged(model):
    # Base and source read the same up to the span, which lies at another token in either.
    tokens = [3, 40, 50, 60, 70]
    pairs = Pairs(base=[tokens] * 2, source=[[*tokens[:4], 90]] * 2, spans={"it": ([(1, 2)] * 2, [(2, 3)] * 2)})
    worlds = [World("base"), World("source"), World("base", Interchange().at(residual(0, at="it")))]
    found = finish(model, pairs, worlds, OUTCOME, checks=0)
    naive = values(model, pairs, worlds, OUTCOME, backend="reference")
    assert gap(found.values, naive) < 1e-4
    assert np.abs(naive[2] - naive[0]).min() > 1e-3
