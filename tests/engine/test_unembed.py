"""Logits of some tokens alone: as exact as the product in float32, and only where nothing else happens to logits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mediation as med
from mediation import Accuracy, Interchange, LogitDiff, World, mlp, residual
from mediation.engine.passes._unembed import _product
from mediation.testing import tiny_model
from tests.engine.studies import finish, gap, token_pairs, values

PAIRS = token_pairs((6, 6, 6))
WORLDS = [World("base"), World("source"), World("base", Interchange().at(residual(0, at="last")))]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("dtype", "wide"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_the_product_is_that_of_the_wide_type(dtype, wide, bias):
    torch.manual_seed(0)
    head, ids = nn.Linear(64, 50, bias=bias).to(dtype), torch.tensor([3, 41, 7])
    hidden = torch.randn(4, 1, 64).to(dtype)
    found = _product(head, hidden, ids)
    exact = hidden.double() @ head.weight.double()[ids].T + (head.bias.double()[ids] if bias else 0.0)
    assert found.dtype == wide
    np.testing.assert_allclose(found.double().detach(), exact.detach(), atol=1e-5 if wide == torch.float32 else 1e-13)


def test_logits_of_a_half_precision_run_are_not_rounded_to_it():
    module = tiny_model("llama").to(torch.bfloat16)
    states = []
    module.model.norm.register_forward_hook(lambda _, __, out: states.append(out[:, -1].detach().float()))
    found = finish(med.load(module), PAIRS, WORLDS, LogitDiff(5, 9), checks=0)
    assert found.study.unembedding is not None
    seen, weight = torch.cat(states), module.lm_head.weight.detach().float()
    wide = (seen @ weight[5] - seen @ weight[9]).double().numpy()  # of every state that the run has read
    for value in found.values.ravel():
        assert np.abs(wide - value).min() < 1e-5 * (1 + abs(value))


def adding():
    """Return a model that adds a number of its own to each logit after the product."""
    module = tiny_model("llama")
    plain = module.forward

    def forward(*args, **given):
        out = plain(*args, **given)
        out.logits = out.logits + 0.1 * torch.arange(out.logits.shape[-1], dtype=out.logits.dtype)
        return out

    module.forward = forward
    return module


@pytest.mark.parametrize(
    "outcome",
    [LogitDiff(5, 90), LogitDiff(0, 90), Accuracy(5, candidates=(5, 60, 90))],
    ids=["both", "one", "accuracy"],
)
def test_a_model_that_adds_to_its_logits_is_read_whole(outcome):
    model = med.load(adding())
    found = finish(model, PAIRS, WORLDS, outcome, checks=0)
    assert found.study.unembedding is None
    assert gap(found.values, values(model, PAIRS, WORLDS, outcome, backend="reference")) < 1e-4
    if isinstance(outcome, LogitDiff):
        plain = values(med.load(tiny_model("llama")), PAIRS, WORLDS, outcome, backend="reference")
        np.testing.assert_allclose(found.values, plain + 0.1 * (outcome.answer - outcome.foil), atol=1e-4)


@pytest.mark.parametrize("batch", [1, None])
def test_each_row_reads_the_tokens_of_its_own_unit(batch):
    pairs = token_pairs((6, 8, 6), frame=pd.DataFrame({"a": [5, 17, 200], "b": [90, 3, 41]}))
    model = med.load(tiny_model("llama"))
    worlds = [*WORLDS, World("base", Interchange().at(mlp(1, at="last")))]
    outcome = LogitDiff("a", "b")
    for fan_out in (True, False):
        found = finish(model, pairs, worlds, outcome, checks=0, batch_size=batch, fan_out=fan_out)
        assert found.study.unembedding is not None
        assert gap(found.values, values(model, pairs, worlds, outcome, backend="reference")) < 1e-4


def test_a_model_whose_difference_of_neighbours_survives_is_read_whole():
    # In unit 0 the answer and its foil are tokens next to each other, whose difference is right either way.
    pairs = token_pairs((6, 6, 6), frame=pd.DataFrame({"a": [5, 17, 200], "b": [6, 3, 41]}))
    found = finish(med.load(adding()), pairs, WORLDS, LogitDiff("a", "b"), checks=0)
    expected = values(med.load(adding()), pairs, WORLDS, LogitDiff("a", "b"), backend="reference")
    assert gap(found.values, expected) < 1e-4
