"""Outcomes, spans and inputs of language models against plain `transformers` and a hook written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import mediation as med
from mediation import (
    KL,
    Accuracy,
    Constant,
    GaussianNoise,
    LogitDiff,
    LogProb,
    Mean,
    Pairs,
    Probability,
    World,
    Zero,
    attention,
    mlp,
    neurons,
    residual,
)
from mediation.testing import tiny_model, tiny_tokenizer
from mediation.units import encode
from tests.engine.studies import exchanges, gap, token_pairs, values

# Inputs of a random model: their total effect is what it is.
pytestmark = pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")

TOKENIZER = tiny_tokenizer()
LAYER = 0
MANNERS = (
    {},
    {"fan_out": False},
    {"fan_out": False, "padding_side": "right", "batch_size": 3},
    {"backend": "reference"},
)
BASE = ["The capital of Italy is", "The book is in", "The cat went to the city of"]
SOURCE = ["The capital of Spain is", "The city is in", "The book went to the city of"]
FRAME = pd.DataFrame(
    {
        "answer": [" Madrid", " Peru", " Rome"],  # one token, four, one
        "short": [" Madrid", " Berlin", " Rome"],
        "foil": [" Rome", " Paris", " Paris"],
        "options": [[" Madrid", " Rome"], [" Berlin", " Paris", " the"], [" Rome", " Paris"]],
    }
)
TEXTS = Pairs(base=BASE, source=SOURCE, frame=FRAME)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request):
    return med.load(tiny_model(request.param), TOKENIZER)


def ids_of(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def logits_by_hand(model, ids: list[int], patch: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """Return logits ``(tokens, vocabulary)`` of one input, with block `LAYER`'s output changed by `patch`."""
    block = model.module.get_submodule(model.architecture.path(LAYER))
    handle = block.register_forward_hook(lambda _, __, out: None if patch is None else patch(out))
    try:
        with torch.no_grad():
            return model.module(input_ids=torch.tensor([ids])).logits[0]
    finally:
        handle.remove()


def worlds_by_hand(model, unit: int, read: Callable[[Tensor, list[int]], float], more: list[int]) -> list[float]:
    """Return y00, y11, y01 and y10 of one unit; `more` are the tokens appended to the prompt."""
    prompts = [ids_of(BASE[unit]), ids_of(SOURCE[unit])]
    kept: list[Tensor] = []
    for prompt in prompts:
        logits_by_hand(model, prompt, lambda out: kept.append(out[0].clone()))
    last = len(prompts[0]) - 1

    def put(value: Tensor) -> Callable[[Tensor], Tensor]:
        def patch(out: Tensor) -> Tensor:
            changed = out.clone()
            changed[0, last] = value[last]
            return changed

        return patch

    runs = [(0, None), (1, None), (0, put(kept[1])), (1, put(kept[0]))]
    return [read(logits_by_hand(model, prompts[run] + more, patch), prompts[run]) for run, patch in runs]


def compare(
    model, outcome: Any, read: Callable[[int], Callable[[Tensor, list[int]], float]], more=lambda unit: []
) -> None:
    expected = np.array([worlds_by_hand(model, unit, read(unit), more(unit)) for unit in range(len(BASE))]).T
    assert np.ptp(expected) > 1e-4  # something happens
    for manner in MANNERS:
        found = values(model, TEXTS, exchanges([residual(LAYER, at="last")]), outcome, **manner)
        assert gap(found[..., 0], expected) < 1e-5, manner


def test_logit_difference(model):
    ids = [[ids_of(FRAME[name][unit])[0] for name in ("short", "foil")] for unit in range(3)]
    compare(
        model,
        LogitDiff("short", "foil"),
        lambda unit: lambda logits, _: float(logits[-1, ids[unit][0]] - logits[-1, ids[unit][1]]),
    )


@pytest.mark.parametrize(("outcome", "transform"), [(LogProb("answer"), float), (Probability("answer"), np.exp)])
def test_answers_of_one_and_of_several_tokens(model, outcome, transform):
    answers = [ids_of(text) for text in FRAME["answer"]]
    assert [len(answer) for answer in answers] == [1, 4, 1]

    def read(unit: int) -> Callable[[Tensor, list[int]], float]:
        def score(logits: Tensor, prompt: list[int]) -> float:
            logs = torch.log_softmax(logits, -1)[len(prompt) - 1 :]
            return transform(sum(float(logs[i, token]) for i, token in enumerate(answers[unit])))

        return score

    compare(model, outcome, read, more=lambda unit: answers[unit][:-1])


