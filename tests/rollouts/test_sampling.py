from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

import mediation as med
from mediation.rollouts._sampling import Sampler
from tests.rollouts.tiny import PROMPTS, decoder

N = 10
SAMPLING = med.Sampling(1.5, top_k=20, top_p=0.95)


def test_what_is_drawn_follows_the_cut_softmax():
    """Frequencies of 20,000 draws against the probabilities that transformers' own warpers leave."""
    logits = torch.randn(12, generator=torch.Generator().manual_seed(0)) * 2
    n = 20_000
    sampler = Sampler(SAMPLING.__class__(1.3, top_k=8, top_p=0.9), [(unit, 0) for unit in range(n)], seed=0)
    drawn = np.bincount(sampler.draw(logits.expand(n, -1)), minlength=12) / n
    scores = logits[None]
    for warp in (TemperatureLogitsWarper(1.3), TopKLogitsWarper(8), TopPLogitsWarper(0.9)):
        scores = warp(None, scores)
    expected = scores.softmax(-1)[0].numpy()
    assert (drawn[expected == 0] == 0).all()
    assert (expected == 0).any()
    error = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(drawn - expected) <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_unit_draws_the_same_whatever_the_batch(size):
    model = decoder("llama", dtype=torch.float64)
    whole = med.rollout(model, PROMPTS, max_new_tokens=N, sampling=SAMPLING, rng=3)
    other = med.rollout(model, PROMPTS, max_new_tokens=N, sampling=SAMPLING, rng=3, batch_size=size)
    assert whole.ids == other.ids


def test_the_seed_counts_and_units_differ():
    model = decoder("llama")
    same = [[3, 14, 15]] * 4
    one, again, other = (
        med.rollout(model, same, max_new_tokens=N, sampling=SAMPLING, rng=seed).ids for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert len(set(one)) > 1, "each unit has random numbers of its own"


def test_a_low_temperature_is_greedy():
    model = decoder("llama")
    cold = med.rollout(model, PROMPTS, max_new_tokens=N, sampling=med.Sampling(1e-4), rng=0)
    assert cold.ids == med.rollout(model, PROMPTS, max_new_tokens=N).ids


@pytest.mark.filterwarnings(
    "ignore::mediation.errors.DegenerateWarning", "ignore::mediation.errors.WeakTotalEffectWarning"
)
def test_draws_of_a_sampled_thought_are_draws_of_the_units_frame():
    model = decoder("llama", dtype=torch.float64)
    spec = med.LatentSpec("w5", "w6", steps=2)
    pairs = med.Pairs(base=[[3, 1, 5], [9, 2, 5], [4, 4, 5]], source=[[3, 7, 5], [9, 8, 5], [4, 6, 5]])

    @med.outcomes.judge
    def first(told):
        return float(told.answer.split()[0].removeprefix("w"))

    found = med.mediate(
        model, pairs, med.latents(), first, spec=spec, rng=0, n_draws=3, n_resamples=99, max_new_tokens=5,
        sampling=med.Sampling(2.0),
    )  # fmt: skip
    units = found.units
    assert sorted(set(units["draw"])) == [0, 1, 2]
    assert units.groupby("unit")["y00"].nunique().max() > 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"temperature": 0}, "temperature = 0: a number above 0"),
        ({"temperature": "hot"}, "temperature = 'hot'"),
        ({"top_k": 0}, "top_k = 0"),
        ({"top_p": 1.5}, "top_p = 1.5: a number above 0 and at most 1"),
    ],
)
def test_wrong_settings(arguments, says):
    with pytest.raises(med.errors.DesignError) as error:
        med.Sampling(**arguments)
    assert says in str(error.value)


def test_a_token_that_was_cut_is_not_drawn_by_the_smallest_number(monkeypatch):
    sampler = Sampler(med.Sampling(top_k=2), [(0, 0)], seed=0)
    monkeypatch.setattr(sampler, "_generators", [type("Zero", (), {"random": lambda self: 0.0})()])
    assert sampler.draw(torch.tensor([[0.0, 0.0, 5.0, 4.0, 0.0]])) == [2]


def test_a_row_that_stays_keeps_its_random_numbers():
    who, logits = [(0, 0), (1, 0), (2, 1), (3, 0)], torch.zeros(1, 1000)
    sampler = Sampler(med.Sampling(), who, seed=5)
    sampler.draw(logits.expand(4, -1))
    sampler.keep([1, 3])
    found = [sampler.draw(logits.expand(2, -1)) for _ in range(3)]
    for place, one in enumerate((who[1], who[3])):
        alone = Sampler(med.Sampling(), [one], seed=5)
        alone.draw(logits)
        assert [draws[place] for draws in found] == [alone.draw(logits)[0] for _ in range(3)]
    sampler.restart(1, after=2)
    alone.restart(0, after=2)
    assert sampler.draw(logits.expand(2, -1))[1] == alone.draw(logits)[0]


def test_what_follows_each_thought_has_random_numbers_of_its_own():
    logits, found = torch.zeros(1, 100_000), []
    for after in (None, 1, 2):
        sampler = Sampler(med.Sampling(), [(0, 0)], seed=5)
        if after is not None:
            sampler.draw(logits)  # however long the thought was
            sampler.restart(0, after=after)
        found.append(sampler.draw(logits)[0])
    assert len(set(found)) == 3
