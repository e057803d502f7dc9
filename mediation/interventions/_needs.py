"""What an intervention must be given beside the activation: another activation, noise, a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, final

from torch import Tensor

from .._checks import one_of, positive_int, seed_number, shown
from ..errors import BackendError, DesignError
from ._broadcast import fits

RUNS = ("other", "same", "base", "source")
UNITS = ("own", "random", "derangement", "matched", "index")


@final
@dataclass(frozen=True, slots=True)
class Donor:
    """The activation at the same site, in a run of this or of another unit.

    Parameters
    ----------
    run
        Input whose run is read: ``"base"``, ``"source"``, the ``"same"`` as the one that runs, or the ``"other"``.
    unit
        Unit that is read: its ``"own"`` run; another one drawn with replacement (``"random"``); another one by a
        permutation without fixed points (``"derangement"``); a random other one that agrees in `column`
        (``"matched"``); or the one named in `index`.
    column
        Column of the units' frame, for ``"matched"`` only.
    index
        One unit number for each unit, for ``"index"`` only.
    world
        A `World` in which the unit's own activation is read, with all that is done there; `run` is then that of the
        world, and is left out. None for plain runs.

    Raises
    ------
    DesignError
        If `run` or `unit` is not known, or if `column`, `index` or `world` is missing or not wanted.

    Examples
    --------
    >>> Donor("same", "matched", column="template").column
    'template'
    """

    run: Literal["other", "same", "base", "source"] = "other"
    unit: Literal["own", "random", "derangement", "matched", "index"] = "own"
    column: str | None = None
    index: tuple[int, ...] | None = None
    world: Any = None

    def __post_init__(self) -> None:
        one_of(self.run, RUNS, what="Donor: run")
        one_of(self.unit, UNITS, what="Donor: unit")
        if self.world is not None and (self.run, self.unit) != ("other", "own"):
            raise DesignError(
                f"Donor(run={self.run!r}, unit={self.unit!r}, world={self.world!r}): a donor in a world is the unit's "
                "own activation there, in the run of that world. Leave run and unit out."
            )
        object.__setattr__(self, "index", donor_index(self.unit, self.column, self.index, what="Donor"))

    def __repr__(self) -> str:
        about = f"run={self.run!r}, unit={self.unit!r}, column={self.column!r}, index={self.index!r}"
        return f"Donor({about})" if self.world is None else f"Donor(world={self.world!r})"


@final
@dataclass(frozen=True, slots=True)
class Noise:
    """Independent standard normal draws, one for each number of the activation.

    Parameters
    ----------
    stream
        Interventions with the same stream see the same draws; give another number for independent ones.

    Raises
    ------
    DesignError
        If `stream` is not a whole number of at least 0.

    Examples
    --------
    >>> Noise() == Noise(stream=0)
    True
    """

    stream: int = 0

    def __post_init__(self) -> None:
        seed_number(self.stream, what="Noise: stream")


@final
@dataclass(frozen=True, slots=True)
class Moment:
    """The mean or the standard deviation of the activation at the site, over the units of the study.

    Parameters
    ----------
    kind
        ``"mean"``: one number for each feature. ``"std"``: one number for the site, the square root of the
        mean over features of the variance over units and tokens.
    over
        For the mean: over ``"units"``, separately for each position, or over units and ``"tokens"`` together.
        The standard deviation is always over both, and is asked for with ``"units"``.
    run
        Input whose run is averaged: ``"base"``, ``"source"``, or the ``"same"`` as the one that runs.

    Raises
    ------
    DesignError
        If an argument is not known, or `over` is given for the standard deviation.

    Examples
    --------
    >>> Moment("mean", over="tokens")
    Moment(kind='mean', over='tokens', run='same')
    """

    kind: Literal["mean", "std"]
    over: Literal["units", "tokens"] = "units"
    run: Literal["same", "base", "source"] = "same"

    def __post_init__(self) -> None:
        one_of(self.kind, ("mean", "std"), what="Moment: kind")
        one_of(self.over, ("units", "tokens"), what="Moment: over")
        one_of(self.run, ("same", "base", "source"), what="Moment: run")
        if self.kind == "std" and self.over != "units":
            raise DesignError(
                f"Moment('std', over={self.over!r}): the standard deviation of a site is one number, over units and "
                "tokens together. Leave `over` out."
            )


Need: TypeAlias = Donor | Noise | Moment
Given: TypeAlias = Mapping[Need, Tensor]
NOTHING: Given = MappingProxyType({})


def checked_needs(one: Any) -> frozenset[Need]:
    """Return what an intervention needs.

    Raises
    ------
    DesignError
        If it names something that no run can give.
    """
    needs = one.needs()
    if not isinstance(needs, (set, frozenset)):
        raise DesignError(f"needs() of {one!r} gave {shown(needs)}; a set is needed, such as frozenset({{Donor()}}).")
    for need in needs:
        if not isinstance(need, (Donor, Noise, Moment)):
            raise DesignError(f"needs() of {one!r} holds {shown(need)}; only Donor, Noise and Moment can be asked for.")
    return frozenset(needs)


def applied(one: Any, hidden: Tensor, given: Given) -> Tensor:
    """Return the result of an intervention.

    Raises
    ------
    DesignError
        If it reads what its needs() does not name.
    """
    try:
        result: Tensor = one(hidden, given)
    except KeyError as error:
        (need,) = error.args or (None,)
        if not isinstance(need, (Donor, Noise, Moment)) or need in one.needs():
            raise
        raise DesignError(f"{one!r} reads {need!r}, which its needs() does not name.") from None
    return result


def donor_index(unit: str, column: str | None, index: object, *, what: str) -> tuple[int, ...] | None:
    """Return `index` as a tuple, after checking that `column` and `index` are there exactly when `unit` uses them."""
    if (column is not None) != (unit == "matched"):
        found = (
            "column is missing: name the column in which donor and unit agree"
            if column is None
            else (f"column={shown(column)} is used by 'matched' only; leave it out, or ask for 'matched'")
        )
        raise DesignError(f"{what} with {unit!r} donors: {found}.")
    if (index is not None) != (unit == "index"):
        found = (
            "index is missing: give one unit number for each unit, such as index=(1, 0)"
            if index is None
            else ("index is used by 'index' only; leave it out, or ask for 'index'")
        )
        raise DesignError(f"{what} with {unit!r} donors: {found}.")
    if column is not None and not isinstance(column, str):
        raise DesignError(f"{what}: column = {shown(column)}: the name of a column is needed, such as 'template'.")
    return None if index is None else _unit_numbers(index, what=what)


def _unit_numbers(index: object, *, what: str) -> tuple[int, ...]:
    if not isinstance(index, (tuple, list)) or not index:
        raise DesignError(f"{what}: index = {shown(index)}: a tuple with one unit number for each unit is needed.")
    for number in index:
        positive_int(number, what=f"{what}: a number in index", least=0)
    return tuple(index)


def supplied(need: Need, hidden: Tensor, given: Given, *, by: object) -> Tensor:
    """Return what was given for `need`, on the device of `hidden`.

    Raises
    ------
    DesignError
        If nothing was given for `need`.
    BackendError
        If what was given does not broadcast to `hidden`.
    """
    if need not in given:
        found = ", ".join(sorted(map(repr, given))) or "nothing"
        raise DesignError(
            f"{by!r} needs {need!r}, and was given {found}. med.mediate and med.ablate supply it; "
            f"when calling the intervention yourself, pass given={{{need!r}: tensor}}."
        )
    tensor = given[need]
    if not fits(tensor.shape, hidden.shape):
        raise BackendError(
            f"{by!r}: what was given for {need!r} has shape {tuple(tensor.shape)}, which does not broadcast to the "
            f"activation's shape {tuple(hidden.shape)}."
        )
    return tensor.to(hidden.device)
