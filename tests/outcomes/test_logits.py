"""Outcomes read off logits: candidate sets of unequal size, ties, and tokenizers that add tokens of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers.processors import TemplateProcessing

import mediation as med
from mediation import Accuracy, Interchange, LogitDiff, LogProb, World, residual
from mediation.errors import OutcomeError
from mediation.outcomes import AbstractOutcome, Prepared
from mediation.outcomes._tokens import token_id, token_ids
from mediation.testing import tiny_model, tiny_tokenizer
from tests.engine.studies import finish, gap, token_pairs, values

SETS = [[5, 9], [17, 3, 90, 41, 200], [120, 33, 8]]
ANSWERS = [one[0] for one in SETS]


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama"), tiny_tokenizer())


def prepared(model, frame, outcome):
    pairs = token_pairs((6,) * len(frame), frame=frame)
    return outcome.prepare(pairs, model)


def both_ways(prepared, logits: torch.Tensor) -> list[list[float]]:
    """Return outcomes of all units from logits (units, vocabulary): of the whole vocabulary, and of what is asked."""
    units = torch.arange(len(logits))
    found = [prepared.reduce(logits[:, None], units, None).tolist()]
    if prepared.asked is not None:
        found.append(prepared.reduce_asked(torch.gather(logits, 1, prepared.asked), units).tolist())
    return found


def test_the_answer_against_sets_of_unequal_size_is_narrowed_and_right(model):
    # Each answer is made the best of its candidates in turn, so that right answers occur in the units of fewer ones.
    frame = pd.DataFrame({"answer": ANSWERS, "sets": SETS})
    of = prepared(model, frame, Accuracy("answer", candidates="sets"))
    assert of.asked.shape == (3, 5)
    for unit, candidates in enumerate(SETS):
        for best in candidates:
            logits = torch.linspace(0, 1, 512).repeat(3, 1)
            logits[unit, best] = 5.0
            for found in both_ways(of, logits):
                assert found[unit] == (best == ANSWERS[unit])


def test_narrowed_accuracy_is_the_oracle_s(model):
    pairs = token_pairs((6,) * 8, seed=3)
    worlds = [World("base"), World("source"), World("base", Interchange().at(residual(0, at="last")))]
    logits = values(model, pairs, [World("base")], LogitDiff(5, 6), backend="reference")
    assert logits.shape == (1, 8, 1)
    tops = [_top(model, pairs, unit) for unit in range(8)]
    sets = [[int(one) for one in top[: 2 + unit % 4]] for unit, top in enumerate(tops)]
    answers = [some[unit % 2] for unit, some in enumerate(sets)]  # the best candidate, and the second best
    pairs = token_pairs((6,) * 8, seed=3, frame=pd.DataFrame({"answer": answers, "sets": sets}))
    outcome = Accuracy("answer", candidates="sets")
    found = finish(model, pairs, worlds, outcome, checks=0)
    assert found.study.unembedding is not None
    assert found.of(World("base"))[:, 0].tolist() == [1.0, 0.0] * 4
    assert gap(found.values, values(model, pairs, worlds, outcome, backend="reference")) == 0


def _top(model, pairs, unit) -> torch.Tensor:
    with torch.no_grad():
        return model.module(input_ids=pairs.base[unit][None]).logits[0, -1].argsort(descending=True)


@pytest.mark.parametrize("candidates", [None, "sets"])
def test_a_tie_is_wrong_and_a_hair_more_is_right(model, candidates):
    frame = pd.DataFrame({"answer": [5, 5], "sets": [[5, 9], [5, 9]]})
    of = prepared(model, frame, Accuracy("answer", candidates=candidates))
    logits = torch.zeros(2, 512)
    logits[:, [5, 9]] = 2.0
    logits[1, 5] = np.nextafter(np.float32(2.0), np.float32(3.0)).item()
    for found in both_ways(of, logits):
        assert found == [0.0, 1.0]


def test_the_whole_vocabulary_leaves_out_the_answer_and_nothing_else(model):
    of = prepared(model, pd.DataFrame({"answer": [0, 511, 7, 7]}), Accuracy("answer"))
    logits = torch.zeros(4, 512)
    logits[0, 0] = logits[1, 511] = logits[2, 7] = 1.0
    logits[3, [6, 7, 8]] = torch.tensor([1.5, 1.0, 0.5])
    assert both_ways(of, logits) == [[1.0, 1.0, 1.0, 0.0]]
    logits[3, [6, 7, 8]] = torch.tensor([0.5, 1.0, 1.5])
    assert both_ways(of, logits) == [[1.0, 1.0, 1.0, 0.0]]


def test_an_answer_is_the_first_and_a_foil_is_taken_away(model):
    of = prepared(model, pd.DataFrame({"a": [5, 6], "b": [9, 5]}), LogitDiff("a", "b"))
    logits = torch.arange(512.0).square().repeat(2, 1)
    assert both_ways(of, logits) == [[25.0 - 81.0, 36.0 - 25.0]] * 2
    half = logits.to(torch.float16)
    assert both_ways(of, half) == [[25.0 - 81.0, 36.0 - 25.0]] * 2


@pytest.fixture(scope="module")
def begins_and_ends():
    """A tokenizer that puts <s> before a text and </s> after it."""
    tokenizer = tiny_tokenizer()
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    assert tokenizer(" Paris")["input_ids"][0] == 1
    return med.load(tiny_model("llama"), tokenizer)


def test_answers_are_without_special_tokens(begins_and_ends, model):
    for text in (" Paris", " Rome"):
        assert token_ids(text, begins_and_ends, "answer") == token_ids(text, model, "answer")
        assert len(token_ids(text, begins_and_ends, "answer")) == 1
    peru = token_ids(" Peru", begins_and_ends, "answer")
    assert begins_and_ends.tokenizer.decode(peru) == " Peru"
    with pytest.raises(med.errors.OutcomeError, match=r"Closest: ' Paris', which is one"):
        token_id("Paris", begins_and_ends, "answer")


def test_a_log_probability_does_not_hold_that_of_special_tokens(begins_and_ends, model):
    pairs = token_pairs((6, 6))
    worlds, outcome = [World("base")], LogProb(" Peru")
    assert gap(values(begins_and_ends, pairs, worlds, outcome), values(model, pairs, worlds, outcome)) == 0


@final
@dataclass(frozen=True, slots=True)
class Shaped(AbstractOutcome):
    """The logits, put through any function."""

    of: Callable[[torch.Tensor], Any]

    def prepare(self, pairs, model):
        return Prepared(label="x", reduce=lambda output, units, reference: self.of(output[:, -1]))


@pytest.mark.parametrize("backend", ["nnsight", "reference"])
@pytest.mark.parametrize(
    ("of", "said"),
    [
        (lambda logits: logits, r"outcome 'x' returned a tensor of shape \(\d, \d+\) for \d rows?; one number a row"),
        (lambda logits: logits.mean(), r"outcome 'x' returned a tensor of shape \(\) for"),
        (lambda logits: [0.0] * len(logits), "outcome 'x' returned list for"),
    ],
)
def test_an_outcome_of_another_shape_is_named(model, of, said, backend):
    pairs = token_pairs((6, 6))
    with pytest.raises(OutcomeError, match=said):
        med.mediate(model, pairs, residual(0, at="last"), Shaped(of), backend=backend, n_resamples=99)
