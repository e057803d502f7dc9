"""What an answer may read: `answer_from` of a spec against runs in which what is hidden was never fed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import mediation as med
from mediation.rollouts._again import marker_again
from tests.rollouts.hiding import BASE, SOURCE, latent_line, prompt_of, written_line
from tests.rollouts.tiny import FAMILIES, VOCABULARY, decoder, words
from tests.rollouts.vision import asked, thinker
from tests.rollouts.writer import BASE as WRITTEN_BASE, END, SOURCE as WRITTEN_SOURCE, START, writer

HIDING = ["thought", "prompt"]
MODES = ["everything", *HIDING]
WORDS = list(range(VOCABULARY))


def _same(line, found: med.rollouts.Trajectory, row: int) -> None:
    assert list(found.ids[row]) == line.ids, row
    torch.testing.assert_close(found.log_probs[row], torch.stack(line.logs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("feeds", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_latent_thoughts_of_texts(family, feeds, mode):
    """Rows that open at once, and rows that open later and several times, alone and together."""
    model = decoder(family)
    # A word that the model says, though not at once, so that thoughts open in the middle too.
    said = med.rollout(model, list(map(prompt_of, BASE[3:])), max_new_tokens=14, backend="hooks").ids
    start = next(word for ids in said for word in ids if ids[0] != word)
    spec = med.LatentSpec(f"w{start}", "w6", steps=3, feed_start_token=feeds, answer_from=mode)
    inputs = [prompt_of(words, start if row < 3 else None) for row, words in enumerate(BASE)]
    found = med.rollout(model, inputs, spec, max_new_tokens=14, log_probs=WORDS)
    assert len({spans[0] for spans in found.segments if spans}) > 1, "thoughts should open at different steps"
    for row, prompt in enumerate(inputs):
        line = latent_line(model, prompt, spec, 14)
        _same(line, found, row)
        _same(line, med.rollout(model, [prompt], spec, max_new_tokens=14, log_probs=WORDS, backend="hooks"), 0)


SPEC = med.LatentSpec("<|latent_start|>", "<|latent_end|>", steps=4, pad="<|latent_pad|>")


@pytest.mark.parametrize("mode", MODES)
def test_latent_thoughts_of_pictures(mode):
    """Three axes of positions; the fifth row has no picture."""
    model, spec = thinker("qwen2_5_vl"), replace(SPEC, answer_from=mode)
    text = f"Is it red, or is it blue?{spec.start}"
    inputs = [*asked(model, answer=spec.start), med.Prompt(text, question="Is it red, or is it blue?")]
    tokens = [3, 50, 100, 200]
    found = med.rollout(model, inputs, spec, max_new_tokens=12, log_probs=tokens)
    for row, prompt in enumerate(inputs):
        line = latent_line(model, prompt, spec, 12)
        assert list(found.ids[row]) == line.ids
        torch.testing.assert_close(found.log_probs[row], torch.stack(line.logs)[:, tokens], atol=1e-5, rtol=1e-5)
        alone = med.rollout(model, [prompt], spec, max_new_tokens=12, log_probs=tokens, backend="hooks")
        assert list(alone.ids[0]) == line.ids
        torch.testing.assert_close(alone.log_probs[0], torch.stack(line.logs)[:, tokens], atol=1e-5, rtol=1e-5)


WRITTEN = [[3, 14, 15], [9, 2, 35, 8, 9], [7, 30], [31, 41, 59, 26], [1, 3, 14, 15]]


@pytest.mark.parametrize("mode", MODES)
def test_written_thoughts(mode):
    model = writer()
    spec = med.TextSpec(f"w{START}", f"w{END}", answer_from=mode)
    inputs = [prompt_of(words, START) for words in WRITTEN]
    found = med.rollout(model, inputs, spec, max_new_tokens=12, log_probs=WORDS)
    assert len({spans[0][1] for spans in found.segments}) > 1, "thoughts should end at different steps"
    for row, prompt in enumerate(inputs):
        line = written_line(model, prompt, spec, 12)
        _same(line, found, row)
        _same(line, med.rollout(model, [prompt], spec, max_new_tokens=12, log_probs=WORDS, backend="hooks"), 0)


@pytest.mark.parametrize("mode", MODES)
def test_written_thoughts_that_the_model_opens(mode):
    """Both markers are words that the model says."""
    model = decoder("llama")
    inputs = [prompt_of(words) for words in BASE]
    said = med.rollout(model, inputs, max_new_tokens=14, backend="hooks").ids
    start, end = next((ids[i], ids[i + 2]) for ids in said for i in range(1, 12) if len({*ids[i - 1 : i + 3]}) == 4)
    spec = med.TextSpec(f"w{start}", f"w{end}", answer_from=mode)
    found = med.rollout(model, inputs, spec, max_new_tokens=14, log_probs=WORDS)
    assert any(spans and spans[0][0] > 1 for spans in found.segments), "a thought should open in the middle"
    for row, prompt in enumerate(inputs):
        _same(written_line(model, prompt, spec, 14), found, row)


def test_a_token_that_holds_the_marker_and_more():
    """What stands before the start marker is read again with it, and what stands after it is not."""

    class Letters:
        def decode(self, ids: list[str]) -> str:
            return "".join(ids)

        def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [ord(letter) for letter in text]}

    spec = med.TextSpec("<i>", "</i>", answer_from="prompt")
    count, again = marker_again(spec, ["ab", "c<", "i", ">so"], Letters())
    assert (count, "".join(map(chr, again))) == (3, "c<i></i>")
    count, again = marker_again(spec, [], Letters())
    assert (count, "".join(map(chr, again))) == (0, "</i>")


# ------------------------------------------------------------------------------------------ effects by construction
def _effects(model: med.Model, spec, inputs, site: med.sites.ThoughtSite, outcome, **more) -> dict[str, float]:
    """The largest absolute value of any unit's effects."""
    base, source = inputs
    asked_for = ["te", "pnde", "tnde", "pnie", "tnie"]
    found = med.mediate(
        model, med.Pairs(base=base, source=source), site, outcome, spec=spec, rng=0, n_resamples=99, **more
    ).units
    y00, y01, y10, y11 = (found[name].to_numpy() for name in ("y00", "y01", "y10", "y11"))
    effects = {"te": y11 - y00, "pnde": y10 - y00, "tnde": y11 - y01, "pnie": y01 - y00, "tnie": y11 - y10}
    return {name: float(abs(effects[name]).max()) for name in asked_for}


