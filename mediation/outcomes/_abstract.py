"""What an outcome is, and what it becomes once the units and the model are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, final

import torch
from torch import Tensor

from .._checks import called, shown
from ..errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._reader import AbstractReader

Reduce = Callable[[Any, Tensor, Tensor | None], Tensor]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one generation says.

    Attributes
    ----------
    text
        All of the generated text, special tokens included.
    answer
        The text after the last thought; all of it without a thought.
    steps
        Positions inside thoughts: latents that were fed, or tokens that were written.
    tokens
        New positions in all.
    repeats
        Whether the text ends in a loop.
    stopped
        Why it ended, such as "eos" or "length".
    """

    text: str
    answer: str
    steps: int = 0
    tokens: int = 0
    repeats: bool = False
    stopped: str = "eos"


Judge = Callable[[Told, int, Told], float]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prepared:
    """An outcome bound to units and model.

    Attributes
    ----------
    label
        What the number is, for axes: ``"logit(answer) - logit(foil)"``.
    reduce
        ``(output, units, reference) -> (rows,)``, in float32 (float64 if the output is). `output` holds logits of shape
        ``(rows, kept, vocabulary)``, the last kept position being the last one that is read; with `raw`
        it is what the module returned (for language models the logits of the position that is read,
        ``(rows, vocabulary)``). `units` ``(rows,)`` are unit numbers; `reference` is ``(rows, vocabulary)``.
    at
        Position at which a language model's logits are read.
    continuation
        Token ids appended to each unit's input (all but the last token of a multi-token answer).
    raw
        True for custom functions of the output.
    uses_reference
        True if the logits of the plain base run are needed.
    judge
        For outcomes of a whole generation, ``(told, unit, plain) -> number``, where `plain` is the generation that the
        outcome may compare with: that of the base as it is, or in an ablation that of the input as it is.
    unparsed
        ``(told, unit) -> bool``: True where the generation holds no answer that the rules find.
    cue
        Text that is put after the thought, before the logits are read.
    asked
        Token ids ``(units, k)`` whose logits, at the position that is read, are all that the outcome needs; None if it
        needs others.
    reduce_asked
        ``(logits (rows, k), units) -> (rows,)``: the outcome from the logits of `asked` alone.
    of_input
        True if the tokens that a run's own input has at `at` are scored: `output` is then ``(rows, 2)``, the sum of
        their log-probabilities, each given those before it, and their number.
    reader
        What reads the outcome, where one forward pass does not give it.
    parts
        Of several outcomes that are read in the same runs, each of them; made by `Several`.
    """

    label: str
    reduce: Reduce
    at: Any = "last"
    continuation: tuple[tuple[int, ...], ...] | None = None
    raw: bool = False
    uses_reference: bool = False
    judge: Judge | None = None
    unparsed: Callable[[Told, int], bool] | None = None
    cue: str = ""
    asked: Tensor | None = None
    reduce_asked: Callable[[Tensor, Tensor], Tensor] | None = None
    of_input: bool = False
    reader: AbstractReader | None = None
    parts: tuple[Prepared, ...] = ()

    def read(self, output: Any, units: Tensor, reference: Tensor | None) -> Tensor:
        """Return what `reduce` does; OutcomeError if that is not one number a row."""
        return one_a_row(self.reduce(output, units, reference), len(units), self.label)

    @property
    def each(self) -> tuple[Prepared, ...]:
        """The outcomes that are read: several, or this one."""
        return self.parts or (self,)

    @property
    def of_rollout(self) -> bool:
        """True if the outcome is read in a rollout alone."""
        return self.judged or bool(self.each[0].cue)

    @property
    def judged(self) -> bool:
        """True if whole generations are judged."""
        return self.each[0].judge is not None

    @property
    def at_last(self) -> bool:
        """True if nothing is read but at the last token, and at those that are appended."""
        return all(part.at == "last" for part in self.each)

    @property
    def compared(self) -> Prepared:
        """The outcome at whose position the logits of the plain base run are read, where one needs them."""
        return next((part for part in self.each if part.uses_reference), self.each[0])

    @property
    def kept(self) -> int:
        """Number of trailing positions whose logits are read."""
        return 1 + max((len(ids) for ids in self.continuation), default=0) if self.continuation else 1


def check_read_at(at: object) -> int | str:
    """Return the position at which an outcome is read: one token, so an index, "last" or a named span.

    Examples
    --------
    >>> check_read_at(-1)
    -1
    """
    if isinstance(at, str) and at not in ("", "all", "each", "spans"):
        return at
    if isinstance(at, Integral) and not isinstance(at, bool):
        return int(at)
    raise OutcomeError(
        f"The outcome is read at = {shown(at)}; one token is needed: 'last', an index, or a named span of one token "
        "(such as 'subject.last')."
    )


class AbstractOutcome(ABC):
    """One number per unit from what the model puts out."""

    __slots__ = ()

    @abstractmethod
    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Return the outcome bound to `pairs` and `model`; raise OutcomeError if it cannot be computed."""


def one_a_row(found: object, rows: int, name: str) -> Tensor:
    """Return what an outcome called `name` gave for some rows.

    Raises
    ------
    OutcomeError
        If it is not a tensor of one number for each.
    """
    if isinstance(found, Tensor) and found.shape == (rows,):
        return found
    shape = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else called(found)
    raise OutcomeError(
        f"outcome {name!r} returned {shape} for {rows} row{'s' if rows != 1 else ''}; one number a row is needed, a "
        f"tensor of shape ({rows},)."
    )


def wide(numbers: Tensor) -> Tensor:
    """Return `numbers` in the precision in which outcomes are computed: float32, or float64 where they have it.

    Examples
    --------
    >>> wide(torch.zeros(1, dtype=torch.bfloat16)).dtype, wide(torch.zeros(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return numbers if numbers.dtype == torch.float64 else numbers.float()
