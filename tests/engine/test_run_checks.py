"""The checks that every run makes see what they are there to see: any cell, any draw, any site, either input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest

import mediation as med
from mediation import GaussianNoise, Interchange, LogitDiff, World, Zero, mlp, residual
from mediation.engine import AbstractBackend, HookBackend, Visit
from mediation.testing import tiny_model
from tests.engine.studies import check_sample, finish, token_pairs

PAIRS, OUTCOME, DRAWS = token_pairs((5, 7, 7, 9)), LogitDiff(5, 6), 3
NOISE = World("base", GaussianNoise(0.5).at(mlp(1, at="last")))
PATCH = World("source", Interchange("base").at(residual(0, at="last")))


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama", layers=3))


@pytest.fixture(scope="module")
def done(model):
    return finish(model, PAIRS, [World("base"), World("source"), PATCH, NOISE], OUTCOME, n_draws=DRAWS)


def test_the_sample_agrees_with_a_run_that_is_right(done):
    found = check_sample(done.study, done.values, 60)
    assert found["cells"] == 60
    assert 0 < found["max_abs_difference"] < 1e-4


@pytest.mark.parametrize("draw", range(DRAWS))
@pytest.mark.parametrize("unit", range(4))
def test_the_sample_sees_one_wrong_cell(done, unit, draw):
    wrong = done.values.copy()
    wrong[3, unit, draw] += 0.01
    with pytest.raises(med.errors.BackendError, match=f"of unit {unit}: the run gave"):
        check_sample(done.study, wrong, 150)  # of 16 cells, each is left out with a chance below 1e-4


@pytest.mark.parametrize("unit", range(4))
def test_the_sample_sees_a_world_without_draws(done, unit):
    wrong = done.values.copy()
    wrong[2, unit] -= 0.01
    with pytest.raises(med.errors.BackendError, match=rf"World source with .* of unit {unit}: the run gave"):
        check_sample(done.study, wrong, 150)


def test_the_sample_leaves_plain_worlds_to_the_other_checks(done):
    wrong = done.values.copy()
    wrong[:2] += 1.0
    assert check_sample(done.study, wrong, 60)["max_abs_difference"] < 1e-4


@pytest.mark.parametrize(("off", "caught"), [(0.5e-4, False), (3e-4, True)])
def test_the_sample_allows_for_rounding_and_no_more(done, off, caught):
    wrong = done.values + off * (1 + np.abs(done.values))
    if not caught:
        assert check_sample(done.study, wrong, 30)["max_abs_difference"] > 0
        return
    with pytest.raises(med.errors.BackendError, match="Nothing is reported"):
        check_sample(done.study, wrong, 30)


@final
@dataclass(frozen=True, slots=True)
class Misplaces(AbstractBackend):
    """Puts a little more than was asked for back at one module."""

    path: str

    @property
    def name(self) -> str:
        return "misplaces"

    def forward(
        self, model: Any, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        return HookBackend().forward(model, inputs, [self._wrong(visit) for visit in visits], finish)

    def _wrong(self, visit: Visit) -> Visit:
        if visit.path != self.path:
            return visit

        def see(hidden: Any) -> Any:
            out = visit.see(hidden)
            return None if out is None else out + 0.5

        return Visit(visit.path, visit.io, see)


@pytest.mark.parametrize("fan_out", [True, False])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_first_the_middle_and_the_last_site_are_patched_with_themselves(model, layer, fan_out):
    worlds = [World("base"), *(World("base", Zero().at(mlp(one, at="last"))) for one in range(3))]
    place = f"model.layers.{layer}.mlp"
    with pytest.raises(
        med.errors.BackendError, match=rf"Patching mlp\[{layer}\]@last of unit . with its own activation"
    ):
        finish(model, PAIRS, worlds, OUTCOME, backend=Misplaces(place), fan_out=fan_out, checks=0, batch_size=1)


@pytest.mark.parametrize("run", ["base", "source"])
def test_either_input_and_two_units_are_patched_with_themselves(model, run):
    worlds = [World("base"), World("source"), World(run, Zero().at(mlp(1, at="last")))]
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0).report["consistency"]
    assert found["cells"] == 2 * 2  # two units of either input, at the one site
    assert found["max_abs_difference"] < 1e-4


def test_without_wrong_backends_nothing_is_raised(model):
    worlds = [World("base"), *(World("base", Zero().at(mlp(one, at="last"))) for one in range(3))]
    found = finish(model, PAIRS, worlds, OUTCOME, backend=Misplaces("model.norm"), checks=0)
    assert found.report["consistency"]["cells"] == 3 * 2