def _zero_by_construction(mode: str, found: dict[str, float]) -> None:
    gone = ("pnie", "tnie") if mode == "prompt" else ("pnde", "tnde")
    assert found["te"] > 1e-3
    assert [found[name] for name in gone] == [0.0, 0.0]
    assert all(found[name] > 1e-3 for name in ("pnie", "pnde") if name not in gone)


@pytest.mark.parametrize("mode", HIDING)
@pytest.mark.parametrize("backend", ["hooks", "nnsight"])
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")
def test_effects_through_latents_of_pictures(mode, backend):
    model, spec = thinker("qwen2_5_vl"), replace(SPEC, answer_from=mode)
    source = asked(model, answer=spec.start)
    base = med.do(source, med.Constant(0.5).at(med.image()))
    outcome = med.LogitDiff(" Paris", " Rome")
    found = _effects(model, spec, (base, source), med.latents(), outcome, backend=backend)
    _zero_by_construction(mode, found)
    cued = med.outcomes.Cued(outcome, " the city")
    _zero_by_construction(mode, _effects(model, spec, (base, source), med.latents(), cued, backend=backend))


@pytest.mark.parametrize("mode", HIDING)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")
def test_effects_through_latents_of_texts(family, mode):
    """Base and source have the same question, and differ before it."""
    spec = med.LatentSpec("w5", "w6", steps=3, answer_from=mode)
    inputs = [[prompt_of(words, 5) for words in run] for run in (BASE, SOURCE)]
    _zero_by_construction(mode, _effects(decoder(family), spec, inputs, med.latents(), med.LogitDiff(10, 11)))


@pytest.mark.parametrize("mode", HIDING)
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
@pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")
def test_effects_through_written_thoughts(mode):
    model, spec = writer(), med.TextSpec(f"w{START}", f"w{END}", answer_from=mode)
    # The last word before the marker is the same in base and source, but for one unit.
    same = [unit for unit in range(4) if WRITTEN_BASE[unit][-2] == WRITTEN_SOURCE[unit][-2]]
    base, source = ([prompt_of(run[i][:-1], START, last=1) for i in same] for run in (WRITTEN_BASE, WRITTEN_SOURCE))
    found = _effects(model, spec, (base, source), med.imagination(), med.LogitDiff(10, 11))
    _zero_by_construction(mode, found)


# ------------------------------------------------------------------------------------------ what cannot leak
def _after(found: med.rollouts.Trajectory, row: int, end: int) -> tuple[list[int], torch.Tensor]:
    """What a row says after the first end token, and the log-probabilities there."""
    at = list(found.ids[row]).index(end) + 1
    return list(found.ids[row][at:]), found.log_probs[row][at:]