def test_probability_of_one_token(model):
    ids = [ids_of(text)[0] for text in FRAME["short"]]
    compare(model, Probability("short"), lambda unit: lambda logits, _: float(torch.softmax(logits[-1], -1)[ids[unit]]))


def test_accuracy():
    model = med.load(tiny_model("llama", seed=4), TOKENIZER)  # a seed with which some worlds are right and some wrong
    sets = [[ids_of(option)[0] for option in options] for options in FRAME["options"]]
    answers = [ids_of(text)[0] for text in FRAME["short"]]

    def read(unit: int) -> Callable[[Tensor, list[int]], float]:
        return lambda logits, _: float(max(sets[unit], key=lambda i: float(logits[-1, i])) == answers[unit])

    compare(model, Accuracy("short", candidates="options"), read)
    whole = values(model, TEXTS, [World("base")], Accuracy("short"))
    best = [int(logits_by_hand(model, ids_of(text))[-1].argmax()) for text in BASE]
    assert whole[0, :, 0].tolist() == [float(b == a) for b, a in zip(best, answers, strict=True)]
    chosen = Pairs(base=[ids_of(text) for text in BASE], frame=pd.DataFrame({"best": best}))
    assert values(model, chosen, [World("base")], Accuracy("best")).min() == 1


def test_divergence_from_the_base_run(model):
    base = [torch.log_softmax(logits_by_hand(model, ids_of(text))[-1], -1) for text in BASE]

    def read(unit: int) -> Callable[[Tensor, list[int]], float]:
        return lambda logits, _: float((base[unit].exp() * (base[unit] - torch.log_softmax(logits[-1], -1))).sum())

    compare(model, KL(), read)


def test_divergence_of_units_that_share_a_pass():
    model, pairs = med.load(tiny_model("llama")), token_pairs((6, 6, 6))
    worlds = exchanges([residual(layer, at="last") for layer in (0, 1)])
    expected = values(model, pairs, worlds, KL(), backend="reference")
    assert gap(values(model, pairs, worlds, KL()), expected) < 1e-5
    assert gap(expected[0], np.zeros((3, 1))) < 1e-6
    assert (expected[1:-1] > 1e-3).all()
    assert gap(expected[-1], expected[0]) < 1e-6  # the last position of the last block is all that is read


def test_a_function_of_the_logits_and_the_units(model):
    @med.outcome
    def entropy_per_letter(logits: Tensor, units: pd.DataFrame) -> Tensor:
        logs = torch.log_softmax(logits, -1)
        letters = torch.tensor([len(text) for text in units["answer"]])
        return -(logs.exp() * logs).sum(-1) / letters

    def read(unit: int) -> Callable[[Tensor, list[int]], float]:
        def entropy(logits: Tensor, _: list[int]) -> float:
            logs = torch.log_softmax(logits[-1], -1)
            return float(-(logs.exp() * logs).sum()) / len(FRAME["answer"][unit])

        return entropy

    compare(model, entropy_per_letter, read)


def test_an_outcome_read_elsewhere(model):
    spans = {"noun": (["Italy", "book", "cat"], ["Spain", "city", "book"])}
    pairs = Pairs(base=BASE, source=SOURCE, frame=FRAME, spans=spans)
    outcome = LogitDiff("short", "foil", at="noun.last")
    ids = [[ids_of(FRAME[name][unit])[0] for name in ("short", "foil")] for unit in range(3)]
    where = {" Italy": 3, " book": 1, " cat": 1}
    for manner in MANNERS:
        found = values(model, pairs, exchanges([residual(LAYER, at="noun")]), outcome, **manner)
        for unit, place in enumerate(where.values()):
            logits = logits_by_hand(model, ids_of(BASE[unit]))[place]
            assert found[0, unit, 0] == pytest.approx(float(logits[ids[unit][0]] - logits[ids[unit][1]]), abs=1e-5)
        assert gap(found[2], found[0]) > 1e-3


# ---------------------------------------------------------------------------------------------- positions


