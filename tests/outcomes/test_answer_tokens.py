"""Answers are the tokens that they are after the prompt: the tail of prompt and answer, tokenised as one text."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

import mediation as med
from mediation.outcomes._answers import Answers, answer_ids
from mediation.outcomes._tokens import token_ids
from mediation.testing import tiny_model, tiny_tokenizer

WORDS = [
    f"▁{one}" for one in ["The", "capital", "of", "Italy", "France", "Spain", "is", "Paris", "Rome", "New", "York"]
]
BASE = ["The capital of Italy is", "The capital of Spain is"]
SOURCE = ["The capital of France is", "The capital of Spain is"]


def llama_like() -> PreTrainedTokenizerFast:
    """A blank goes before every text, so that " Paris" alone is a lone blank and "▁Paris"."""
    known = ["<unk>", "<s>", "</s>", *WORDS, "▁", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:\n"]
    inner = Tokenizer(models.Unigram([(one, -1.0 if len(one) > 1 else -5.0) for one in known], unk_id=0))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(tiny_model("llama"), llama_like())


def _read(model: med.Model, answers: str, base=BASE, source=SOURCE, **options) -> list[list[str]]:
    found = answer_ids(answers, med.Pairs(base=base, source=source, **options), model, "last")
    return [model.tokenizer.convert_ids_to_tokens(list(ids)) for ids in found]


def test_a_lone_blank_is_no_part_of_an_answer(model):
    assert model.tokenizer.tokenize(" Paris") == ["▁", "▁Paris"]
    assert _read(model, " Paris") == [["▁Paris"]] * 2
    assert _read(model, " New York") == [["▁New", "▁York"]] * 2
    assert _read(model, "Paris") == [list("Paris")] * 2  # without a blank it goes on with the word
    frame = pd.DataFrame({"answer": [" Paris", " Rome"]})
    assert _read(model, "answer", frame=frame) == [["▁Paris"], ["▁Rome"]]


@pytest.mark.parametrize("as_ids", [False, True])
def test_the_outcomes_of_single_tokens(model, as_ids):
    tokenizer, net = model.tokenizer, model.module
    paris, rome = (tokenizer.convert_tokens_to_ids(f"▁{one}") for one in ("Paris", "Rome"))
    given = [tokenizer(text)["input_ids"] for text in BASE] if as_ids else BASE
    pairs = med.Pairs(base=given, source=given[::-1])
    with torch.no_grad():
        logits = torch.stack([net(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1] for text in BASE])
    for outcome, wanted in (
        (med.LogitDiff(" Paris", " Rome"), logits[:, paris] - logits[:, rome]),
        (med.LogProb(" Paris"), logits.log_softmax(-1)[:, paris]),
        (med.Probability(" Paris"), logits.softmax(-1)[:, paris]),
        (med.Accuracy(" Paris", (" Paris", " Rome")), (logits[:, paris] > logits[:, rome]).float()),
    ):
        found = outcome.prepare(pairs, model).reduce(logits[:, None], torch.arange(2), None)
        torch.testing.assert_close(found, wanted)


def test_byte_level_answers_stay_as_they_are():
    model = med.load(tiny_model("llama"), tiny_tokenizer())
    for answer in (" Paris", " New York", "\n", " 東京"):
        alone = tiny_tokenizer()(answer)["input_ids"]
        assert answer_ids(answer, med.Pairs(base=BASE), model, "last") == [tuple(alone)] * 2
    assert answer_ids(7, med.Pairs(base=BASE), model, "last") == [(7,)] * 2


def test_an_answer_that_does_not_split_is_refused_with_both_token_lists():
    model = med.load(tiny_model("llama"), tiny_tokenizer())
    pairs = med.Pairs(base=["The capital of Italy is", "The cap"])
    with pytest.raises(med.errors.OutcomeError, match=r"does not split from the base text of unit 1: .*'Ġcapital'"):
        med.LogProb("ital").prepare(pairs, model)
    with pytest.raises(med.errors.OutcomeError, match="foil is 'ital', which does not split"):
        med.LogitDiff(" of", "ital").prepare(med.Pairs(base=["The cap"]), model)


def test_an_answer_that_differs_after_base_and_source_is_refused(model):
    pairs = med.Pairs(base=["The capital of Italy is"], source=["The capital of Italy is\n"])
    assert Answers(pairs, model).ids(" Paris", 0, "answer") == (model.tokenizer.convert_tokens_to_ids("▁Paris"),)
    inner = llama_like()
    inner._tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁"), normalizers.Replace("\n▁", "\n")]
    )
    other = med.load(tiny_model("llama"), inner)
    with pytest.raises(med.errors.OutcomeError, match="'▁Paris' after the base text of unit 0 and 'P', 'a', 'r'"):
        Answers(pairs, other).ids(" Paris", 0, "answer")


def test_models_that_are_not_causal_read_the_answer_alone():
    model = med.load(tiny_model("bert"), tiny_tokenizer())
    assert not model.is_causal
    assert answer_ids("ital", med.Pairs(base=["The cap"]), model, -1) == [tuple(tiny_tokenizer()("ital")["input_ids"])]


def test_elsewhere_than_at_the_end_an_answer_follows_any_text(model):
    pairs = med.Pairs(base=BASE)
    paris = model.tokenizer.convert_tokens_to_ids("▁Paris")
    assert answer_ids(" Paris", pairs, model, 2) == [(paris,)] * 2
    assert token_ids(" Paris", model, "a token of log_probs") == (paris,)
    assert token_ids(" Paris", model, "cue", after="The capital") == (paris,)
    found = med.rollout(model, BASE, max_new_tokens=1, log_probs=[" Paris"], backend="hooks")
    with torch.no_grad():
        logits = model.module(torch.tensor([model.tokenizer(BASE[0])["input_ids"]])).logits[0, -1]
    assert float(found.log_probs[0][0, 0]) == pytest.approx(float(logits.log_softmax(-1)[paris]), abs=1e-5)


def test_an_answer_after_a_cue_follows_the_cue(model):
    pairs = med.Pairs(base=BASE)
    prepared = med.outcomes.Cued(med.LogProb(" New York"), " The capital of").prepare(pairs, model)
    assert prepared.continuation == ((model.tokenizer.convert_tokens_to_ids("▁New"),),) * 2


@pytest.mark.parametrize(
    "outcome", [med.LogProb, lambda one: med.Accuracy(1, (1, one)), lambda one: med.LogitDiff(1, one)]
)
def test_half_a_character_is_refused(model, outcome):
    with pytest.raises(med.errors.OutcomeError, match="lone surrogate"):
        outcome("a\ud83d").prepare(med.Pairs(base=BASE), model)


def test_many_units_are_tokenised_at_once(model, monkeypatch):
    calls = []

    class Counting:
        unk_token_id, unk_token = 0, "<unk>"

        def __call__(self, text, **options):
            calls.append(text)
            return model.tokenizer(text, **options)

        def __getattr__(self, name):
            return getattr(model.tokenizer, name)

    counted = med.load(model.module, Counting())
    pairs = med.Pairs(base=BASE * 50, source=SOURCE * 50)
    assert len(answer_ids(" Paris", pairs, counted, "last")) == 100
    assert len(calls) == 1
    assert len(calls[0]) == 6  # three texts, alone and with the answer
