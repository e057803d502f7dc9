from __future__ import annotations

import pytest

import mediation as med
from mediation.rollouts._spans import between, text_segments
from mediation.testing import tiny_tokenizer
from tests.rollouts.tiny import PROMPTS, decoder

SPEC = med.TextSpec("<think_image>", "</think_image>")


def _segments(text: str, prompt: str = "what?", spec: med.TextSpec = SPEC):
    tokenizer = tiny_tokenizer()
    ids = tokenizer.encode(text)
    found = text_segments(tokenizer, tokenizer.encode(prompt), ids, spec)
    return ids, [tokenizer.decode(ids[a:b]) for a, b in found], found


def test_markers_of_several_tokens_are_found():
    tokenizer = tiny_tokenizer()
    assert len(tokenizer.encode(SPEC.start)) > 3
    ids, inside, _ = _segments("So <think_image> the red cart </think_image> is on the left.")
    assert inside == [" the red cart"]
    assert ids


def test_two_thoughts_an_open_one_and_an_empty_one():
    assert _segments("<think_image>a</think_image>b<think_image>c</think_image>")[1] == ["a", "c"]
    assert _segments("x <think_image>not closed")[1] == ["not closed"]
    ids, inside, found = _segments("x<think_image></think_image>y")
    assert inside == [""]
    assert tiny_tokenizer().decode(ids[: found[0][0]]).startswith("x<think_image")
    assert tiny_tokenizer().decode(ids[found[0][0] :]).endswith("/think_image>y")
    assert _segments("no thought </think_image> here")[1] == []
    assert _segments("<think_image> \n </think_image>")[1] == [""]


def test_the_prompt_may_open_the_thought():
    assert _segments("a cart</think_image> red", prompt="what? <think_image>\n")[1] == ["a cart"]
    assert _segments("a cart</think_image> red", prompt="what? <think_image> is a word")[1] == []


def test_letters_of_several_bytes_belong_to_all_of_their_tokens():
    ids, inside, _ = _segments("<think_image>é😀</think_image>")
    tokenizer = tiny_tokenizer()
    assert len(tokenizer.encode("é😀")) == 6
    assert inside[0] == "é😀"
    start, stop = _segments("<think_image>é😀</think_image>")[2][0]
    assert ids[start:stop] == tokenizer.encode("é😀")


def test_a_rollout_records_the_text_between_the_markers():
    model = decoder("llama")
    plain = med.rollout(model, PROMPTS, max_new_tokens=12)
    ids = plain.ids[1]
    first, last = ids[2], next(token for token in ids[5:] if token not in ids[:5])
    stop = ids.index(last)
    spec = med.TextSpec(f"w{first}", f"w{last}")
    found = med.rollout(model, PROMPTS, spec, max_new_tokens=12)
    assert found.ids == plain.ids
    assert found.text == plain.text
    assert found.segments[1][0] == (ids.index(first) + 1, stop)
    assert "text segments of" in repr(found)
    assert all(len(z) == 0 for z in found.latents)


@pytest.mark.parametrize("end", ["</i>", "<end>"])
def test_an_end_of_sequence_token_is_not_part_of_an_open_thought(end):
    model = decoder("llama")
    ids = med.rollout(model, PROMPTS[1:2], max_new_tokens=12).ids[0]
    eos = next(token for token in ids[4:] if token not in ids[:4])
    last = ids.index(eos)
    ended = decoder("llama", eos=eos)
    spare = next(i for i in range(58) if i not in ids)
    found = med.rollout(ended, PROMPTS[1:2], med.TextSpec(f"w{ids[1]}", f"w{spare}"), max_new_tokens=12)
    assert found.stopped == ("eos",)
    assert found.segments[0][-1][1] == last


def test_a_start_marker_inside_of_the_end_marker_opens_nothing():
    spec = med.TextSpec("think>", "</think>")
    assert list(between("a think>b</think> c think>d</think>", spec, opened=False)) == [(8, 9), (26, 27)]
    assert list(between("b</think> c", spec, opened=True)) == [(0, 1)]
