"""Worlds in which units are patched with themselves: really run, measured, and then exactly the plain ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest
import torch

import mediation as med
from mediation import Interchange, LogitDiff, Site, World, attention, mlp, pattern, residual
from mediation.engine import AbstractBackend, HookBackend, Visit
from mediation.models import Model
from mediation.testing import LinearInteraction, first_output, tiny_model
from tests.engine.studies import finish, together, token_pairs

PAIRS = token_pairs((5, 7, 7, 9))
OUTCOME = LogitDiff(5, 6)
SITES = (residual(0, at="last"), mlp(1, at=1), attention(1, head=1), pattern(0))
ITSELF = Interchange("same")
SELF = [World(run, ITSELF.at(site)) for run in ("base", "source") for site in SITES]
PLAIN = [World("base"), World("source")]


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama"))


@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
@pytest.mark.parametrize("fan_out", [True, False])
def test_they_are_run_measured_and_exactly_plain(model, backend, fan_out):
    both = World("base", together(ITSELF.at(SITES[0]), Interchange("base").at(SITES[1])))
    done = finish(model, PAIRS, [*PLAIN, *SELF, both], OUTCOME, backend=backend, fan_out=fan_out)
    for world in (*SELF, both):
        assert np.array_equal(done.of(world), done.of(World(world.run)))
    found = done.report["self_patch"]
    assert found["cells"] == 9 * len(PAIRS)
    assert 0 <= found["max_abs_difference"] < 1e-5
    assert done.report["null_rows"] == 0
    if backend != "reference":
        run = done.report["rows"] + done.report["fan_out_rows"]
        assert run == 11 * len(PAIRS)
        assert (done.report["fan_out_rows"] > 0) == fan_out


def test_other_worlds_are_no_self_patches(model):
    done = finish(model, PAIRS, [*PLAIN, World("base", Interchange("source").at(SITES[0]))], OUTCOME)
    assert "self_patch" not in done.report


def test_a_plain_module(model):
    pairs = med.Pairs(base=torch.linspace(-1, 1, 7)[:, None], source=torch.ones(7, 1))
    worlds = [World("base"), World("base", ITSELF.at(Site("mediator")))]
    done = finish(med.load(LinearInteraction()), pairs, worlds, first_output)
    assert done.report["self_patch"] == {"cells": 7, "max_abs_difference": 0.0}


@final
@dataclass(frozen=True, slots=True)
class Leaky(AbstractBackend):
    """Adds a little to every outcome of a batch of more than six rows, which the check of two units has not."""

    amount: float

    @property
    def name(self) -> str:
        return "leaky"

    def forward(
        self, model: Model, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        found = HookBackend().forward(model, inputs, visits, finish)
        return found + self.amount if isinstance(found, torch.Tensor) and len(found) > 6 else found


def test_what_is_larger_than_rounding_is_an_error(model):
    worlds = [*PLAIN, *SELF]
    with pytest.raises(
        med.errors.BackendError, match=r"World base with .* of unit 0 puts the unit's own activation where it"
    ):
        finish(model, PAIRS, worlds, OUTCOME, backend=Leaky(0.01), fan_out=False, checks=0)
    done = finish(model, PAIRS, worlds, OUTCOME, backend=Leaky(2e-5), fan_out=False, checks=0)
    assert done.report["self_patch"]["max_abs_difference"] == pytest.approx(2e-5, rel=0.2)
    assert np.array_equal(done.of(SELF[0]), done.of(World("base")))