def test_named_spans_on_other_tokens_in_every_unit(model):
    spans = {"subject": (["capital of Italy", "book", "cat"], ["capital of Spain", "city", "book"])}
    pairs = Pairs(base=BASE, source=SOURCE, frame=FRAME, spans=spans)
    outcome = LogitDiff("short", "foil")
    tokens = [(1, 2, 3), (1,), (1,)]
    named = {"subject": tokens, "subject.first": [(1,)] * 3, "subject.last": [(3,), (1,), (1,)]}
    for make in (residual, mlp, attention, neurons):
        for name, per_unit in named.items():
            found = values(model, pairs, exchanges([make(LAYER, at=name)]), outcome)
            for unit, indices in enumerate(per_unit):
                alone = values(
                    model, pairs.subset([unit]), exchanges([make(LAYER, at=indices)]), outcome, backend="reference"
                )
                assert gap(found[:, [unit]], alone) < 1e-5, (make, name, unit)


def test_spans_inside_words():
    model = med.load(tiny_model("llama"), TOKENIZER)
    texts = ["The city is Peru now", "The cat is in Peru"]
    pairs = Pairs(
        base=texts, source=texts, spans={"two": ["er", "er"], "word": ["Peru", "Peru"], "rest": [(3, 7), (3, 7)]}
    )
    for unit, first in enumerate((3, 4)):
        spans = encode(pairs, model).of("base", unit).spans
        assert TOKENIZER.convert_ids_to_tokens(ids_of(texts[unit]))[first : first + 4] == ["ĠP", "e", "r", "u"]
        assert spans == {"two": (first + 1, first + 2), "word": tuple(range(first, first + 4)), "rest": (1,)}


def test_spans_given_as_offsets_of_tokens():
    model = med.load(tiny_model("llama"))
    base = [[5, 6, 7, 8, 9, 10], [11, 12, 13, 14]]
    source = [[5, 60, 70, 8, 9, 10], [11, 12, 130, 140]]
    pairs = Pairs(base=base, source=source, spans={"changed": [(1, 3), (2, 4)]})
    by_name = values(model, pairs, exchanges([mlp(0, at="changed")]), LogitDiff(5, 6))
    for unit, indices in enumerate([(1, 2), (2, 3)]):
        alone = values(model, pairs.subset([unit]), exchanges([mlp(0, at=indices)]), LogitDiff(5, 6))
        assert gap(by_name[:, [unit]], alone) < 1e-5


@pytest.mark.parametrize(
    ("at", "indices"),
    [
        ("last", lambda n: [n - 1]),
        (-2, lambda n: [n - 2]),
        (slice(1, -1), lambda n: range(1, n - 1)),
        (slice(None, None, -2), lambda n: range(n - 1, -1, -2)),
        ((0, -1), lambda n: [0, n - 1]),
        ((-1, 0, 1), lambda n: [0, 1, n - 1]),
        ("all", range),
    ],
    ids=["last", "one", "slice", "backwards", "both ends", "unsorted", "all"],
)
def test_positions_of_ragged_inputs(at, indices):
    model, pairs = med.load(tiny_model("llama")), token_pairs((4, 6, 9))
    worlds = [*exchanges([residual(0, at=at), mlp(1, at=at)]), World("base", Zero().at(attention(0, at=at)))]
    for manner in MANNERS[:3]:
        found = values(model, pairs, worlds, LogitDiff(5, 6), **manner)
        for unit, length in enumerate((4, 6, 9)):
            spelled = tuple(sorted(indices(length)))
            alone = [
                World(world.run, what.at(site.with_(at=spelled)))
                for world in worlds[2:]
                for site, what in world.assignment.placed()
            ]
            one = values(model, pairs.subset([unit]), alone, LogitDiff(5, 6), backend="reference")
            assert gap(found[2:, [unit]], one) < 1e-5, (manner, unit)


def test_two_indices_may_be_one_token():
    model, pairs = med.load(tiny_model("llama")), token_pairs((1, 3))
    worlds = exchanges([mlp(0, at=(0, -1))])
    assert (
        gap(
            values(model, pairs, worlds, LogitDiff(5, 6)),
            values(model, pairs, worlds, LogitDiff(5, 6), backend="reference"),
        )
        < 1e-5
    )