ARMS = {
    "zero": med.Zero(),
    "large": med.Constant(torch.full((16,), 1e4)),
    "skipped": med.interventions.Skip(),
    "shorter": med.interventions.Shorten(1),
    "shuffled": med.interventions.ShuffleSteps(),
    "first": med.interventions.FirstRepeat(),
    "other": med.Swap(),
}


@pytest.mark.parametrize("sampling", [None, med.Sampling(0.9)])
@pytest.mark.parametrize("feeds", [True, False])
def test_prompt_nothing_of_the_thought_gets_out(feeds, sampling):
    """Whatever it holds and however long it is; also where the start token's position is its first latent."""
    model = decoder("llama")
    said = med.rollout(model, list(map(prompt_of, BASE[3:])), max_new_tokens=14, backend="hooks").ids
    start = next(word for ids in said for word in ids if ids[0] != word)
    row = next(row for row, ids in enumerate(said) if start in ids)
    spec = med.LatentSpec(f"w{start}", "w6", steps=3, feed_start_token=feeds, segments=1, answer_from="prompt")
    inputs = [prompt_of(BASE[0], start), prompt_of(BASE[3 + row])]
    more: dict[str, Any] = {
        "max_new_tokens": 14,
        "log_probs": WORDS,
        "sampling": sampling,
        "rng": 3,
        "backend": "hooks",
    }
    if sampling is not None:
        inputs, more["max_new_tokens"] = inputs[:1], 12
    plain = med.rollout(model, inputs, spec, **more)
    for name, what in ARMS.items():
        if len(inputs) == 1 and name == "other":
            continue
        found = med.rollout(model, inputs, spec, assignment=what.at(med.latents(when="after-the-fact")), **more)
        for unit in range(len(inputs)):
            ids, logs = _after(found, unit, 6)
            expected, before = _after(plain, unit, 6)
            n = min(len(ids), len(expected))
            assert n > 2
            assert ids[:n] == expected[:n], name
            torch.testing.assert_close(logs[:n], before[:n], atol=1e-5, rtol=1e-5)


def test_prompt_to_the_bit_in_one_batch():
    spec = med.LatentSpec("w5", "w6", steps=3, answer_from="prompt")
    inputs = [prompt_of(words, 5) for words in BASE]
    runs = [
        med.rollout(decoder("llama"), inputs, spec, max_new_tokens=9, log_probs=WORDS, assignment=what)
        for what in (med.Zero().at(med.latents()), med.Constant(torch.ones(16)).at(med.latents()))
    ]
    for row in range(len(inputs)):
        one, other = (_after(found, row, 6) for found in runs)
        assert one[0] == other[0]
        assert bool((one[1] == other[1]).all())


@pytest.mark.parametrize("sampling", [None, med.Sampling(0.9)])
def test_thought_nothing_but_the_thought_gets_in(sampling):
    """Other pictures, and text before the thought that differs in length: the same thought and question, one answer."""
    model = thinker("qwen2_5_vl")
    spec = replace(SPEC, answer_from="thought")
    inputs = asked(model, answer=spec.start)
    others = [
        replace(one.with_(images=pictures.images), text="<|im_end|>" + one.text, offset=one.offset + len("<|im_end|>"))
        for one, pictures in zip(inputs, asked(model, seed=9)[::-1], strict=True)
    ]
    values = [torch.randn(3, 32, generator=torch.Generator().manual_seed(unit)) for unit in range(len(inputs))]
    given = med.interventions.Oracle(tuple(values)).at(med.latents())
    runs = [
        med.rollout(model, some, spec, max_new_tokens=12, assignment=given, log_probs=[3, 50], sampling=sampling, rng=1)
        for some in (inputs, others)
    ]
    end = model.tokenizer.convert_tokens_to_ids(spec.end)
    for row in range(len(inputs)):
        one, other = (_after(found, row, end) for found in runs)
        assert one[0] == other[0]
        torch.testing.assert_close(one[1], other[1], atol=1e-5, rtol=1e-5)


