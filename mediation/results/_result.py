"""A result as its parts: what every question is asked of, and what every answer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import pandas as pd

from .._checks import called, listed
from ..errors import DesignError
from ..estimands import AbstractEstimand, estimands_from
from ..estimate import POTENTIAL_OUTCOMES, Precision
from ..inference import Inference
from .account import precision_of, settings_of
from .kinds import OF_UNITS, AbstractKind


@final
@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The parts of a result.

    Parameters
    ----------
    kind
        What a row of the table is.
    table, units
        The two frames.
    provenance
        The account of the run.
    """

    kind: AbstractKind
    table: pd.DataFrame
    units: pd.DataFrame
    provenance: Mapping[str, Any]

    @property
    def estimands(self) -> list[str]:
        """Keys of the estimands, each once, in the order of the table."""
        return [str(key) for key in dict.fromkeys(self.table["estimand"].tolist())]

    @property
    def outcomes(self) -> list[str]:
        """Names of the potential outcomes that the units have."""
        return [name for name in POTENTIAL_OUTCOMES if name in self.units]

    @property
    def settings(self) -> Inference:
        """Settings of the inference."""
        return settings_of(self.provenance)

    @property
    def precision(self) -> Precision:
        """Precision in which outcomes were computed."""
        return precision_of(self.provenance)

    def wanted(self, asked: Any) -> tuple[AbstractEstimand, ...]:
        """Return the estimands that are asked for, of which the units have the outcomes."""
        return tuple(estimands_from(self.outcomes, asked))

    def need_kind(self, what: str, does: str = "it is for", also: Sequence[str] = ()) -> None:
        """Raise DesignError unless the result is of the units of one study, or of a kind among `also`."""
        if not self.kind.of_units and self.kind.name not in also:
            raise DesignError(
                f"{what} was asked of a result of kind {self.kind.name!r}; {does} {listed((*OF_UNITS, *also))}. Ask "
                "the result that it was made of."
            )


class AbstractResult(ABC):
    """What has the parts of a result, and is made of them."""

    __slots__ = ()

    @abstractmethod
    def _parts(self) -> Result:
        """Return kind, table, units and provenance."""

    @classmethod
    @abstractmethod
    def _of(cls, result: Result) -> Self:
        """Return the object with these parts."""


def parts_of(effects: object, what: str) -> Result:
    """Return the parts of `effects`; DesignError if it is something else."""
    if not isinstance(effects, AbstractResult):
        raise DesignError(
            f"{what}: {called(effects)} was given; the Effects that mediate, ablate, effects or read return are needed."
        )
    return effects._parts()
