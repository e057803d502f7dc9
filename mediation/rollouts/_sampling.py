"""Sampling of the next token, seeded a unit, so that it does not depend on who else is in the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from .._checks import number, positive_int, shown
from ..errors import DesignError

_STREAM = 3


@final
@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn: from the softmax of logits / temperature, cut to the likeliest tokens.

    The cuts are those of transformers (``TopKLogitsWarper``, ``TopPLogitsWarper``), in its order. Each unit has its own
    random numbers, one a position: the same in every batch, and common to all worlds of the unit.

    Parameters
    ----------
    temperature
        Above 0.
    top_k
        Keep the k likeliest tokens; None for all.
    top_p
        Keep the likeliest tokens that hold this probability together; None for all.

    Raises
    ------
    DesignError
        If an argument is out of range.

    Examples
    --------
    >>> Sampling(0.7, top_p=0.9)
    Sampling(temperature=0.7, top_k=None, top_p=0.9)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        _within(self.temperature, "temperature", most=float("inf"))
        if self.top_k is not None:
            positive_int(self.top_k, what="Sampling: top_k")
        if self.top_p is not None:
            _within(self.top_p, "top_p", most=1.0)

    def warpers(self) -> list[Any]:
        """Return the cuts, as transformers makes them."""
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        found: list[Any] = [TemperatureLogitsWarper(float(self.temperature))]
        if self.top_k is not None:
            found.append(TopKLogitsWarper(self.top_k))
        if self.top_p is not None:
            found.append(TopPLogitsWarper(float(self.top_p)))
        return found


@final
class Sampler:
    """Draws tokens for the rows of a batch."""

    __slots__ = ("_generators", "_keys", "_warpers")

    def __init__(self, sampling: Sampling, who: Sequence[tuple[int, int]], seed: int) -> None:
        self._warpers = sampling.warpers()
        self._keys = [(seed, _STREAM, unit, draw) for unit, draw in who]
        self._generators = [np.random.default_rng(np.random.SeedSequence(key)) for key in self._keys]

    def draw(self, logits: Tensor) -> list[int]:
        """Return one token a row, by inverting the distribution function over ids; `logits` (rows, vocabulary)."""
        scores = torch.nan_to_num(logits.float())
        for warp in self._warpers:
            scores = warp(None, scores)
        total = scores.softmax(dim=-1).double().cumsum(dim=-1)
        points = torch.tensor([[generator.random()] for generator in self._generators], dtype=torch.float64)
        found = torch.searchsorted(total, points.to(total.device) * total[:, -1:], right=True)
        return [int(token) for token in found[:, 0].clamp(max=logits.shape[-1] - 1).tolist()]

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these."""
        self._keys = [self._keys[row] for row in rows]
        self._generators = [self._generators[row] for row in rows]

    def restart(self, row: int, after: int) -> None:
        """Give a row the random numbers of what follows its thought number `after`, however long that was."""
        self._generators[row] = np.random.default_rng(np.random.SeedSequence((*self._keys[row], after)))


def _within(value: object, what: str, *, most: float) -> None:
    wanted = "a number above 0" if most == float("inf") else "a number above 0 and at most 1"
    if not 0 < number(value, what=f"Sampling: {what}", needed=wanted) <= most:  # type: ignore[arg-type]
        raise DesignError(f"Sampling: {what} = {shown(value)}: {wanted} is needed.")
