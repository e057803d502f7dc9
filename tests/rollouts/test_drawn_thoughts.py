"""Randomness in thoughts, by unit and by draw, and which state ends a thought that is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import mediation as med
from mediation.engine.study._draws import noise
from mediation.rollouts._edits import TextPlan, Where
from mediation.rollouts._thoughts import Thought, Thoughts
from tests.rollouts.replay import BASE, END, OUTCOME, SPEC, START, STEPS, answer, exact, thought
from tests.rollouts.tiny import words

pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)
DRAWS = 3
PROMPT = [3, 14, 15, START]


@pytest.mark.parametrize("when", ["in-loop", "after-the-fact"])
def test_each_draw_and_unit_has_noise_of_its_own(when):
    model = exact()
    arm = med.GaussianNoise(0.5, replace=True, stream=2).at(med.latents(when=when))
    found = med.ablate(model, med.Pairs(base=BASE), arm, OUTCOME, spec=SPEC, rng=4, n_resamples=99, n_draws=DRAWS)
    changed = found.units.set_index(["unit", "draw"])["ym"]
    assert len(changed) == len(BASE) * DRAWS
    for unit, prompt in enumerate(BASE):
        for draw in range(DRAWS):
            fed = 0.5 * noise((STEPS, 16), seed=4, unit=unit, draw=draw, stream=2).double()
            assert changed[unit, draw] == pytest.approx(answer(model, prompt, fed), abs=1e-8), (unit, draw)
    assert (changed.groupby("unit").std() > 1e-3).all()


def test_equal_thoughts_of_two_units_have_noise_of_their_own():
    pairs = med.Pairs(base=[BASE[0]] * 4)
    arm = med.GaussianNoise(0.5).at(med.latents())
    found = med.ablate(exact(), pairs, arm, OUTCOME, spec=SPEC, rng=0, n_resamples=99).units
    assert found["y"].nunique() == 1
    assert found["ym"].nunique() == 4


TEXT = "w1 w2 w3 w4 w5 w6 w7 w8"


def rewritten(what, *, unit: int = 0, draw: int = 0, segment: int = 0, seed: int = 0) -> tuple[int, ...]:
    """Return the words that stand for a thought, the same in every unit, draw and segment."""
    thoughts = Thoughts(med.Pairs(base=[[1]] * 9), seed, sampled=True)
    same = Thought(texts=(TEXT,) * 3, bodies=((1, 2, 3, 4, 5, 6, 7, 8, END),) * 3)
    for of in range(9):
        for number in range(4):
            thoughts.put("base", of, number, same)
    where = Where(
        run="base", unit=unit, draw=draw, thoughts=thoughts, steps=0, spec=med.TextSpec(f"w{START}", f" w{END}"),
        tokenizer=words(),
    )  # fmt: skip
    return TextPlan([(med.imagination(), what)], where).body(segment)


@pytest.mark.parametrize("what", [med.rewrites.ShuffleWords(), med.rewrites.RandomWords()], ids=repr)
def test_equal_written_thoughts_are_changed_in_ways_of_their_own(what):
    of = {
        "unit": [rewritten(what, unit=unit) for unit in range(5)],
        "draw": [rewritten(what, draw=draw) for draw in range(4)],
        "segment": [rewritten(what, segment=segment) for segment in range(3)],
        "seed": [rewritten(what, seed=seed) for seed in range(5)],
    }
    for name, found in of.items():
        assert len(set(found)) == len(found), name
        assert all(ids[-1] == END for ids in found)
    assert rewritten(what, unit=3, draw=2) == rewritten(what, unit=3, draw=2)
    if what == med.rewrites.ShuffleWords():
        assert {tuple(sorted(ids[:-1])) for found in of.values() for ids in found} == {(1, 2, 3, 4, 5, 6, 7, 8)}


@pytest.fixture
def with_goal():
    """A model that has a vector, near which thoughts end, and a function that sets it."""
    model = exact()
    model.module.register_buffer("goal", torch.zeros(16, dtype=torch.float64), persistent=False)
    yield model, model.module.goal.copy_
    del model.module.goal


NEAR = replace(SPEC, steps=5, stop=med.specs.Near("goal", 1e-9))


def test_a_state_that_is_put_near_the_vector_ends_the_thought(with_goal):
    model, set_goal = with_goal
    set_goal(torch.linspace(-1, 1, 16))
    at = med.latents(step=2)
    found = med.rollout(model, [PROMPT], NEAR, max_new_tokens=9, assignment=med.Constant(np.linspace(-1, 1, 16)).at(at))
    assert med.rollout(model, [PROMPT], NEAR, max_new_tokens=9).segments == (((0, 5),),)
    assert found.segments == (((0, 3),),)
    torch.testing.assert_close(found.latents[0][2].double(), torch.linspace(-1, 1, 16).double(), atol=1e-6, rtol=0)


def test_the_models_own_state_near_the_vector_does_not_where_another_is_fed(with_goal):
    model, set_goal = with_goal
    set_goal(thought(model, PROMPT, steps=5)[1])
    assert med.rollout(model, [PROMPT], NEAR, max_new_tokens=9).segments == (((0, 2),),)
    found = med.rollout(model, [PROMPT], NEAR, max_new_tokens=9, assignment=med.Scale(-3.0).at(med.latents(step=1)))
    assert found.segments == (((0, 5),),)
