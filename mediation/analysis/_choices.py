"""The choices of a specification table, checked and by name: outcomes, corruptions, arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from torch import Tensor, equal

from .._checks import called
from ..engine.study import run_of
from ..errors import DataError, DesignError
from ..interventions import AbstractIntervention, Assignment, Donor, InterventionFactory, Moment
from ..outcomes import AbstractOutcome
from ..units import Pairs
from ._ablate import _named_arms
from ._asked import name_of

Arm = tuple[str, float]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What varies between specifications.

    Attributes
    ----------
    corruptions
        Pairs, or what makes the base in the source run, by name; the reference first.
    outcomes
        Outcomes by name; the reference first.
    labels
        What each outcome is, by its name.
    arms
        What is put in the mediator's place, by name and dose.
    run
        Input that the arms ablate.
    """

    corruptions: dict[str, Pairs | Assignment]
    outcomes: dict[str, AbstractOutcome]
    labels: dict[str, str]
    arms: dict[Arm, AbstractIntervention]
    run: Literal["base", "source"]

    @property
    def pairs(self) -> Pairs:
        """The pairs of the reference."""
        first = next(iter(self.corruptions.values()))
        assert isinstance(first, Pairs)
        return first

    def arms_of(self, corruption: str) -> dict[Arm, AbstractIntervention]:
        """Return the arms to be run under a corruption: those that it changes, and all under the reference."""
        mine = self.corruptions[corruption]
        if mine is self.pairs:
            return self.arms
        if isinstance(mine, Assignment):
            return {}
        if self.run == "base" or not _same(mine.source, self.pairs.source):
            return self.arms
        return {key: arm for key, arm in self.arms.items() if _reads_base(arm)}


def corruptions_of(pairs: object, others: object) -> dict[str, Pairs | Assignment]:
    """Return the corruptions by name, the pairs themselves first.

    Raises
    ------
    DataError
        If pairs are of other units, or of none.
    DesignError
        If the corruptions are no mapping to pairs and assignments, or two have one name.
    """
    if not isinstance(pairs, Pairs):
        if isinstance(pairs, Mapping):
            raise DataError(
                "pairs is a mapping; one med.Pairs, the reference, is needed. Give the others as "
                "corruptions={'name': med.Pairs(...)}."
            )
        raise DataError(f"pairs is {called(pairs)}; units are given as med.Pairs(base=..., source=...).")
    found: dict[str, Pairs | Assignment] = {pairs.columns[0]: pairs}
    if others is None:
        return found
    if not isinstance(others, Mapping):
        raise DesignError(
            f"corruptions is {called(others)}; a mapping from names to pairs or to assignments is needed, such as "
            "{'noise': med.GaussianNoise(3.0).at(med.embedding())}."
        )
    for key, one in others.items():
        name = name_of(key, "corruption")
        if name in found:
            raise DesignError(f"Two corruptions are called {name!r} (the first is the base of `pairs`); rename one.")
        found[name] = _checked(name, one, pairs)
    return found


def arms_of(arms: object) -> dict[Arm, AbstractIntervention]:
    """Return the arms by name and dose; DesignError for what is no intervention, or placed at a site already."""
    if arms is None:
        return {}
    if isinstance(arms, Assignment):
        raise DesignError(
            f"arms is {arms!r}, placed at a site, and arms are placed at the mediator. Write {arms.entries[0][1]!r}, "
            "or a mapping such as {'zero': med.Zero()}."
        )
    if not isinstance(arms, AbstractIntervention) and not (isinstance(arms, Mapping) and arms):
        found = "empty" if isinstance(arms, Mapping) else called(arms)
        raise DesignError(
            f"arms is {found}; a mapping from names to interventions is needed, such as {{'zero': med.Zero()}}."
        )
    named: dict[Arm, AbstractIntervention] = _named_arms(arms)
    for (name, _), arm in named.items():
        if isinstance(arm, Assignment):
            raise DesignError(
                f"arm {name!r} is {arm!r}, placed at a site, and arms are placed at the mediator. Write "
                f"{arm.entries[0][1]!r}."
            )
        if not isinstance(arm, AbstractIntervention):
            hint = f" Call it: {arm.name}()." if isinstance(arm, InterventionFactory) else ""
            raise DesignError(f"arm {name!r} is {called(arm)}; an intervention is needed, such as med.Zero().{hint}")
        if not name:
            raise DesignError("An arm has an empty name, which is that of the natural effects; name it.")
    return named


def _checked(name: str, one: object, pairs: Pairs) -> Pairs | Assignment:
    if isinstance(one, AbstractIntervention):
        raise DesignError(
            f"corruption {name!r} is {one!r}, an intervention without a site. Place it where the input is corrupted: "
            f"{one!r}.at(med.embedding())."
        )
    if isinstance(one, Assignment):
        if pairs.source is None:
            raise DesignError(
                f"corruption {name!r} is made in the source run, and these pairs have only base. Give "
                "Pairs(base=..., source=...)."
            )
        return one
    if not isinstance(one, Pairs):
        raise DesignError(
            f"corruption {name!r} is {called(one)}; pairs of the same units, or an assignment such as "
            "med.GaussianNoise(3.0).at(med.embedding()), is needed."
        )
    if len(one) != len(pairs):
        raise DataError(
            f"corruption {name!r} has {len(one)} units and the reference has {len(pairs)}; the same units are needed, "
            "in the same order. Drop those that lack one, with Pairs.subset."
        )
    if (one.source is None) != (pairs.source is None):
        raise DataError(
            f"corruption {name!r}: source inputs are there in one of the two pairs only; give them in both."
        )
    for what in ("cluster", "weight"):
        mine, theirs = getattr(one, what), getattr(pairs, what)
        if (mine is None) != (theirs is None) or (mine is not None and mine.tolist() != theirs.tolist()):
            raise DataError(
                f"corruption {name!r}: its {what}s are not those of the reference; the same units are needed, in the "
                "same order."
            )
    return one


def _reads_base(arm: AbstractIntervention) -> bool:
    """Whether an arm in the source run puts in something of the base."""
    return any(isinstance(need, Donor | Moment) and run_of(need.run, "source") == "base" for need in arm.needs())


def _same(one: Any, other: Any) -> bool:
    """Whether two sets of inputs are the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(np.all(one == other))
