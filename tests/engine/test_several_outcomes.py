"""Several outcomes of one run: each is what it is alone, whatever it is read beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.engine import Finished
from mediation.outcomes import AbstractOutcome, Several, grouped
from mediation.testing import tiny_model, tiny_tokenizer
from tests.engine.studies import check_sample, exchanges, finish, token_pairs

PLACES = ["France", "Italy", "Germany", "Spain", "France", "Spain"]
ANSWERS = [" Paris", " Rome is", " Berlin", " Madrid is the", " Paris", " Madrid"]
FEW = {"answer": " Paris", "candidates": [" Paris", " Rome"]}


@med.outcome
def entropy(logits: torch.Tensor) -> torch.Tensor:
    logs = logits.log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


@med.outcome
def first_letter(logits: torch.Tensor, units: pd.DataFrame) -> torch.Tensor:
    return logits[:, 7] * torch.tensor([float(len(one)) for one in units["answer"]])


def words(**more: Any) -> med.Pairs:
    """Texts of two lengths, in which base and source part at the country."""
    base = [f"The capital of {place} is the city" for place in PLACES]
    source = [f"The capital of {place} is the city" for place in PLACES[1:] + PLACES[:1]]
    base[4:] = [f"When in Italy, {text}" for text in base[4:]]
    source[4:] = [f"When in Italy, {text}" for text in source[4:]]
    return med.Pairs(base=base, source=source, frame=pd.DataFrame({"answer": ANSWERS}), **more)


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


SITES = [med.residual(layer, at=at) for layer in range(3) for at in (-1, -3)]
WORLDS = [*exchanges(SITES), med.World("base", med.GaussianNoise(0.5).at(med.mlp(1)))]
NARROW: list[AbstractOutcome] = [
    med.LogitDiff(" Paris", " Rome"),
    med.Accuracy(**FEW),
    med.LogitDiff(" Berlin", " Rome"),
]
WIDE: list[AbstractOutcome] = [med.LogProb(" Paris"), med.Probability(" Paris"), med.KL(), entropy, first_letter]


def together(
    model: med.Model, pairs: med.Pairs, outcomes: Sequence[AbstractOutcome], worlds: Any = WORLDS, **how: Any
) -> tuple[Finished, ...]:
    """Each of several outcomes, read in one run."""
    named = {str(index): one for index, one in enumerate(outcomes)}
    assert len(grouped(named, pairs, model)) == 1
    return finish(model, pairs, worlds, Several(tuple(outcomes)), n_draws=2, **how).apart


def largest_gap(
    model: med.Model, pairs: med.Pairs, outcomes: Sequence[AbstractOutcome], worlds: Any = WORLDS, **how: Any
) -> float:
    """How far outcomes that are read together are from each alone, relative to 1 + its size."""
    found, worst = together(model, pairs, outcomes, worlds, **how), 0.0
    for one, outcome in zip(found, outcomes, strict=True):
        alone = finish(model, pairs, worlds, outcome, n_draws=2, **how).values
        assert one.values.shape == alone.shape
        worst = max(worst, float((np.abs(one.values - alone) / (1 + np.abs(alone))).max()))
    return worst


HOWS: list[dict[str, Any]] = [
    {},
    {"fan_out": False},
    {"padding_side": "right", "fan_out": False},
    {"batch_size": 1},
    {"backend": "hooks"},
    {"backend": "reference"},
]


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("outcomes", [NARROW, WIDE], ids=["logits that are asked for", "all logits"])
def test_outcomes_of_one_kind_have_the_bits_that_they_have_alone(model, outcomes, how):
    """They are read in the same passes, each from the product that it has alone."""
    assert largest_gap(model, words(), outcomes, **how) == 0


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_outcomes_of_both_kinds_are_what_they_are_alone(model, how):
    """Beside one that reads all logits, the others read theirs from these: the same up to rounding of the product."""
    assert largest_gap(model, words(), [*NARROW, *WIDE], **how) <= 1e-6


def test_they_fan_out_as_each_does(model):
    found = finish(model, words(), WORLDS, Several((*NARROW, *WIDE)))
    alone = finish(model, words(), WORLDS, med.KL())
    assert found.report["fan_out"] == "used"
    for name in ("fan_out_rows", "rows", "null_rows", "passes"):
        assert found.report[name] == alone.report[name]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_what_is_read_before_an_answer_that_is_appended(model, how):
    """The answers have one to three tokens, so that what is read before them lies at other places in each row."""
    outcomes = [*NARROW, *WIDE, med.LogProb("answer"), med.Probability("answer")]
    assert largest_gap(model, words(), outcomes, **how) <= 2e-6  # passes of other widths


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_outcomes_at_several_positions(model, how):
    spans = {"place": [place for place in PLACES]}
    base = [f"The capital of {place} is the city" for place in PLACES]
    pairs = med.Pairs(base=base, source=base[1:] + base[:1], spans={"place": (spans["place"], PLACES[1:] + PLACES[:1])})
    at = ["place.last", 2, -2, "last"]
    narrow = [med.LogitDiff(" Paris", " Rome", at=one) for one in at]
    wide = [med.KL(at=1), *(med.LogProb(" Paris", at=one) for one in at)]
    assert largest_gap(model, pairs, narrow, **how) <= 1e-6
    assert largest_gap(model, pairs, [*narrow, *wide], **how) <= 1e-6


def test_groups(model):
    pairs = words()
    outcomes = {
        "difference": med.LogitDiff(" Paris", " Rome"),
        "answer": med.LogProb("answer"),
        "before": med.KL(at=1),
        "probability": med.Probability("answer"),
        "divergence": med.KL(),
        "other": med.LogProb(" Rome is the city"),
    }
    found = [list(group) for group in grouped(outcomes, pairs, model)]
    assert found == [["difference", "answer", "before", "probability"], ["divergence"], ["other"]] or found == [
        ["difference", "answer", "before", "probability"],
        ["divergence", "other"],
    ]


def test_nothing_is_read_before_an_appended_answer_where_tokens_see_later_ones():
    model = med.load(tiny_model("bert"), tiny_tokenizer())
    pairs = words()
    assert not model.is_causal
    outcomes = {"one": med.LogitDiff(" Paris", " Rome"), "two": med.Probability(" Paris")}
    assert [list(group) for group in grouped(outcomes, pairs, model)] == [["one", "two"]]
    assert largest_gap(model, pairs, list(outcomes.values()), exchanges([med.residual(0)])) <= 1e-6


def with_columns(output: torch.Tensor, units: pd.DataFrame) -> torch.Tensor:
    return output[:, 1] * torch.tensor(units["scale"].to_numpy(dtype=np.float32))


PLAIN: list[AbstractOutcome] = [
    med.testing.first_output,
    med.outcome(with_columns),
    med.LogitDiff(0, 2),
    med.LogProb(1),
]


@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
def test_plain_modules(backend):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    pairs = med.Pairs(base=x, source=x + 1, frame=pd.DataFrame({"scale": np.arange(5.0)}))
    worlds = exchanges([med.Site("0"), med.Site("1", units=[0, 3])])
    assert largest_gap(med.load(module), pairs, PLAIN, worlds, backend=backend) == 0


def test_random_donors_noise_and_donor_worlds(model):
    inner = med.World("base", med.Interchange().at(med.residual(0, at="last")))
    worlds = [
        *exchanges([med.residual(1, at="last")]),
        med.World("base", med.Swap().at(med.mlp(1, at="last"))),
        med.World("source", med.GaussianNoise(0.3).at(med.mlp(0, at="last"))),
        med.World("source", med.Interchange(world=inner).at(med.residual(2, at="last"))),
        med.World("base", med.Mean().at(med.mlp(2, at="last"))),
    ]
    for backend in ("nnsight", "reference"):
        assert largest_gap(model, words(), NARROW, worlds, backend=backend) == 0
        assert largest_gap(model, words(), [*NARROW, *WIDE], worlds, backend=backend) <= 1e-6


def by_hand(model: med.Model, text: str, change: Callable[[torch.Tensor], torch.Tensor] | None = None) -> torch.Tensor:
    """Logits of the last token, from the model itself with one hook at the second block."""

    def hook(_: Any, __: Any, output: Any) -> Any:
        assert change is not None
        hidden = output[0] if isinstance(output, tuple) else output
        changed = change(hidden)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = model.module.model.layers[1].register_forward_hook(hook) if change else None
    with torch.no_grad():
        logits = model.module(**model.tokenizer(text, return_tensors="pt")).logits[0]
    if handle:
        handle.remove()
    return logits


def test_they_are_what_hooks_by_hand_give(model):
    pairs = words()
    worlds = [med.World("base"), med.World("base", med.Zero().at(med.residual(1, at="last")))]
    paris = model.tokenizer(" Paris")["input_ids"][0]
    difference, probability, kl = together(
        model, pairs, [med.LogitDiff(" Paris", " Rome", at=2), med.Probability(" Paris"), med.KL()], worlds
    )

    def zero(hidden: torch.Tensor) -> torch.Tensor:
        return torch.cat([hidden[:, :-1], 0 * hidden[:, -1:]], 1)

    rome = model.tokenizer(" Rome")["input_ids"][0]
    for unit, text in enumerate(pairs.base):
        plain, changed = by_hand(model, text), by_hand(model, text, zero)
        assert difference.values[1, unit, 0] == pytest.approx(float(changed[2, paris] - changed[2, rome]), abs=1e-5)
        assert probability.values[1, unit, 0] == pytest.approx(float(changed[-1].softmax(-1)[paris]), abs=1e-6)
        logs = plain[-1].log_softmax(-1)
        expected = float((logs.exp() * (logs - changed[-1].log_softmax(-1))).sum())
        assert kl.values[1, unit, 0] == pytest.approx(expected, abs=1e-5)


def test_a_check_that_fails_names_the_outcome(model):
    done = finish(model, words(), WORLDS, Several((med.LogitDiff(" Paris", " Rome"), med.Probability(" Paris"))))
    wrong = done.every.copy()
    wrong[2:, :, :, 1] += 0.01
    with pytest.raises(med.errors.BackendError, match=r"the outcome \"P\(' Paris'\)\": the run gave"):
        check_sample(done.study, wrong, 5)


def test_an_outcome_that_is_not_finite_is_named(model):
    @med.outcome
    def bad(logits: torch.Tensor) -> torch.Tensor:
        return logits[:, 0] / 0

    with pytest.raises(med.errors.OutcomeError, match="inf: bad must be finite"):
        finish(model, words(), WORLDS, Several((med.KL(), bad)))


def test_an_outcome_that_cannot_be_computed_is_named(model):
    @med.outcome
    def broken(logits: torch.Tensor) -> torch.Tensor:
        return logits[:, 10**9]

    with pytest.raises(med.errors.OutcomeError, match="The outcome 'broken' cannot be computed"):
        finish(model, words(), WORLDS, Several((med.KL(), broken)))


def test_rounding_is_settled_outcome_by_outcome():
    """A probability is settled by its own rounding, not by that of a logit a thousand times as large."""
    model = med.load(tiny_model("llama", layers=3))
    outcomes = (med.LogitDiff(5, 6), med.Probability(5))
    found = finish(model, token_pairs(), exchanges(SITES), Several(outcomes))
    alone = [finish(model, token_pairs(), exchanges(SITES), one).report["rounding"] for one in outcomes]
    assert found.report["rounding"][1] < found.report["rounding"][0] / 10
    assert found.report["rounding"] == pytest.approx(alone, rel=3)
    assert [one.report["rounding"] for one in found.apart] == found.report["rounding"]
