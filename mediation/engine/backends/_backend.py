"""What a backend must do: run one batch, and let a list of visits see and change activations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

from torch import Tensor

from ...errors import SiteError
from ...models import Model


@final
@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One stop on the way through a model.

    Attributes
    ----------
    path
        Dotted path of the module.
    io
        "output" or "input" of the module (its first tensor), or "pattern", the attention probabilities
        ``(rows, heads, queries, keys)`` inside it.
    see
        Called with the tensor; returns the tensor to go on with, or None to leave it as it is.
    """

    path: str
    io: Literal["output", "input", "pattern"]
    see: Callable[[Tensor], Tensor | None]


def one_a_place(visits: Sequence[Visit]) -> list[Visit]:
    """Return one visit for each place, which does what all visits there do, in their order."""
    places: dict[tuple[str, str], list[Visit]] = {}
    for visit in visits:
        places.setdefault((visit.path, visit.io), []).append(visit)
    return [some[0] if len(some) == 1 else replace(some[0], see=_in_turn(some)) for some in places.values()]


def _in_turn(visits: Sequence[Visit]) -> Callable[[Tensor], Tensor | None]:
    def see(tensor: Tensor) -> Tensor | None:
        changed = None
        for visit in visits:
            found = visit.see(tensor if changed is None else changed)
            changed = changed if found is None else found
        return changed

    return see


class AbstractBackend(ABC):
    """Runs a forward pass in which visits see and replace activations.

    A new backend is one class with one method. `mediation.testing.check_backend` compares it with plain
    forward hooks.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in provenance and errors."""

    @abstractmethod
    def forward(
        self, model: Model, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        """Run `model` once on `inputs` and return ``finish(output)``.

        Parameters
        ----------
        model
            The model.
        inputs
            Keyword arguments of the module's forward; the key "" holds the first positional argument.
        visits
            In the order of execution (see `execution_order`).
        finish
            Called with the module's output while the pass is open; what it returns is returned.
        """


def main_tensor(value: Any) -> Tensor | None:
    """Return the tensor of a module's output: itself, the first item of a tuple, or the first field.

    Examples
    --------
    >>> import torch
    >>> main_tensor((torch.zeros(1), None)).shape
    torch.Size([1])
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], Tensor):
        return value[0]
    if isinstance(value, dict) and value:
        first = next(iter(value.values()))
        return first if isinstance(first, Tensor) else None
    return None


def with_main_tensor(value: Any, tensor: Tensor) -> Any:
    """Return `value` with its main tensor replaced."""
    if isinstance(value, Tensor):
        return tensor
    if isinstance(value, tuple) and type(value) is tuple:
        return (tensor, *value[1:])
    if isinstance(value, list):
        return [tensor, *value[1:]]
    if isinstance(value, dict):
        changed = value.copy()
        changed[next(iter(value))] = tensor
        return changed
    raise SiteError(
        f"A module gives a {type(value).__name__}, whose first tensor cannot be replaced. Name a module inside or "
        "around it: med.Site('path.of.the.module')."
    )
