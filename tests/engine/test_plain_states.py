"""Growing passes begin from what plain runs left: the right rows and tokens, also of what had been dropped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mediation as med
from mediation import LogitDiff, attention, mlp, residual
from mediation.engine import HookBackend, make_study
from mediation.engine.captured._activations import Activations
from mediation.engine.captured._plain_states import PlainStates
from mediation.engine.fanout import Grouping
from mediation.engine.oracle._reference import Reference
from mediation.engine.passes._rows import Row, capture_rows
from mediation.engine.plan import _chunks
from mediation.engine.plan._states import PlannedStates
from mediation.testing import tiny_model
from tests.engine.studies import exchanges, gap, token_pairs, values
from tests.engine.test_plans import passes, planned

OUTCOME = LogitDiff(5, 6)
RAGGED = token_pairs((5, 7, 7))
SITES = (residual(0, at=1), residual(1, at="last"), mlp(1, at=2), attention(1, head=1, at=1))


def a_study(family="llama"):
    return make_study(med.load(tiny_model(family)), RAGGED, exchanges(SITES), OUTCOME, seed=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_hidden_states_are_those_of_one_input_alone(side):
    study = a_study()
    states, naive, whole = PlainStates(study, HookBackend()), Reference(study), residual(1, at="last")
    for units in ([0, 1], [2]):  # two batches, the first with padding
        rows = [Row(-1, "base", unit, 0) for unit in units]
        capture_rows(study, HookBackend(), rows, (), Activations(study), side=side, states=states)
    states.run(1, [("source", 1)])  # without padding
    for lanes in ([("base", 1), ("base", 2)], [("base", 2), ("base", 1)], [("base", 1)], [("base", 2), ("source", 1)]):
        found = states.of(lanes).hidden(1, 4, 7)
        assert found.shape[:2] == (len(lanes), 3)
        for (run, unit), hidden in zip(lanes, found, strict=True):
            torch.testing.assert_close(hidden[-1:], naive.activation(whole, run, unit), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "gemma3"])
def test_what_was_dropped_is_run_again(family, monkeypatch):
    monkeypatch.setattr(_chunks, "held_budget", lambda _: 1)  # what is needed next alone is held
    model = med.load(tiny_model(family))
    plan, report, counted = planned(model, RAGGED, exchanges(SITES))
    assert plan.passes["again"].passes > 0
    assert passes(plan) == (report["passes"], report["rows"], report["fan_out_rows"])
    assert plan.flops_planned == pytest.approx(counted, rel=0.02)
    found = values(model, RAGGED, exchanges(SITES), OUTCOME, checks=0)
    expected = values(model, RAGGED, exchanges(SITES), OUTCOME, backend="reference")
    assert gap(found, expected) < 1e-4


def test_keeping_what_is_missing_does_not_lose_what_is_needed_with_it():
    states = PlannedStates(a_study(), room=1)
    assert states.keep(0, [("base", 1)], 7) == ()
    assert states.keep(1, [("base", 2)], 7) == (0,)
    needed = [("base", 2), ("source", 2)]
    assert states.missing(needed) == [("source", 2)]
    assert states.keep(2, [("source", 2)], 7, needed) == ()
    assert states.missing(needed) == []
    assert states.keep(3, [("base", 0)], 7) == (1, 2)


def test_no_block_runs_for_the_plain_run_again():
    study = a_study()
    assert {slot.born for group in _groups(study) for slot in group.slots} == {0, 1}
    for group in _groups(study):
        n = len(group.lanes)
        counts = [n * sum(slot.born < block for slot in group.slots) for block in range(4)]
        assert group.alive(4) == [max(1, count) for count in counts]


def _groups(study):
    placed = [study.placed(one) for one in study.worlds]
    worlds = np.flatnonzero([one.assignment is not None for one in study.worlds])
    every = np.ones((len(worlds), 3), dtype=bool)
    return list(Grouping(study, placed, tokens=2048, rows_per_pass=None).groups(worlds, [0, 1, 2], every))
