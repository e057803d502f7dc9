"""Worlds: one input with one assignment; the unit of execution and of caching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from ..._checks import one_of
from ...interventions import Assignment, Donor, Noise

Run = Literal["base", "source"]


@final
@dataclass(frozen=True, slots=True)
class World:
    """One run: an input and what is done inside it.

    Parameters
    ----------
    run
        "base" or "source": the input that runs.
    assignment
        Interventions at sites; None for the plain run.

    Examples
    --------
    >>> from mediation import Zero, mlp
    >>> World("base", Zero().at(mlp(0)))
    World(run='base', assignment=Zero().at(mlp(0)))
    """

    run: Run
    assignment: Assignment | None = None

    def __post_init__(self) -> None:
        one_of(self.run, ("base", "source"), what="World run")

    def __str__(self) -> str:
        return self.run if self.assignment is None else f"{self.run} with {self.assignment}"

    @property
    def is_random(self) -> bool:
        """True if its outcome depends on noise or on a donor drawn at random."""
        if self.assignment is None:
            return False
        for _, what in self.assignment.entries:
            for need in what.needs():
                if isinstance(need, Noise) or need == "rng":
                    return True
                if isinstance(need, Donor) and (need.unit not in ("own", "index") or _is_random(need.world)):
                    return True
        return False

    @property
    def donors(self) -> tuple[World, ...]:
        """The worlds whose activations are put in here."""
        entries = () if self.assignment is None else self.assignment.entries
        needs = (need for _, what in entries for need in what.needs() if isinstance(need, Donor))
        return tuple(dict.fromkeys(need.world for need in needs if need.world is not None))


def _is_random(world: World | None) -> bool:
    return world is not None and world.is_random


def donor_run(need: Donor, own: str) -> Run:
    """Return the run in which a donor is read, seen from a world that runs `own`."""
    return need.world.run if need.world is not None else run_of(need.run, own)


def run_of(asked: str, own: str) -> Run:
    """Return the run that a need speaks of, seen from a world that runs `own`.

    Examples
    --------
    >>> run_of("other", "base")
    'source'
    """
    if asked in ("base", "source"):
        return asked  # type: ignore[return-value]
    other: Run = "source" if own == "base" else "base"
    mine: Run = "base" if own == "base" else "source"
    return other if asked == "other" else mine
