from __future__ import annotations

import pytest
import torch
from transformers import GenerationConfig

import mediation as med
from mediation.testing import tiny_model, tiny_tokenizer
from tests.rollouts.tiny import FAMILIES, HIDDEN, PROMPTS, decoder, generated

N = 20
CAUSAL = [family for family in med.testing.FAMILIES if "bert" not in family]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_tokens_are_those_of_generate(family, backend, batch_size):
    model = decoder(family)
    found = med.rollout(model, PROMPTS, max_new_tokens=N, backend=backend, batch_size=batch_size)
    assert [list(ids) for ids in found.ids] == generated(model, PROMPTS, N)
    assert [list(ids) for ids in found.ids] == [generated(model, [prompt], N)[0] for prompt in PROMPTS]
    assert len({ids for ids in found.ids}) == len(PROMPTS), "every row says the same: nothing was tested"
    assert found.stopped == ("length",) * len(PROMPTS)
    assert found.prompt_ids == tuple(map(tuple, PROMPTS))


@pytest.mark.parametrize("family", CAUSAL)
def test_every_family_of_decoders(family):
    model = decoder(family)
    found = med.rollout(model, PROMPTS, max_new_tokens=8)
    assert [list(ids) for ids in found.ids] == generated(model, PROMPTS, 8)
    spec = med.LatentSpec("w4", "w2", steps=3)
    prompts = [[*prompt, 4] for prompt in PROMPTS]
    batch, single = (med.rollout(model, prompts, spec, max_new_tokens=6, batch_size=size) for size in (None, 1))
    for mine, theirs in zip(batch.latents, single.latents, strict=True):
        assert len(mine) >= 3
        torch.testing.assert_close(mine[:3], theirs[:3], atol=1e-4, rtol=1e-4)


def test_double_precision_is_not_padded_where_padding_would_be_nan():
    model = med.load(tiny_model("llama", attention="eager", eos_token_id=None), dtype=torch.float64)
    found = med.rollout(model, PROMPTS, max_new_tokens=4)
    assert [list(ids) for ids in found.ids] == [generated(model, [prompt], 4)[0] for prompt in PROMPTS]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_ends_with_the_end_of_sequence_token_and_others_go_on(family):
    plain = generated(decoder(family), PROMPTS, N)
    eos = plain[1][4]
    model = decoder(family, eos=eos)
    found = med.rollout(model, PROMPTS, max_new_tokens=N)
    for ids, reference, stopped in zip(found.ids, plain, found.stopped, strict=True):
        expected = reference[: reference.index(eos) + 1] if eos in reference else reference
        assert list(ids) == expected
        assert stopped == ("eos" if eos in reference else "length")
    assert "eos" in found.stopped
    assert f"w{eos}" not in found.text[1]
    own = generated(model, PROMPTS, N)
    assert [row[: len(ids)] for row, ids in zip(own, found.ids, strict=True)] == [list(ids) for ids in found.ids]


def test_texts_and_their_ids_give_the_same():
    model = decoder("llama")
    texts = [" ".join(f"w{i}" for i in prompt) for prompt in PROMPTS]
    by_text, by_ids = (med.rollout(model, given, max_new_tokens=6) for given in (texts, PROMPTS))
    assert by_text.ids == by_ids.ids
    assert by_text.text == tuple(" ".join(f"w{i}" for i in ids) for ids in by_ids.ids)
    assert med.rollout(model, torch.tensor(PROMPTS[:1]), max_new_tokens=6).ids == by_ids.ids[:1]


def test_without_a_tokenizer_the_text_is_the_numbers():
    model = med.load(decoder("llama").module)
    found = med.rollout(model, PROMPTS[:1], max_new_tokens=3)
    assert found.text == (" ".join(map(str, found.ids[0])),)


def test_stop_strings_end_a_row():
    model = decoder("llama")
    plain = med.rollout(model, PROMPTS, max_new_tokens=N)
    row, ids = next((r, ids) for r, ids in enumerate(plain.ids) if ids.index(ids[6]) == 6)
    stop = " ".join(f"w{i}" for i in ids[5:7])
    found = med.rollout(model, PROMPTS, max_new_tokens=N, stop=stop)
    assert found.text[row] == " ".join(f"w{i}" for i in ids[:7])
    for ids, text, stopped, reference in zip(found.ids, found.text, found.stopped, plain.ids, strict=True):
        assert ids == reference[: len(ids)]
        assert (stop in text) == (stopped == "stop")
        assert stopped == "stop" or len(ids) == N
    assert med.rollout(model, PROMPTS, max_new_tokens=N, stop=["never said", stop]).ids == found.ids


def test_stop_strings_are_those_of_generate():
    tokenizer = tiny_tokenizer()
    model = med.load(tiny_model("llama", seed=5, vocab_size=len(tokenizer), eos_token_id=None), tokenizer=tokenizer)
    plain = med.rollout(model, PROMPTS, max_new_tokens=N)
    tried = 0
    for row, ids in enumerate(plain.ids):
        stop = tokenizer.decode(ids[4:6])
        if not stop.isascii() or not stop.isprintable():
            continue
        tried += 1
        found = med.rollout(model, PROMPTS, max_new_tokens=N, stop=stop)
        own = generated(model, [PROMPTS[row]], N, stop_strings=[stop], tokenizer=tokenizer)
        assert [list(found.ids[row])] == own
        assert len(own[0]) <= 6
        assert found.stopped[row] == "stop"
    assert tried


def test_a_trajectory_prints_in_one_line():
    found = med.rollout(decoder("llama"), PROMPTS, max_new_tokens=4)
    assert repr(found) == "<Trajectory n=5, 20 tokens, stopped: length 5>"
    assert len(found) == 5
    assert [tuple(z.shape) for z in found.latents] == [(0, HIDDEN)] * 5


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_follows_the_model(family):
    module = type(decoder(family).module)(decoder(family).module.config).to(torch.bfloat16)
    module.load_state_dict(decoder(family).module.state_dict())
    model = med.load(module.eval(), tokenizer=decoder(family).tokenizer)
    found = med.rollout(model, PROMPTS[:1], max_new_tokens=8)
    assert [list(ids) for ids in found.ids] == generated(model, PROMPTS[:1], 8)
    latent = med.rollout(model, [[3, 1]], med.LatentSpec("w1", "w2", steps=3), max_new_tokens=8)
    assert latent.latents[0].dtype == torch.float32
    assert latent.latents[0].shape == (3, HIDDEN)


def test_settings_that_generate_would_apply_are_told():
    module = type(decoder("llama").module)(decoder("llama").module.config)
    module.generation_config = GenerationConfig(repetition_penalty=1.3)
    with pytest.warns(med.MediationWarning, match=r"repetition_penalty=1\.3"):
        med.rollout(module, PROMPTS[:1], max_new_tokens=2)


class _Counted:
    def __init__(self):
        self.total, self.done, self.closed = 0, 0, False

    def start(self, total, what):
        self.total = total

    def advance(self, n):
        self.done += n

    def close(self):
        self.closed = True


def test_progress_reaches_its_end_though_rows_end_early():
    eos = generated(decoder("llama"), PROMPTS, N)[1][4]
    seen = _Counted()
    med.rollout(decoder("llama", eos=eos), PROMPTS[1:2], max_new_tokens=N, progress=seen)
    assert seen.closed
    assert seen.done == seen.total == N
