"""A user's own outcome: a function of the model's output."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from .._checks import shown
from ..errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared, one_a_row, wide


@final
@dataclass(frozen=True, slots=True)
class CustomOutcome(AbstractOutcome):
    """An outcome made of a function; made by `outcome`."""

    function: Callable[..., Tensor]
    at: Any = "last"

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        function, name = self.function, _name(self.function)
        with_units = len(inspect.signature(function).parameters) > 1
        table = pairs.table

        def reduce(output: Any, units: Tensor, reference: Tensor | None) -> Tensor:
            found = function(output, table.iloc[units.tolist()]) if with_units else function(output)
            return wide(one_a_row(found, len(units), name))

        return Prepared(label=name.replace("_", " "), reduce=reduce, at=self.at, raw=True)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def outcome(function: Callable[..., Tensor]) -> CustomOutcome:
    """Make an outcome of ``function(output) -> (batch,)``.

    For a language model `output` holds the logits of the last prompt token, ``(batch, vocabulary)``;
    for a plain module it is what the module returned. A second parameter, if there is one, receives the
    rows of the units' frame that belong to the batch. The function may not mix rows.

    Raises
    ------
    OutcomeError
        If `function` is not a function of one or two parameters.

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
        raise OutcomeError(f"outcome({shown(function)}): a function from the model's output to (batch,) is needed.")
    try:
        n = len(inspect.signature(function).parameters)
    except ValueError:
        raise OutcomeError(
            f"outcome({_name(function)}): its parameters cannot be read. Wrap it in a function of the output: "
            f"lambda output: {_name(function)}(...)."
        ) from None
    if n not in (1, 2):
        raise OutcomeError(
            f"outcome {_name(function)!r} takes {n} parameters; one (output) or two (output, units) are possible."
        )
    return CustomOutcome(function)
