"""The backend that stands for the naive path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from ...models import Model
from ._backend import AbstractBackend, Visit
from ._hooks import HookBackend


@final
@dataclass(frozen=True, slots=True)
class ReferenceBackend(AbstractBackend):
    """One forward pass per world, unit and draw: slow, and the oracle of the others."""

    @property
    def name(self) -> str:
        """Name in provenance and errors."""
        return "reference"

    def forward(
        self, model: Model, inputs: Mapping[str, Any], visits: Sequence[Visit], finish: Callable[[Any], Any]
    ) -> Any:
        """Run once with plain hooks; studies take the naive path of `Reference` instead."""
        return HookBackend().forward(model, inputs, visits, finish)
