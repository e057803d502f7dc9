"""Outcomes read off the distribution: log-probability, probability, divergence from the base run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ..errors import OutcomeError, SiteError
from ..models import Model
from ..sites import at_text, check_position
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared, check_read_at, wide
from ._answers import answer_ids
from ._tokens import check_inside, label_of, values_of


@final
@dataclass(frozen=True, slots=True)
class LogProb(AbstractOutcome):
    """Log-probability of an answer of one or more tokens, in nats: the sum over its tokens.

    The answer is appended to the prompt (all but its last token) and scored in one pass; sites stay
    within the prompt.

    Parameters
    ----------
    answer
        A column of the units, a literal text, or a token id. None: the tokens that the run's own input has at `at`,
        each given those before it, such as ``LogProb(at="subject")``.
    at
        Position that is read; other than "last" only for answers of one token. Without an answer, a named span or any
        positions but the first token, which has nothing before it.

    Examples
    --------
    >>> LogProb(" New York")
    LogProb(answer=' New York', at='last')
    """

    answer: Any = None
    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _check_scored_at(self, self.answer, self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError for several tokens where they cannot be appended."""
        return _prepare(self.answer, self.at, pairs, model, "log P", lambda total, count: total)


@final
@dataclass(frozen=True, slots=True)
class Perplexity(AbstractOutcome):
    """Perplexity of an answer, or of tokens of the input: exp of minus the mean log-probability of its tokens.

    Of tokens t_1 ... t_k, PPL = exp(-(1/k) sum_i log P(t_i | all before t_i)); the smaller, the less they surprise.

    Parameters
    ----------
    answer
        A column of the units, a literal text, or a token id, appended to the prompt as in `LogProb`. None: the tokens
        that the run's own input has at `at`.
    at
        Without an answer: a named span, or any positions but the first token, which has nothing before it.

    Examples
    --------
    >>> Perplexity("answer"), Perplexity(at="subject")
    (Perplexity(answer='answer', at='last'), Perplexity(answer=None, at='subject'))
    """

    answer: Any = None
    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _check_scored_at(self, self.answer, self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError for several tokens where they cannot be appended."""
        return _prepare(self.answer, self.at, pairs, model, "perplexity", lambda total, count: (-total / count).exp())


@final
@dataclass(frozen=True, slots=True)
class Probability(AbstractOutcome):
    """Probability of an answer of one or more tokens.

    Parameters
    ----------
    answer
        A column of the units, a literal text, or a token id.
    at
        Position that is read; other than "last" only for answers of one token.

    Examples
    --------
    >>> Probability("answer")
    Probability(answer='answer', at='last')
    """

    answer: Any
    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", check_read_at(self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError for several tokens where they cannot be appended."""
        return _prepare(self.answer, self.at, pairs, model, "P", lambda total, count: total.exp())


@final
@dataclass(frozen=True, slots=True)
class KL(AbstractOutcome):
    """Divergence of a world's next-token distribution from the plain base run's, in nats.

    KL(P_base || P_world) = sum_v P_base(v) (log P_base(v) - log P_world(v)), so ``y00`` is 0.

    Parameters
    ----------
    at
        Position that is read; by default the last token of the prompt.

    Examples
    --------
    >>> KL()
    KL(at='last')
    """

    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", check_read_at(self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""

        def reduce(logits: Tensor, units: Tensor, reference: Tensor | None) -> Tensor:
            assert reference is not None
            world = torch.log_softmax(wide(logits[:, -1]), dim=-1)
            base = torch.log_softmax(wide(reference.to(world.device)), dim=-1)
            return (base.exp() * (base - world)).sum(-1)

        return Prepared(label="KL(base || world)", reduce=reduce, at=self.at, uses_reference=True)


Score = Callable[[Tensor, Tensor], Tensor]


def _check_scored_at(outcome: AbstractOutcome, answer: Any, at: Any) -> Any:
    """Return where an outcome is read: one token, or without an answer the tokens that are scored."""
    if answer is not None:
        return check_read_at(at)
    if isinstance(at, str) and at in ("last", "each", "spans"):
        raise OutcomeError(
            f"{type(outcome).__name__} has no answer. Give one, such as {type(outcome).__name__}('answer'), or the "
            f"tokens of the input that are scored: {type(outcome).__name__}(at='subject')."
        )
    try:
        return check_position(at)
    except SiteError as error:
        raise OutcomeError(f"{type(outcome).__name__}: {error}") from None


def _prepare(answer: Any, at: Any, pairs: Pairs, model: Model, name: str, score: Score) -> Prepared:
    if answer is None:
        return _of_input(at, model, name, score)
    values = values_of(answer, pairs, "answer")
    ids = answer_ids(answer, pairs, model, at)
    longest = max(map(len, ids))
    if longest > 1 and (at != "last" or not model.is_causal):
        unit = max(range(len(ids)), key=lambda i: len(ids[i]))
        why = f"it is read at = {at!r}" if at != "last" else f"{type(model.module).__name__} is not causal"
        raise OutcomeError(
            f"answer of unit {unit} is {values[unit]!r}, which is {len(ids[unit])} tokens, and {why}. Answers of "
            "several tokens are scored after the prompt of a causal model; give an answer of one token."
        )
    targets = torch.zeros(len(ids), longest, dtype=torch.long)
    used = torch.zeros(len(ids), longest, dtype=torch.bool)
    for unit, tokens in enumerate(ids):
        targets[unit, longest - len(tokens) :] = torch.tensor(tokens)
        used[unit, longest - len(tokens) :] = True

    def reduce(logits: Tensor, units: Tensor, reference: Tensor | None) -> Tensor:
        units = units.to(logits.device)
        check_inside(targets, logits, "answer")
        kept = min(longest, logits.shape[1])  # fewer where every row's answer is shorter than the longest
        mine, counted = (table.to(logits.device)[units, -kept:] for table in (targets, used))
        logs = torch.log_softmax(wide(logits[:, -kept:]), dim=-1)
        picked = logs.gather(-1, mine[..., None])[..., 0]
        return score(torch.where(counted, picked, torch.zeros_like(picked)).sum(-1), counted.sum(-1))

    continuation = tuple(tokens[:-1] for tokens in ids) if longest > 1 else None
    return Prepared(label=f"{name}({label_of(answer)})", reduce=reduce, at=at, continuation=continuation)


def _of_input(at: Any, model: Model, name: str, score: Score) -> Prepared:
    if not model.is_causal:
        raise OutcomeError(
            f"{name} of the tokens at = {at_text(at)}: tokens of {type(model.module).__name__} are not predicted from "
            "those before them. Give an answer of one token, or a causal model."
        )

    def reduce(sums: Tensor, units: Tensor, reference: Tensor | None) -> Tensor:
        return score(sums[:, 0], sums[:, 1])

    return Prepared(label=f"{name}(tokens at {at_text(at)})", reduce=reduce, at=at, of_input=True)
