"""Questions that thoughts share with sites in layers: controls, interactions, specifications, plans, outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediation as med
from mediation.analysis._asked import units_frame
from mediation.engine import Execution, World, backend_for, make_study, progress_for, run_study
from mediation.rollouts import _loop
from mediation.testing import LinearInteraction, first_output
from tests.rollouts.replay import BASE, OUTCOME, SOURCE, SPEC, answer, exact, thought

pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
MORE: dict[str, Any] = {"spec": SPEC, "max_new_tokens": 8, "rng": 0, "n_resamples": 99, "backend": "hooks"}
PAIRS = med.Pairs(base=BASE, source=SOURCE)
TENSORS = med.Pairs(base=torch.zeros(3, 1), source=torch.ones(3, 1))


def test_controls_of_a_thought_by_hand():
    model = exact()
    found = med.controls(model, PAIRS, med.latents(), OUTCOME, n_draws=2, **MORE)
    table = found.tidy().set_index("control")["estimate"]
    assert table["self-patch"] == 0
    own = med.mediate(model, PAIRS, med.latents(), OUTCOME, estimands="pnie", **MORE)
    assert table["none"] == own.tidy()["estimate"].iloc[0]
    other = found.units[found.units["control"] == "unrelated unit"]
    assert len(other) == 2 * len(BASE)
    for row in other.to_dict("records"):
        assert row["donor"] != row["unit"]
        expected = answer(model, BASE[row["unit"]], thought(model, SOURCE[row["donor"]]))
        assert row["y01"] == pytest.approx(expected, abs=1e-9)
    assert found.provenance["controls"]["self_patch"]["cells"] == len(BASE)


def test_controls_over_steps_are_those_of_each_step():
    sweep = med.controls(exact(), PAIRS, med.latents(step="each"), OUTCOME, controls="self-patch", **MORE).tidy()
    alone = med.controls(exact(), PAIRS, med.latents(step=1), OUTCOME, controls="self-patch", **MORE).tidy()
    mine = sweep[sweep["site"] == "latents@1 (in loop)"]["estimate"]
    np.testing.assert_allclose(mine, alone["estimate"], rtol=0, atol=1e-12)


def test_two_steps_share_their_effect():
    steps = {"first": med.latents(step=0), "second": med.latents(step=1)}
    found = med.interactions(exact(), PAIRS, steps, OUTCOME, **MORE)
    table = found.tidy().set_index(["estimand", "site"])["estimate"]
    for name, site in steps.items():
        alone = med.mediate(exact(), PAIRS, site, OUTCOME, estimands="pnie", **MORE).tidy()["estimate"].iloc[0]
        assert table["alone", name] == pytest.approx(alone, abs=1e-9)
    total = table["shapley", "first"] + table["shapley", "second"]
    assert total == pytest.approx(table["joint", "first & second"], abs=1e-9)


def test_a_specification_is_what_each_question_gives_alone():
    far, outcomes = med.Pairs(base=SOURCE[::-1], source=SOURCE), {"a": OUTCOME, "b": med.LogProb(10)}
    found = med.specification(
        exact(), PAIRS, med.latents(), outcomes, corruptions={"far": far}, arms={"zero": med.Zero()}, **MORE
    ).tidy()
    alone = med.mediate(exact(), far, med.latents(), outcomes["b"], estimands="pnie", **MORE).tidy()
    row = found[(found["outcome"] == "b") & (found["corruption"] == "far") & (found["estimand"] == "pnie")]
    assert row["estimate"].iloc[0] == pytest.approx(alone["estimate"].iloc[0], abs=1e-9)


def test_several_outcomes_are_what_each_gives_alone():
    outcomes = {"a": OUTCOME, "kl": med.KL(), "steps": med.outcomes.ThoughtLength()}
    found = med.mediate(exact(), PAIRS, med.latents(step="each"), outcomes, **MORE)
    assert found.provenance["plan"]["studies"] == 2  # of logits, and of what is said
    for name, one in outcomes.items():
        alone = med.mediate(exact(), PAIRS, med.latents(step="each"), one, **MORE).units
        mine = found.units[found.units["outcome"] == name].drop(columns="outcome").reset_index(drop=True)
        assert mine.equals(alone[mine.columns]), name


def test_outcomes_beside_an_answer_of_several_tokens_are_read_before_it():
    outcomes = {
        "words": med.LogProb("w10 w11"),
        "one": med.LogProb(10),
        "compared": med.KL(),
        "own": med.outcome(lambda logits: logits[:, 10] - logits[:, 11]),
    }
    found = med.mediate(exact(), PAIRS, med.latents(), outcomes, **MORE)
    assert "studies" not in found.provenance["plan"]
    for name, outcome in outcomes.items():
        alone = med.mediate(exact(), PAIRS, med.latents(), outcome, **MORE).units
        for world in ("y00", "y01", "y10", "y11"):
            np.testing.assert_allclose(found.outcome(name).units[world], alone[world], rtol=0, atol=1e-6)


def test_each_step_is_ablated_in_turn():
    found = med.ablate(exact(), PAIRS, med.Zero(), OUTCOME, sites=med.latents(step="each"), **MORE).tidy()
    assert list(found["site"]) == [f"latents@{step} (in loop)" for step in range(3)]
    alone = med.ablate(exact(), PAIRS, med.Zero(), OUTCOME, sites=med.latents(step=2), **MORE).tidy()
    assert found["estimate"].iloc[2] == pytest.approx(alone["estimate"].iloc[0], abs=1e-9)


@pytest.mark.parametrize("site", [med.latents(), med.latents(step="each")], ids=str)
def test_a_plan_says_the_most_and_decodes_nothing(site, monkeypatch):
    passes: list[int] = []
    forward = _loop._Batch._forward

    def counted(self: Any, *given: Any, **options: Any) -> Any:
        passes.append(1)
        return forward(self, *given, **options)

    monkeypatch.setattr(_loop._Batch, "_forward", counted)
    plan = med.plan_sweep(exact(), PAIRS, site, OUTCOME, **MORE)
    assert passes == []
    found = med.mediate(exact(), PAIRS, site, OUTCOME, **MORE)
    assert 0 < len(passes) <= plan.n_passes
    assert plan.rows == found.provenance["plan"]["rows"]
    assert plan.worlds == found.provenance["plan"]["worlds"]
    assert plan.new_tokens == 8
    assert "at most 8 new tokens" in str(plan)


def test_units_that_one_outcome_lacks_are_in_the_others():
    """Adding an outcome changes no other: its left-out units are its own, but where bands hold over all."""
    study = make_study(med.load(LinearInteraction()), TENSORS, [World("base"), World("source")], first_output, seed=0)
    whole = run_study(study, Execution(backend=backend_for("hooks")), progress_for(False))
    each = {"whole": whole, "lacking": replace(whole, left_out={1: "never closed"})}
    worlds = {"site": {"y00": World("base"), "y11": World("source")}}
    apart = units_frame(each, {"site": {}}, worlds)
    assert apart[apart["outcome"] == "whole"]["unit"].tolist() == [0, 1, 2]
    assert apart[apart["outcome"] == "lacking"]["unit"].tolist() == [0, 2]
    assert units_frame(each, {"site": {}}, worlds, same_units=True)["unit"].tolist() == [0, 2, 0, 2]
