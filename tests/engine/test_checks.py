"""The sample of cells that every run recomputes, where a cell needs a mean over many units."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mediation as med
from mediation import LogitDiff, Mean, World, mlp
from mediation.engine.captured._activations import Activations
from mediation.engine.oracle import _reference
from mediation.engine.plan._sample import ALONE, alone
from mediation.testing import tiny_model
from tests.engine.studies import finish, token_pairs

UNITS = 40


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama"))


def mean_of_many(model, **options):
    worlds = [World("base"), World("base", Mean(over="tokens").at(mlp(1, at="last")))]
    return finish(model, token_pairs((4, 5) * (UNITS // 2)), worlds, LogitDiff(5, 6), **options)


def test_it_does_not_take_a_pass_for_each_unit(model, monkeypatch):
    passes, call = [], _reference.call
    monkeypatch.setattr(_reference, "call", lambda *given: passes.append(1) or call(*given))
    found = mean_of_many(model)
    assert found.report["sample"]["cells"] == 3
    assert len(passes) <= ALONE + 4 < UNITS  # with the most padded row


def test_the_mean_is_the_one_of_all_units(model):
    naive = mean_of_many(model, backend="reference").values
    np.testing.assert_allclose(mean_of_many(model).values, naive, rtol=1e-4, atol=1e-5)


def test_a_captured_activation_that_is_wrong_is_found_out(model, monkeypatch):
    unit = next(one for one in alone(mean_of_many(model).study) if one > 1)  # 0 and 1 are patched with themselves
    put = Activations.put

    def wrong(self, site, run, units, values):
        put(self, site, run, units, values + 0.1 * torch.tensor([one == unit for one in units])[:, None, None])

    monkeypatch.setattr(Activations, "put", wrong)
    with pytest.raises(med.errors.BackendError, match=rf"mlp\[1\]@last, base input of unit {unit}: .* differs by 0\.1"):
        mean_of_many(model)
