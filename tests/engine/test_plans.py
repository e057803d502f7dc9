"""A plan says beforehand what a run then does: passes, rows, FLOPs as torch counts them."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import mediation as med
from mediation import (
    GaussianNoise,
    Interchange,
    LogitDiff,
    Mean,
    Swap,
    World,
    Zero,
    attention,
    embedding,
    mlp,
    neurons,
    pattern,
    residual,
)
from mediation.engine import Execution, HookBackend, make_study, progress_for, run_study
from mediation.engine._cost import PassShape, flops_of, model_cost, weights_of
from mediation.engine._plan import SweepPlan, plan_study
from mediation.testing import FAMILIES, MIXTURES, LinearInteraction, first_output, tiny_model
from tests.engine.studies import exchanges, token_pairs

OUTCOME = LogitDiff(5, 6)
RAGGED = token_pairs((5, 7, 7))
SITES = (residual(0, at="last"), mlp(1, at=2), attention(1, head=1, at=1), embedding(at=0))


_EXPERTS = ("mixtral", "qwen2_moe", "qwen3_moe")


def model_of(family: str):
    """A tiny model; experts are computed one at a time, as the counter can see them."""
    return med.load(tiny_model(family, **({"experts_implementation": "eager"} if family in _EXPERTS else {})))


def planned(model, pairs, worlds, outcome=OUTCOME, *, n_draws=1, **execution):
    """Return the plan of a study, what the same run reports, and the FLOPs that torch counts in it."""
    how = Execution(backend=HookBackend(), **execution)
    with FlopCounterMode(display=False) as counter:
        study = make_study(model, pairs, worlds, outcome, seed=0, n_draws=n_draws)
        report = run_study(study, how, progress_for(False)).report
    return plan_study(study, how, calibrate=False), report, counter.get_total_flops()


def passes(plan: SweepPlan) -> tuple[int, int, int]:
    """Return what provenance counts: passes, rows and rows that were fanned out."""
    kinds = plan.passes
    counted = [kinds[kind] for kind in ("plain", "fan-out", "rows") if kind in kinds]
    fanned = kinds["fan-out"].outcomes if "fan-out" in kinds else 0
    return sum(one.passes for one in counted), sum(one.outcomes for one in counted) - fanned, fanned


@pytest.mark.parametrize("family", [*FAMILIES, *MIXTURES])
def test_flops_of_a_pass_are_those_that_torch_counts(family):
    model = model_of(family)
    cost = model_cost(model)
    extra = {"logits_to_keep": 2} if "logits_to_keep" in model.forward_names else {}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.module(torch.randint(3, 200, (4, 11)), **extra)
    shape = PassShape(
        kind="rows",
        alive=(4,) * len(cost.blocks),
        queries=11,
        keys=11,
        entered=4,
        left=4,
        outcomes=4,
        read=2 if extra else 11,
    )
    # The angles of rotary positions are a small product of matrices in some versions of transformers.
    assert flops_of(cost, shape) == pytest.approx(counter.get_total_flops(), rel=2e-4)


@pytest.mark.parametrize("family", ["llama", "opt", "mixtral", "bert"])
def test_a_plan_counts_what_the_run_does(family):
    model = model_of(family)
    plan, report, counted = planned(model, RAGGED, exchanges(SITES))
    assert passes(plan) == (report["passes"], report["rows"], report["fan_out_rows"])
    assert plan.null_rows == report["null_rows"]
    # Experts differ in load with the tokens, which the counter sees and a plan does not.
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)
    assert plan.flops_needed < plan.flops_planned


WORLDS = {
    "noise": [World("base"), World("base", GaussianNoise(1.0).at(residual(0, at="last")))],
    "other units": [World("base", Mean().at(mlp(1, at="last"))), World("source", Swap().at(residual(1, at="last")))],
    "neurons and all": exchanges([neurons(1, units=(0, 3), at="last"), residual(0, at="all")]),
}


@pytest.mark.parametrize(
    ("worlds", "execution"),
    [
        ("noise", {}),
        ("other units", {}),
        ("neurons and all", {}),
        ("neurons and all", {"batch_size": 3}),
        ("other units", {"fan_out": False}),
        ("noise", {"padding_side": "right"}),
    ],
    ids=str,
)
def test_counts_hold_for_every_way_to_run(worlds, execution):
    pairs = token_pairs((7, 7, 7))
    plan, report, counted = planned(med.load(tiny_model("qwen2")), pairs, WORLDS[worlds], n_draws=2, **execution)
    assert passes(plan) == (report["passes"], report["rows"], report["fan_out_rows"])
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)


def test_padded_batches_count_all_logits_on_the_right():
    plan, _, counted = planned(med.load(tiny_model("llama")), RAGGED, exchanges(SITES), padding_side="right", checks=0)
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)


def test_outcomes_that_compare_with_the_base_run():
    plan, report, counted = planned(med.load(tiny_model("llama")), RAGGED, exchanges(SITES), med.KL())
    assert plan.passes["reference"].passes > 0
    assert passes(plan)[0] == report["passes"]
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)


def test_the_naive_path():
    worlds = exchanges(SITES[:2])
    model = med.load(tiny_model("llama"))
    study = make_study(model, RAGGED, worlds, OUTCOME, seed=0)
    plan = plan_study(study, Execution(backend=med.engine.ReferenceBackend()), calibrate=False)
    assert plan.passes["rows"].passes == plan.rows == len(worlds) * len(RAGGED)
    assert plan.passes["rows"].flops == plan.flops_naive


def test_needed_flops_of_one_site_by_hand():
    """One unit of 6 tokens, patched at token 2 of block 0 of 3: blocks 1 and 2 on tokens 2 to 5, two logits."""
    model = med.load(tiny_model("llama", layers=3))
    pairs = token_pairs((6,))
    plain, patched = [World("base"), World("source")], World("base", Interchange().at(residual(0, at=2)))
    how = Execution(backend=HookBackend())
    both = [
        plan_study(make_study(model, pairs, worlds, OUTCOME, seed=0), how, calibrate=False).flops_needed
        for worlds in (plain, [*plain, patched])
    ]
    weights = 16 * 16 * 2 + 16 * 8 * 2 + 3 * 16 * 32  # q and o, k and v of half the heads, gate, up and down
    pairs_left = 3 + 4 + 5 + 6  # token t sees t + 1 keys
    assert both[1] - both[0] == 2 * (2 * 4 * weights + 4 * pairs_left * 16) + 2 * 16 * 2
    assert weights == weights_of(model.module.model.layers[0])


def test_needed_flops_inside_a_block():
    """An MLP's output is only added; an attention's output still goes through the MLP, on its own token."""
    model = med.load(tiny_model("llama", layers=2))
    how, pairs = Execution(backend=HookBackend()), token_pairs((6,))
    least = {
        name: plan_study(
            make_study(model, pairs, [World("base", Interchange().at(site))], OUTCOME, seed=0), how, calibrate=False
        ).flops_needed
        for name, site in {
            "residual": residual(1, at=2),
            "mlp": mlp(1, at=2),
            "attention": attention(1, at=2),
            "head": attention(1, head=0, at=2),
            "neurons": neurons(1, units=(0,), at=2),
        }.items()
    }
    assert least["mlp"] == least["residual"]
    assert least["attention"] - least["mlp"] == 2 * 3 * 16 * 32
    assert least["head"] - least["attention"] == 2 * 16 * 16
    assert least["neurons"] - least["mlp"] == 2 * 32 * 16


def test_reasons_are_given_for_rows_that_do_not_fan_out():
    worlds = [*exchanges(SITES), World("base", Zero().at(pattern(1, at=3)))]
    model = med.load(tiny_model("llama"))
    plan, _, _ = planned(model, RAGGED, worlds)
    assert plan.reasons == {"pattern sites do not fan out": plan.passes["rows"].outcomes}
    switched, _, _ = planned(model, RAGGED, worlds, fan_out=False)
    assert set(switched.reasons) == {"switched off"}
    encoder, _, _ = planned(med.load(tiny_model("bert")), RAGGED, exchanges(SITES))
    assert set(encoder.reasons) == {"not a causal decoder of transformers"}


def test_plain_modules_are_counted_on_one_input():
    module = LinearInteraction()
    pairs = med.Pairs(base=torch.randn(6, 1), source=torch.randn(6, 1))
    plan, report, counted = planned(med.load(module), pairs, exchanges([med.Site("mediator")]), first_output)
    assert passes(plan)[0] == report["passes"]
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)


def test_a_calibrated_plan_has_a_time_and_a_table():
    study = make_study(med.load(tiny_model("llama")), RAGGED, exchanges(SITES), OUTCOME, seed=0)
    plan = plan_study(study, Execution(backend=HookBackend()), asked=20)
    assert plan.seconds is not None
    assert plan.seconds > 0
    frame = plan.tidy()
    assert frame["flops"].sum() == plan.flops_planned
    assert frame["seconds"].sum() == pytest.approx(plan.seconds)
    text = str(plan)
    assert all(word in text for word in ("fan-out", "needed", "20 asked", "free", "about"))
    assert max(map(len, text.splitlines())) <= 120
    assert "table" in repr(plan)
