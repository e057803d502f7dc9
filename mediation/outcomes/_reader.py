"""How an outcome is read that one forward pass does not give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

Visits = Callable[[Sequence[Any], Any], list[Any]]
"""From rows of a study, and the batch of their prompts, to what happens in the pass of that batch."""

LogitsAfter = Callable[[Sequence[int]], Tensor]
"""From tokens after a prompt to the logits of the token that follows it, and each of them: ``(1 + n, vocabulary)``."""


class AbstractReader(ABC):
    """Reads outcomes off what follows the pass of a prompt, in which a study changes what it changes."""

    __slots__ = ()

    @property
    @abstractmethod
    def identity(self) -> object:
        """What changes outcomes, as plain data and functions."""

    @property
    @abstractmethod
    def more(self) -> int:
        """How many positions may follow a prompt."""

    @property
    @abstractmethod
    def sampled(self) -> bool:
        """True if the draws of a world differ, though nothing in its prompt is random."""

    @abstractmethod
    def check(self, study: Any) -> None:
        """Raise an error, before anything runs, for a study that cannot be read so."""

    @abstractmethod
    def outcomes(self, study: Any, backend: Any, rows: Sequence[Any], visits: Visits) -> Tensor:
        """Return the outcomes of rows ``(rows, outcomes)``; `visits` act in the pass of their prompts."""

    @abstractmethod
    def accounts(self, study: Any, rows: Sequence[Any]) -> list[Any]:
        """Return what a store keeps of rows that were read, besides their outcomes: plain data, one a row."""

    @abstractmethod
    def restore(self, study: Any, rows: Sequence[Any], values: Sequence[Any], accounts: Sequence[Any]) -> None:
        """Take rows that a store holds as read: their outcomes, and what `accounts` has returned."""

    @abstractmethod
    def alone(self, study: Any, world: Any, unit: int, draw: int, logits_after: LogitsAfter) -> tuple[float, ...]:
        """Return the outcomes of one row by the naive path; BackendError if `outcomes` has read other tokens."""
