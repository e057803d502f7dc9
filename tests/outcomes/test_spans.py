"""Log-probability and perplexity of tokens of the input, and perplexity of an answer, against loops by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation import World
from mediation.outcomes import Perplexity
from mediation.testing import tiny_model, tiny_tokenizer
from tests.engine.studies import finish

SUBJECTS = ["France", "Italy and Spain", "Germany", "Spain and Italy", "Italy"]
OTHERS = ["Spain", "Rome", "France and Germany", "France and Italy", "Germany"]  # other numbers of tokens in some units
ANSWERS = [" Paris", " Rome is", " Berlin", " Madrid is the", " Paris"]


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


def texts(subjects: list[str]) -> list[str]:
    starts = [
        "The capital of",
        "When in Italy, the capital of",
        "The capital of",
        "The city of",
        "When in Rome, the city of",
    ]
    return [f"{start} {subject} is the city" for start, subject in zip(starts, subjects, strict=True)]


PAIRS = med.Pairs(
    base=texts(SUBJECTS),
    source=texts(OTHERS),
    spans={"subject": (SUBJECTS, OTHERS)},
    frame=pd.DataFrame({"answer": ANSWERS}),
)
SCALE = med.Scale(3.0)
CHANGED = {"before": 1, "inside": "subject.last", "after": "last"}
WORLDS = [World(run, SCALE.at(med.residual(1, at=at))) for run in ("base", "source") for at in CHANGED.values()]
HOWS: list[dict[str, Any]] = [
    {},
    {"padding_side": "right"},
    {"batch_size": 1},
    {"backend": "hooks", "fan_out": False},
    {"backend": "reference"},
]


def span_of(model: med.Model, text: str, subject: str) -> list[int]:
    """The tokens of a text that have letters of a part of it, by their offsets."""
    offsets = model.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    first = text.index(f" {subject} is") + 1
    return [i for i, (start, end) in enumerate(offsets) if start < first + len(subject) and end > first and end > start]


def logs_of(model: med.Model, ids: torch.Tensor, at: int | None) -> torch.Tensor:
    """Log-probabilities at every position, with the hidden state of one token after the second block scaled."""

    def hook(_: Any, __: Any, output: Any) -> Any:
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[:, at] *= 3.0
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = model.module.model.layers[1].register_forward_hook(hook) if at is not None else None
    with torch.no_grad():
        found = model.module(input_ids=ids).logits[0].double().log_softmax(-1)
    if handle:
        handle.remove()
    return found


def by_hand(model: med.Model, world: World, unit: int, *, answer: bool) -> list[float]:
    """Log-probabilities of the tokens of the subject, or of the answer, one after another."""
    text = PAIRS.inputs(world.run)[unit]
    subject = (SUBJECTS if world.run == "base" else OTHERS)[unit]
    ids = model.tokenizer(text, return_tensors="pt")["input_ids"]
    n, where = ids.shape[1], span_of(model, text, subject)
    at = None
    if world.assignment is not None:
        ((site, _),) = world.assignment.entries
        at = {1: 1, "subject.last": where[-1], "last": n - 1}[site.at]
    if answer:
        whole = model.tokenizer(text + ANSWERS[unit], return_tensors="pt")["input_ids"]
        ids, where = whole, list(range(n, whole.shape[1]))
    logs = logs_of(model, ids, at)
    return [float(logs[i - 1, ids[0, i]]) for i in where]


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("answer", [False, True], ids=["subject", "answer"])
def test_they_are_what_a_loop_by_hand_gives(model, answer, how):
    given = {"answer": "answer"} if answer else {"at": "subject"}
    worlds = [World("base"), World("source"), *WORLDS]
    total = finish(model, PAIRS, worlds, med.LogProb(**given), **how)
    perplexity = finish(model, PAIRS, worlds, Perplexity(**given), **how).values
    for index, world in enumerate(total.study.worlds):
        for unit in range(len(PAIRS)):
            logs = by_hand(model, world, unit, answer=answer)
            assert total.values[index, unit, 0] == pytest.approx(sum(logs), rel=1e-5)
            assert perplexity[index, unit, 0] == pytest.approx(np.exp(-np.mean(logs)), rel=1e-5)


def test_a_change_after_the_span_changes_nothing(model):
    found = finish(model, PAIRS, [World("base"), WORLDS[2]], Perplexity(at="subject")).values
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.filterwarnings("ignore::mediation.errors.MediationWarning")
def test_beside_others(model):
    outcomes = {
        "subject": Perplexity(at="subject"),
        "answer": Perplexity("answer"),
        "last": med.KL(),
    }
    few = {"n_resamples": 49, "rng": 0, "progress": False}
    found = med.ablate(model, PAIRS, SCALE.at(med.residual(1, at="subject.first")), outcomes, **few)
    for name, outcome in outcomes.items():
        alone = med.ablate(model, PAIRS, SCALE.at(med.residual(1, at="subject.first")), outcome, **few)
        np.testing.assert_allclose(found.outcome(name).units["ym"], alone.units["ym"], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (lambda: Perplexity(at="all"), r"has the first token of the base input of unit 0"),
        (lambda: med.LogProb(at=[0, 1]), r"log P\(tokens at 0,1\): at = 0,1 has the first token"),
        (lambda: Perplexity(at="subjet"), "no such position in the base input of unit 0. Closest: 'subject'"),
        (lambda: Perplexity(), "Perplexity has no answer. Give one, such as Perplexity"),
        (lambda: med.LogProb(at="each"), "LogProb has no answer"),
        (lambda: Perplexity(at=2.5), "Perplexity: at = 2.5"),
        (lambda: med.LogProb("answer", at="subject"), "one token is needed|several tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused(model, outcome, error):
    with pytest.raises(med.errors.OutcomeError, match=error):
        finish(model, PAIRS, [World("base"), World("source")], outcome())


def test_a_model_that_sees_what_follows_scores_no_input():
    model = med.load(tiny_model("bert"), tiny_tokenizer())
    with pytest.raises(med.errors.OutcomeError, match="not predicted from those before them"):
        finish(model, PAIRS, [World("base")], Perplexity(at="subject"))


def test_inputs_without_tokens_have_none_to_score():
    x = torch.ones(3, 2)
    with pytest.raises(med.errors.OutcomeError, match="are not predicted from"):
        finish(med.load(torch.nn.Linear(2, 2)), med.Pairs(base=x), [World("base")], Perplexity(at="subject"))
