from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation.probing import capture
from mediation.testing import tiny_model

IDS = [[5, 6, 7, 8], [9, 10], [11, 12, 13]]


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(tiny_model("llama", seed=3))


def _hidden(model: med.Model, ids: list[int], layer: int) -> np.ndarray:
    """Output of a block for one unpadded input, by a hook."""
    seen = []
    block = model.module.get_submodule(f"model.layers.{layer}")
    handle = block.register_forward_hook(lambda _, __, out: seen.append(out if torch.is_tensor(out) else out[0]))
    try:
        with torch.no_grad():
            model.module(torch.tensor([ids]))
    finally:
        handle.remove()
    return seen[0][0].numpy()


@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
@pytest.mark.parametrize("batch_size", [None, 1])
def test_states_are_those_of_single_runs_in_the_order_of_the_units(model, backend, batch_size):
    pairs = med.Pairs(base=IDS, source=[ids[::-1] for ids in IDS])
    for run, inputs in (("base", IDS), ("source", [ids[::-1] for ids in IDS])):
        found = capture(model, pairs, med.residual(1, at="last"), run, backend=backend, batch_size=batch_size)
        assert found.shape == (3, 1, 16)
        assert found.dtype == np.float32
        for unit, ids in enumerate(inputs):
            np.testing.assert_allclose(found[unit, 0], _hidden(model, ids, 1)[-1], atol=1e-5)


def test_several_positions_and_a_part_of_the_features(model):
    pairs = med.Pairs(base=[[1, 2, 3], [4, 5, 6]])
    every = capture(model, pairs, med.residual(0))
    np.testing.assert_allclose(every, [_hidden(model, ids, 0) for ids in ([1, 2, 3], [4, 5, 6])], atol=1e-5)
    some = capture(model, pairs, med.residual(0, at=[0, 2], units=[3, 7]))
    np.testing.assert_array_equal(some, every[:, [0, 2]][..., [3, 7]])


def test_a_plain_module():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = torch.randn(7, 3, dtype=torch.float64)
    found = capture(module, med.Pairs(base=x), med.Site("1"))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found[:, 0], np.tanh(module[0](x).detach().numpy()), atol=1e-12)


def test_units_of_different_lengths_are_filled_up(model):
    found = capture(model, IDS, med.residual(0))
    assert found.lengths.tolist() == [4, 2, 3]
    for unit, ids in enumerate(IDS):
        np.testing.assert_allclose(found[unit, : len(ids)], _hidden(model, ids, 0), atol=1e-5)
        assert np.isnan(found[unit, len(ids) :]).all()


def test_half_precision_comes_as_float32():
    model = med.load(tiny_model("gpt2").to(torch.bfloat16))
    assert capture(model, med.Pairs(base=[[1, 2]]), med.mlp(0, at="last")).dtype == np.float32


def test_a_planted_attribute_of_the_input_is_read_from_a_state(model):
    """The last token is one of two; the residual stream there says which, and a middle token does not."""
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=80)
    ids = [[*rng.integers(20, 500, size=3).tolist(), 300 + int(k)] for k in kind]
    pairs = med.Pairs(base=ids)
    last = capture(model, pairs, med.residual(1, at="last"))
    kind[:4] = 1 - kind[:4]  # so that no probe is perfect
    found = med.probing.probe(last, kind, rng=0)
    other = med.probing.probe(capture(model, pairs, med.residual(1, at=1)), kind, rng=0)
    assert found.conf_low > 0.75
    assert found.selectivity_low > 0.2
    assert other.conf_low < 0.6


@pytest.mark.parametrize(
    ("site", "run", "error", "says"),
    [
        (med.residual(at="last"), "base", med.errors.SiteError, "stands for 2 sites"),
        (med.residual(9, at="last"), "base", med.errors.SiteError, "out of range"),
        ("last", "base", med.errors.SiteError, "a site is needed"),
        (med.residual(0, at="last"), "source", med.errors.DataError, "source"),
        (med.residual(0, at="last"), "bass", med.errors.DesignError, "'base'"),
    ],
)
def test_wrong_questions(model, site, run, error, says):
    with pytest.raises(error) as raised:
        capture(model, med.Pairs(base=IDS), site, run)
    assert says in str(raised.value)