def test_markers_of_several_tokens_and_thoughts_that_are_put_in():
    """A skipped written thought between markers of two words each: what is read is spelled out."""
    model = decoder("llama")
    prompt = med.Prompt("w3 w14 w15 w20 w21", question="w14 w15")
    skip = med.interventions.Skip().at(med.imagination())
    seen = {
        "everything": [3, 14, 15, 20, 21, 22, 23],
        "prompt": [3, 14, 15, 20, 21, 22, 23],
        "thought": [22, 23, 14, 15],
    }
    for mode, fed in seen.items():
        spec = med.TextSpec("w20 w21", "w22 w23", answer_from=mode)
        found = med.rollout(model, [prompt], spec, assignment=skip, max_new_tokens=5, log_probs=WORDS)
        assert found.ids[0][:2] == (22, 23)
        with torch.no_grad():
            logs = torch.log_softmax(model.module(torch.tensor([fed])).logits[0, -1], dim=-1)
        torch.testing.assert_close(found.log_probs[0][2], logs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", HIDING)
def test_written_thoughts_that_are_replaced(mode):
    """The words that were put in are the ones that are read again."""
    model, put_in = writer(), [[40, 41, 42], [43], [44, 45], [46, 47, 48, 49]]
    inputs = [prompt_of(one[:-1], START, last=1) for one in WRITTEN_BASE]
    texts = tuple(" ".join(f"w{word}" for word in some) for some in put_in)
    spec = med.TextSpec(f"w{START}", f"w{END}", answer_from=mode)
    put = med.rewrites.ReplaceText(texts).at(med.imagination())
    found = med.rollout(model, inputs, spec, assignment=put, max_new_tokens=9, log_probs=WORDS)
    for row, (some, prompt) in enumerate(zip(put_in, WRITTEN_BASE, strict=True)):
        assert list(found.ids[row][: len(some) + 1]) == [*some, END]
        fed = [*prompt, END] if mode == "prompt" else [*some, END, prompt[-2]]
        with torch.no_grad():
            logs = torch.log_softmax(model.module(torch.tensor([fed])).logits[0, -1].float(), dim=-1)
        torch.testing.assert_close(found.log_probs[row][len(some) + 1], logs, atol=1e-5, rtol=1e-5)


# ------------------------------------------------------------------------------------------ what does not change
def test_nothing_is_masked_where_nothing_is_hidden():
    """Prompts of one length have no mask, unless a thought is to be hidden."""
    model, seen = decoder("llama"), []
    hook = model.module.register_forward_pre_hook(
        lambda module, args, inputs: seen.append(inputs.get("attention_mask") is not None), with_kwargs=True
    )
    try:
        for mode, masked in (("everything", False), ("thought", True), ("prompt", True)):
            seen.clear()
            spec = med.LatentSpec("w5", "w6", steps=2, answer_from=mode)
            found = med.rollout(model, [prompt_of(BASE[0], 5)], spec, max_new_tokens=6, backend="hooks")
            assert len(found.ids[0]) == 6
            assert any(seen) == masked
    finally:
        hook.remove()


@pytest.mark.parametrize("mode", HIDING)
def test_no_steps_no_change(mode):
    plain = med.LatentSpec("w5", "w6", steps=0)
    inputs = [prompt_of(words, 5) for words in BASE]
    runs = [
        med.rollout(decoder("llama"), inputs, spec, max_new_tokens=6, backend="hooks").ids
        for spec in (plain, replace(plain, answer_from=mode))
    ]
    assert runs[0] == runs[1]


def test_what_is_read_again_is_not_recorded():
    spec = med.LatentSpec("w5", "w6", steps=2, answer_from="thought")
    found = med.rollout(decoder("llama"), [prompt_of(BASE[0], 5)], spec, max_new_tokens=6, log_probs="recorded")
    assert (len(found.ids[0]), len(found.log_probs[0]), found.segments[0][0], found.ids[0][2]) == (6, 6, (0, 2), 6)


# ------------------------------------------------------------------------------------------ sliding windows
def _sliding(window: int) -> med.Model:
    module = med.testing.tiny_model(
        "mistral", seed=1, layers=2, attention="sdpa", vocab_size=VOCABULARY, sliding_window=window
    )
    module.generation_config.eos_token_id = module.config.eos_token_id = None
    return med.load(module, tokenizer=words())


def test_a_sliding_window_after_a_thought():
    """The window counts what is read again, as in a fresh pass; a thought that would shift it is refused."""
    model = _sliding(6)
    spec = med.LatentSpec("w5", "w6", steps=3, answer_from="thought")
    inputs = [prompt_of(words, 5) for words in BASE]
    found = med.rollout(model, inputs, spec, max_new_tokens=12, log_probs=WORDS)
    for row, prompt in enumerate(inputs):
        _same(latent_line(model, prompt, spec, 12), found, row)
    with pytest.raises(med.errors.DesignError, match="6 positions back"):
        med.rollout(model, inputs, replace(spec, answer_from="prompt"), max_new_tokens=12)
    wide = _sliding(64)
    found = med.rollout(wide, inputs, replace(spec, answer_from="prompt"), max_new_tokens=12, log_probs=WORDS)
    for row, prompt in enumerate(inputs):
        _same(latent_line(wide, prompt, replace(spec, answer_from="prompt"), 12), found, row)
