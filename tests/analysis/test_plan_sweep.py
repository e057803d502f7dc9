"""Plans by the public names, and that asking for one changes and runs nothing of the question."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
import torch

import mediation as med
from mediation.engine import HookBackend, SweepPlan
from mediation.testing import tiny_model, tiny_tokenizer

PLACES = ("France", "Italy", "Germany", "Spain")
OUTCOME = med.LogitDiff(" Paris", " Rome")


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


@pytest.fixture(scope="module")
def pairs():
    return med.Pairs(
        base=[f"The capital of {place} is the city" for place in PLACES],
        source=[f"The capital of {place} is the city" for place in PLACES[1:] + PLACES[:1]],
    )


def test_a_sweep_and_its_plan_agree(model, pairs):
    sites = med.residual(at="each")
    plan = med.plan_sweep(model, pairs, sites, OUTCOME, calibrate=False, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # cells before the country are exactly 0
        found = med.mediate(model, pairs, sites, OUTCOME, n_resamples=99, rng=0).provenance["plan"]
    assert plan.worlds == found["worlds"] == 2 * 3 * 7 + 2
    assert plan.worlds_asked == 4 * 3 * 7
    assert plan.rows == plan.worlds * len(PLACES)
    assert plan.null_rows == found["null_rows"]
    assert plan.passes["fan-out"].outcomes == found["fan_out_rows"]
    assert plan.passes["plain"].passes + plan.passes["fan-out"].passes == found["passes"]


def test_dry_run_is_the_plan(model, pairs):
    options = {"rng": 0, "backend": "hooks", "batch_size": 4, "calibrate": False}
    plan = med.mediate(model, pairs, med.mlp(1), OUTCOME, dry_run=True, **options)
    same = med.plan_sweep(model, pairs, med.mlp(1), OUTCOME, **options)
    assert isinstance(plan, SweepPlan)
    assert dataclasses.replace(plan, free_bytes=0) == dataclasses.replace(same, free_bytes=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.rows = 0


def test_a_plan_runs_next_to_nothing(model, pairs):
    calls = []
    handle = model.module.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        med.plan_sweep(model, pairs, med.residual(at="each"), OUTCOME, calibrate=False)
    finally:
        handle.remove()
    # The order of modules, where the unembedding is, and whether rows depend on each other (beside another, and alone).
    assert len(calls) <= 4


def test_arms_have_a_plan(model, pairs):
    arms = med.doses(lambda scale: med.GaussianNoise(scale).at(med.residual(1, at="last")), [0.5, 1.0])
    plan = med.ablate(model, pairs, arms, OUTCOME, n_draws=3, dry_run=True, calibrate=False)
    assert plan.rows == (1 + 2 * 3) * len(PLACES)
    assert plan.worlds == 3


def test_a_time_is_estimated(model, pairs):
    plan = med.plan_sweep(model, pairs, med.residual(at="each"), OUTCOME, backend=HookBackend())
    assert plan.seconds is not None
    assert 0 < plan.seconds < 60


def test_a_plan_in_half_precision(model, pairs):
    asked = {"calibrate": False, "rng": 0}  # the seed also draws the cells that are checked
    whole = med.plan_sweep(model, pairs, med.residual(1, at="last"), OUTCOME, **asked)
    half = med.plan_sweep(model, pairs, med.residual(1, at="last"), OUTCOME, **asked, precision="bfloat16")
    assert half.dtype == "bfloat16"
    assert half.weight_bytes < 0.6 * whole.weight_bytes
    assert half.flops_planned == whole.flops_planned
    assert torch.float32 == model.dtype
