"""What a row is given before it begins: the rules, its job, and who changes its thoughts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from ..specs import LatentSpec, TextSpec
from ._tokens import LatentTokens


class UnplaceableError(Exception):
    """A thought cannot be put into this row; the message is the flag of the unit."""


class AbstractPlan(ABC):
    """What is done to the thoughts of one row."""

    __slots__ = ()

    @abstractmethod
    def length(self, segment: int) -> int | None:
        """Return how many latents thought `segment` has, or None if that is up to the spec and the model."""

    @abstractmethod
    def latent(self, segment: int, step: int, own: Tensor) -> Tensor:
        """Return the vector that is fed at a latent step, ``(hidden,)``; `own` is the one that the model made."""

    @abstractmethod
    def closed(self, segment: int, steps: int) -> None:
        """Hear that a thought ended after `steps` latents; UnplaceableError if one that was asked is not there."""

    @abstractmethod
    def body(self, segment: int) -> tuple[int, ...] | None:
        """Return the tokens of a written thought and its end marker, or None if the model writes it."""


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rules:
    """What decides the next token beside the model.

    Attributes
    ----------
    spec, tokens
        The thought and, for a latent one, its ids; or None.
    eos
        Ids that end a row.
    stop
        Strings that end a row once they stand in its generated text.
    max_new_tokens
        Positions that a row may add, latent ones included.
    questions
        Tokens of each prompt's question, where they are read again after a thought.
    """

    spec: LatentSpec | TextSpec | None
    tokens: LatentTokens | None
    eos: frozenset[int]
    stop: tuple[str, ...]
    max_new_tokens: int
    tokenizer: Any
    questions: tuple[tuple[int, ...], ...] = ()

    @property
    def hides(self) -> bool:
        """True if something is hidden from what follows a thought."""
        return self.spec is not None and self.spec.answer_from != "everything"


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Job:
    """One row to decode.

    Attributes
    ----------
    prompt
        Which of the prompts it continues.
    unit, draw
        Whose it is; seeds of sampling.
    plan
        What is done to its thoughts; None for nothing.
    answer
        Token ids that are put after the thought instead of what the model says, to read the logits there; None to
        let the model go on.
    after
        After how many thoughts the answer is put.
    kept
        How many trailing positions' logits are kept.
    """

    prompt: int
    unit: int
    draw: int = 0
    plan: AbstractPlan | None = None
    answer: tuple[int, ...] | None = None
    after: int = 1
    kept: int = 1
