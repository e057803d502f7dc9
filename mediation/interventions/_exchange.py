"""Interventions that put in the activation of another run: of the same unit, or of another one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, final

from torch import Tensor

from .._checks import one_of, shown
from ..errors import DesignError
from ._abstract import AbstractIntervention, Assignment
from ._broadcast import placed
from ._needs import NOTHING, RUNS, Donor, Given, Need, donor_index, supplied


@cache
def _own(run: str) -> Donor:
    """Return the need for a unit's own activation; a sweep asks for it hundreds of thousands of times."""
    return Donor(run)  # type: ignore[arg-type]


def _check_world(world: object, run: str) -> None:
    """Raise DesignError for what is no world, or a run beside it."""
    of, done = (getattr(world, name, None) for name in ("run", "assignment"))
    if of not in ("base", "source") or not (done is None or isinstance(done, Assignment)):
        raise DesignError(
            f"Interchange: world = {shown(world)}: a world is needed, such as med.World('base', "
            "med.Zero().at(med.mlp(3)))."
        )
    if run != "other":
        raise DesignError(
            f"Interchange(run={run!r}, world={world!r}): the activation is read in that world, which runs the {of} "
            "input. Leave run out."
        )


@final
@dataclass(frozen=True, slots=True, repr=False)
class Interchange(AbstractIntervention):
    """The unit's own activation from another of its runs: I(h) = M(x'), which makes Y(x, M(x')).

    This is the intervention of natural effects (Pearl 2001), and the interchange of Geiger et al. (2021).
    Taken from the run itself (``run="same"``), it changes nothing, exactly.

    Parameters
    ----------
    run
        Input whose mediator is used: ``"other"`` (source's in a base run, base's in a source run), ``"base"``,
        ``"source"``, or ``"same"``.
    world
        A `World` whose activation is used instead of that of a plain run: ``M(x', m1)``, the mediator as it is after
        something else was changed. That world may itself use activations of another one, to any depth; with these,
        path-specific effects are written (Avin, Shpitser & Pearl 2005; Goldowsky-Dill et al. 2023, arXiv:2304.05969).

    Raises
    ------
    DesignError
        If `run` is not known, or `world` is no world, or both are given.

    Examples
    --------
    >>> import torch
    >>> Interchange()(torch.zeros(1, 2), {Donor("other"): torch.ones(1, 2)})
    tensor([[1., 1.]])
    """

    run: Literal["other", "same", "base", "source"] = "other"
    world: Any = None

    def __post_init__(self) -> None:
        one_of(self.run, RUNS, what="Interchange: run")
        if self.world is not None:
            _check_world(self.world, self.run)

    def needs(self) -> frozenset[Need]:
        """Return the unit's own activation in that run or world."""
        return frozenset({self._donor})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the donor's activation."""
        return placed(supplied(self._donor, hidden, given, by=self), hidden)

    @property
    def _donor(self) -> Donor:
        if self.world is None:
            return _own(self.run)
        if self.world.assignment is None:  # a plain run
            return _own(self.world.run)
        return Donor(world=self.world)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Swap(AbstractIntervention):
    """The activation of another unit: I(h) = M of the donor unit; resample ablation when the donor is random.

    Says only which donor; the donor is drawn from the run's ``rng``, per unit, common to all sites and arms.

    Parameters
    ----------
    donor
        ``"derangement"``: a random permutation in which no unit keeps its own. ``"random"``: another unit drawn with
        replacement. ``"matched"``: a random other unit that agrees in `column`. ``"index"``: the units in `index`.
    column
        Column of the units' frame; with ``"matched"`` only.
    index
        One unit number for each unit; with ``"index"`` only.
    run
        Input whose run of the donor is read: ``"same"`` as the one that runs, ``"other"``, ``"base"``, ``"source"``.

    Raises
    ------
    DesignError
        If `donor` or `run` is not known, or `column` or `index` is missing or not wanted.

    Examples
    --------
    >>> Swap("matched", column="template").needs()
    frozenset({Donor(run='same', unit='matched', column='template', index=None)})
    """

    donor: Literal["derangement", "random", "matched", "index"] = "derangement"
    column: str | None = None
    index: tuple[int, ...] | None = None
    run: Literal["other", "same", "base", "source"] = "same"

    def __post_init__(self) -> None:
        one_of(self.donor, ("derangement", "random", "matched", "index"), what="Swap: donor")
        one_of(self.run, RUNS, what="Swap: run")
        object.__setattr__(self, "index", donor_index(self.donor, self.column, self.index, what="Swap"))

    def needs(self) -> frozenset[Need]:
        """Return the donor's activation."""
        return frozenset({self._need()})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the donor's activation."""
        return placed(supplied(self._need(), hidden, given, by=self), hidden)

    def _need(self) -> Donor:
        return Donor(self.run, unit=self.donor, column=self.column, index=self.index)
