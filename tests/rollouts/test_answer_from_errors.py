"""Answers that may not read everything: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

import mediation as med
from tests.rollouts.hiding import BASE, SOURCE, prompt_of
from tests.rollouts.tiny import VOCABULARY, decoder, words


def _raises(message: str, *inputs: Any, spec: Any = None, model: med.Model | None = None) -> None:
    spec = med.LatentSpec("w5", "w6", steps=2, answer_from="thought") if spec is None else spec
    with pytest.raises((med.errors.DesignError, med.errors.DataError), match=message):
        med.rollout(model or decoder("llama"), list(inputs), spec, max_new_tokens=4)


def test_wrong_calls():
    with pytest.raises(med.errors.DesignError, match=r"Set force_end=True"):
        med.LatentSpec("w5", "w6", steps=2, force_end=False, answer_from="prompt")
    for kind in (
        lambda **more: med.LatentSpec("a", "b", steps=1, **more),
        lambda **more: med.TextSpec("a", "b", **more),
    ):
        with pytest.raises(med.errors.DesignError, match="answer_from"):
            kind(answer_from="image")
    for one in ("w3 w5", [3, 5], med.Prompt("w3 w5")):
        _raises("does not say which part of it is the question", one)
    pairs = med.Pairs(base=[med.Prompt("w3 w5")] * 2, source=[med.Prompt("w4 w5")] * 2)
    spec = med.LatentSpec("w5", "w6", steps=2, answer_from="thought")
    with pytest.raises(med.errors.DataError, match="base input of unit 0"):
        med.mediate(decoder("llama"), pairs, med.latents(), med.LogitDiff(1, 2), spec=spec)


def test_models_that_cannot_be_told():
    """One that has no positions, and one with layers that do not remember by position."""
    from transformers import BloomConfig, BloomForCausalLM, Lfm2Config, Lfm2ForCausalLM

    bloom = BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=1, n_head=2, eos_token_id=None))
    _raises("Bloom.*takes no position_ids", prompt_of(BASE[0], 5), model=med.load(bloom, tokenizer=words()))
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2}
    kinds = {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]}
    mixed = Lfm2ForCausalLM(Lfm2Config(vocab_size=VOCABULARY, eos_token_id=None, pad_token_id=0, **sizes, **kinds))
    _raises("layers of kind .*conv", prompt_of(BASE[0], 5), model=med.load(mixed, tokenizer=words()))


@pytest.mark.parametrize("named", [True, False])
def test_spans_of_ids_name_the_question(named):
    """Token ids with a span called "question" are as good as a prompt with a question."""
    spec = med.LatentSpec("w5", "w6", steps=2, answer_from="thought")
    base, source = ([[*words, 5] for words in run] for run in (BASE, SOURCE))
    spans = {"question": [(len(words) - 2, len(words)) for words in BASE]} if named else {}
    pairs = med.Pairs(base=base, source=source, spans=spans)
    if not named:
        with pytest.raises(med.errors.DataError, match="which part of it is the question"):
            med.mediate(decoder("llama"), pairs, med.latents(), med.LogitDiff(10, 11), spec=spec)
        return
    found = med.mediate(
        decoder("llama"),
        pairs,
        med.latents(),
        med.LogitDiff(10, 11),
        spec=spec,
        rng=0,
        estimands=["te"],
        n_resamples=99,
    ).units
    prompts = med.Pairs(base=[prompt_of(w, 5) for w in BASE], source=[prompt_of(w, 5) for w in SOURCE])
    same = med.mediate(
        decoder("llama"),
        prompts,
        med.latents(),
        med.LogitDiff(10, 11),
        spec=spec,
        rng=0,
        estimands=["te"],
        n_resamples=99,
    ).units
    assert found["y11"].tolist() == pytest.approx(same["y11"].tolist(), abs=1e-6)