def test_moments_of_ragged_inputs(model):
    held: list[Tensor] = []
    for text in BASE:
        logits_by_hand(model, ids_of(text), lambda out: held.append(out[0].clone()))
    tokens = torch.cat(held)
    assert len({len(one) for one in held}) > 1
    std = float(tokens.var(0, unbiased=False).mean().sqrt())
    ends = torch.stack([one[[0, -1]] for one in held]).mean(0)
    named = [
        Mean(over="tokens").at(residual(LAYER)),
        Mean().at(residual(LAYER, at=(0, -1))),
        GaussianNoise(0.5, relative=True).at(residual(LAYER)),
    ]
    spelled = [
        Constant(tokens.mean(0)).at(residual(LAYER)),
        Constant(ends).at(residual(LAYER, at=(0, -1))),
        GaussianNoise(0.5 * std).at(residual(LAYER)),
    ]
    outcome = LogitDiff("short", "foil")
    for manner in MANNERS:
        found, expected = (
            values(model, TEXTS, [World("base", one) for one in worlds], outcome, **manner)
            for worlds in (named, spelled)
        )
        assert gap(found, expected) < 1e-5, manner


# ---------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_a_padded_batch_is_the_same_as_its_texts(side, family):
    model = med.load(tiny_model(family), TOKENIZER)
    worlds, outcome = exchanges([residual(0, at="last"), mlp(1, at=1)]), LogitDiff("short", "foil")

    def batch(texts: list[str]) -> dict[str, Tensor]:
        return dict(TOKENIZER(texts, padding=True, padding_side=side, return_tensors="pt"))

    padded = Pairs(base=batch(BASE), source=batch(SOURCE), frame=FRAME)
    assert not bool(batch(BASE)["attention_mask"].all())
    ragged = Pairs(base=[ids_of(text) for text in BASE], source=[ids_of(text) for text in SOURCE], frame=FRAME)
    found = [values(model, pairs, worlds, outcome) for pairs in (TEXTS, ragged, padded)]
    assert gap(found[0], found[1]) == 0
    assert gap(found[0], found[2]) == 0


def test_a_batch_without_padding():
    model = med.load(tiny_model("llama"))
    pairs = token_pairs((6, 6, 6))
    ids = [torch.stack(side) for side in (pairs.base, pairs.source)]
    worlds = exchanges([residual(0, at="last")])
    expected = values(model, pairs, worlds, LogitDiff(5, 6))
    for wrap in (
        lambda x: x,
        lambda x: {"input_ids": x},
        lambda x: {"input_ids": x, "attention_mask": torch.ones_like(x)},
    ):
        assert gap(values(model, Pairs(base=wrap(ids[0]), source=wrap(ids[1])), worlds, LogitDiff(5, 6)), expected) == 0


def test_masks_that_hide_more_than_padding():
    model = med.load(tiny_model("llama"))
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    for mask, found in (([1, 0, 1, 1], "inside the text"), ([0, 0, 0, 0], "every token")):
        side = {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 1], mask])}
        with pytest.raises(med.errors.DataError, match=f"base input of unit 1 hides .*{found.split()[-1]}"):
            values(model, Pairs(base=side, source=side), exchanges([residual(0)]), LogitDiff(5, 6))


def test_effects_of_a_text_study_from_end_to_end():
    model = med.load(tiny_model("llama"), TOKENIZER)
    effects = med.mediate(model, TEXTS, residual(LAYER, at="last"), LogitDiff("short", "foil"), rng=0, n_resamples=99)
    ids = [[ids_of(FRAME[name][unit])[0] for name in ("short", "foil")] for unit in range(3)]
    by_hand = np.array(
        [
            worlds_by_hand(
                model, unit, lambda logits, _, unit=unit: float(logits[-1, ids[unit][0]] - logits[-1, ids[unit][1]]), []
            )
            for unit in range(3)
        ]
    )
    y00, y11, y01, y10 = by_hand.T
    estimate = effects.tidy().set_index("estimand")["estimate"]
    for key, value in {
        "te": y11 - y00,
        "pnie": y01 - y00,
        "tnie": y11 - y10,
        "pnde": y10 - y00,
        "tnde": y11 - y01,
    }.items():
        assert estimate[key] == pytest.approx(value.mean(), abs=1e-5)
