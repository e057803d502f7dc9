"""Means and spreads of thoughts, where a changed run opens one more than any plain run has."""

from __future__ import annotations

import pytest
import torch

import mediation as med
from mediation.interventions import Moment
from mediation.rollouts._thoughts import Thought, Thoughts

PAIRS = med.Pairs(base=[[3, 4], [5, 6]], source=[[7, 8], [9, 10]])
FIRST = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0]])


def thoughts(*given):
    found = Thoughts(PAIRS, 0)
    for unit, latents in enumerate(given):
        found.put("source", unit, 0, Thought(latents=latents))
    return found


def test_a_thought_that_no_plain_run_has_takes_the_moment_of_the_last_one():
    need, found = Moment("mean", over="tokens"), thoughts((FIRST[0],), (FIRST[1],))
    assert found.moment(need, "source", 0).tolist() == [[3.0, 4.0]]
    assert found.moment(need, "source", 1).tolist() == [[3.0, 4.0]]


def test_a_second_thought_of_one_unit_has_a_moment_of_its_own():
    need, found = Moment("mean", over="tokens"), thoughts((FIRST[0], FIRST[1]), (FIRST[1],))
    assert found.moment(need, "source", 1).tolist() == [[5.0, 6.0]]
    assert found.moment(need, "source", 2).tolist() == [[5.0, 6.0]]


def test_without_thoughts_there_is_no_moment():
    with pytest.raises(
        med.errors.DesignError, match="No unit has a latent thought in its source run, so there is no mean"
    ):
        thoughts((), ()).moment(Moment("mean"), "source", 0)
