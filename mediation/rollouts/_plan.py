"""What a row asks of whoever changes its thoughts."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


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
