"""A user's own outcome: a function of the model's output."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from .._errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared


@final
@dataclass(frozen=True, slots=True)
class CustomOutcome(AbstractOutcome):
    """An outcome made of a function; made by `outcome`."""

    function: Callable[..., Tensor]
    at: Any = "last"

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        function, name = self.function, self.function.__name__
        with_units = len(inspect.signature(function).parameters) > 1
        table = pairs.table

        def reduce(output: Any, units: Tensor, reference: Tensor | None) -> Tensor:
            found = function(output, table.iloc[units.tolist()]) if with_units else function(output)
            if not isinstance(found, Tensor) or found.shape != (len(units),):
                shape = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
                raise OutcomeError(
                    f"outcome {name!r} returned {shape} for {len(units)} rows; a tensor of shape ({len(units)},) is needed."
                )
            return found.float() if found.dtype != torch.float64 else found

        return Prepared(label=name.replace("_", " "), reduce=reduce, at=self.at, raw=True)


def outcome(function: Callable[..., Tensor]) -> CustomOutcome:
    """Make an outcome of ``function(output) -> (batch,)``.

    For a language model `output` holds the logits of the last prompt token, ``(batch, vocabulary)``;
    for a plain module it is what the module returned. A second parameter, if there is one, receives the
    rows of the units' frame that belong to the batch. The function may not mix rows.

    Examples
    --------
    >>> import torch
    >>> @outcome
    ... def first(output):
    ...     return output[:, 0]
    >>> type(first).__name__
    'CustomOutcome'
    """
    if not callable(function):
        raise OutcomeError(f"outcome({function!r}): a function output -> (batch,) is needed.")
    n = len(inspect.signature(function).parameters)
    if n not in (1, 2):
        raise OutcomeError(
            f"outcome {getattr(function, '__name__', function)!r} takes {n} parameters; one (output) or two (output, units) are possible."
        )
    return CustomOutcome(function)
