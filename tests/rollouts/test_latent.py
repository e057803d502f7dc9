from __future__ import annotations

import functools

import pytest
import torch

import mediation as med
from tests.rollouts.tiny import FAMILIES, HIDDEN, PROMPTS, VOCABULARY, decoder, straight_line

N = 20
END, PAD = "w2", "w0"
# A loop that feeds on itself enlarges rounding errors, so the loops are compared in double precision.
double = functools.partial(decoder, dtype=torch.float64)


def _spec(start: int, **changes) -> med.LatentSpec:
    return med.LatentSpec(start=f"w{start}", **{"end": END, "steps": 4, "pad": PAD, "record": "pad"} | changes)


@functools.cache
def _said(family: str) -> int:
    """A token that the model says by itself, in different rows at different steps, and not at the very end."""
    plain = med.rollout(double(family), PROMPTS, max_new_tokens=N)

    def worth(token: int) -> int:
        first = {ids.index(token) for ids in plain.ids if token in ids[: N - 8]}
        return len(first - {0})

    best = max((t for t in range(VOCABULARY) if t not in (0, 2)), key=worth)
    assert worth(best) >= 2
    return best


SHAPES = {
    "mirage-like": {"record": "pad", "force_end": True, "feed_start_token": True},
    "lvr-like": {"record": "sampled", "force_end": False, "feed_start_token": True},
    "monet-like": {"record": "sampled", "force_end": True, "feed_start_token": False},
    "one": {"steps": 1, "feed_start_token": False},
    "none": {"steps": 0, "feed_start_token": False},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
@pytest.mark.parametrize("shape", SHAPES)
def test_latents_and_tokens_are_those_of_a_straight_line(family, backend, shape):
    model, start = double(family), _said(family)
    spec = _spec(start, **SHAPES[shape])
    # The last prompt opens a thought itself.
    prompts = [*PROMPTS, [11, 4, start]]
    found = med.rollout(model, prompts, spec, max_new_tokens=N, backend=backend)
    entered = set()
    for row, prompt in enumerate(prompts):
        ids, latents, where = straight_line(model, prompt, spec, N)
        assert list(found.ids[row]) == ids
        torch.testing.assert_close(found.latents[row], latents, atol=1e-5, rtol=1e-5)
        assert [p for a, b in found.segments[row] for p in range(a, b)] == where
        entered.add(where[0] if where else None)
    assert (len(entered) > 2) == (spec.steps > 0), "rows should open their thoughts at different steps"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", ["mirage-like", "monet-like"])
def test_a_batch_equals_one_by_one(family, shape):
    model, spec = double(family), _spec(_said(family), **SHAPES[shape])
    batch = med.rollout(model, PROMPTS, spec, max_new_tokens=N)
    for size in (1, 2):
        other = med.rollout(model, PROMPTS, spec, max_new_tokens=N, batch_size=size)
        assert (batch.ids, batch.segments, batch.text) == (other.ids, other.segments, other.text)
        for mine, theirs in zip(batch.latents, other.latents, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", ["mirage-like", "lvr-like", "monet-like"])
def test_no_steps_is_plain_generation(family, shape):
    model, start = double(family), _said(family)
    spec = _spec(start, **SHAPES[shape] | {"steps": 0})
    prompts = [*PROMPTS, [11, 4, start]]
    found, plain = (med.rollout(model, prompts, s, max_new_tokens=N) for s in (spec, None))
    assert found.ids == plain.ids
    assert found.text == plain.text
    assert all(len(z) == 0 for z in found.latents)
    assert found.segments[-1][0] == (0, 0)
    assert med.rollout(model, prompts, _spec(start), max_new_tokens=N).ids != plain.ids


def test_what_a_forced_thought_looks_like():
    found = med.rollout(double("llama"), [[11, 4, 5]], _spec(5), max_new_tokens=10)
    assert found.ids[0][:5] == (0, 0, 0, 0, 2)
    assert found.segments[0][0] == (0, 4)
    assert found.text[0].startswith("w2 ")
    assert found.latents[0].dtype == torch.float32
    assert repr(found).startswith("<Trajectory n=1, 10 tokens, ")
    assert "latent segments of" in repr(found)


def test_the_start_token_stays_in_the_text_though_a_latent_takes_its_place():
    start = _said("llama")
    spec = _spec(start, feed_start_token=False, record="sampled")
    found = med.rollout(double("llama"), PROMPTS, spec, max_new_tokens=N)
    opened = [(row, spans[0]) for row, spans in enumerate(found.segments) if spans and spans[0][1] + 1 < N]
    assert opened
    for row, (first, stop) in opened:
        assert found.ids[row][first] == start
        assert stop - first == spec.steps
        assert found.ids[row][stop] == 2
        assert found.text[row].split()[first : first + 2] == [spec.start, END]


def test_several_thoughts_in_one_row():
    for start in range(3, VOCABULARY):
        spec = med.LatentSpec(f"w{start}", END, steps=2, force_end=False)
        found = med.rollout(double("llama"), PROMPTS, spec, max_new_tokens=N)
        row = max(range(len(PROMPTS)), key=lambda unit: len(found.segments[unit]))
        if len(found.segments[row]) >= 3:
            break
    else:
        raise AssertionError("this model opens no three thoughts")
    ids, latents, where = straight_line(double("llama"), PROMPTS[row], spec, N)
    assert list(found.ids[row]) == ids
    assert [p for a, b in found.segments[row] for p in range(a, b)] == where
    torch.testing.assert_close(found.latents[row], latents, atol=1e-5, rtol=1e-5)


def test_a_thought_cut_by_the_length_limit_keeps_what_there_was():
    found = med.rollout(double("llama"), [[11, 4, 5]], _spec(5, steps=9), max_new_tokens=3)
    assert found.ids == ((0, 0, 0),)
    assert found.segments == (((0, 3),),)
    assert found.latents[0].shape == (3, HIDDEN)
    assert found.stopped == ("length",)
    assert found.text == ("",)


def test_nothing_ends_a_row_inside_a_thought():
    plain = med.rollout(double("llama"), [[11, 4, 5]], _spec(5, record="sampled", steps=6), max_new_tokens=6)
    said = plain.ids[0][3]
    model = double("llama", eos=said)
    spec = _spec(5, record="sampled", steps=6, force_end=True)
    found = med.rollout(model, [[11, 4, 5]], spec, max_new_tokens=8, stop=f"w{said}")
    assert found.ids[0][:6] == plain.ids[0]
    assert found.segments[0][0] == (0, 6)
    assert found.ids[0][6] == 2
