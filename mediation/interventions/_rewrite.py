"""The idea of a rewrite: a pure function of a written thought, as a value."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np

from .._checks import called
from ..errors import DesignError
from ._abstract import AbstractPlaceable, Identity

TextNeed: TypeAlias = Literal["rng", "pool"]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TextGiven:
    """What a run gives to a rewrite beside the text.

    Parameters
    ----------
    rng
        Source of random numbers, seeded for the unit and the draw. No rewrite moves it on: each draws from a copy.
    pool
        The thoughts of all units in the same run.
    donor
        The thought of the donor unit, where the run has one.
    unit
        Number of the unit.

    Examples
    --------
    >>> TextGiven(unit=3).pool
    ()
    """

    rng: np.random.Generator | None = None
    pool: tuple[str, ...] = ()
    donor: str | None = None
    unit: int | None = None


NO_TEXT_GIVEN = TextGiven()


class AbstractRewrite(AbstractPlaceable):
    """What is done to a written thought: a pure function of its text, frozen and compared by value.

    Laws:

    - the same text and the same `TextGiven` give the same result; randomness comes in through ``given.rng`` alone,
      which is read from a copy;
    - an empty thought stays empty, unless another text is put in its place;
    - ``>>`` is associative (flattened), and `Identity` is neutral for it;
    - equal parameters make equal rewrites with equal hashes, and ``repr`` evaluates back.

    Examples
    --------
    >>> from mediation.rewrites import Blank, Truncate
    >>> (Truncate(2) >> Blank())("the red cart")
    '... ...'
    """

    __slots__ = ()
    acts_on = "text"

    @abstractmethod
    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the text that the model goes on with.

        Parameters
        ----------
        text
            The thought, without its markers.
        given
            Random numbers, the thoughts of all units, and the unit's number.

        Raises
        ------
        DesignError
            If something needed is not given.
        """

    def __rshift__(self, other: AbstractRewrite | Identity) -> AbstractRewrite:
        if isinstance(other, Identity):
            return self
        return RewriteChain((self, other)) if isinstance(other, AbstractRewrite) else NotImplemented

    def __rrshift__(self, other: Identity) -> AbstractRewrite:
        return self if isinstance(other, Identity) else NotImplemented


@final
@dataclass(frozen=True, slots=True, repr=False)
class RewriteChain(AbstractRewrite):
    """Rewrites one after another, first to last; written ``a >> b``.

    Always in normal form: at least two parts, none of them a `RewriteChain` or `Identity`. Parts that draw have random
    numbers of their own, independent of each other.

    Parameters
    ----------
    parts
        Two or more rewrites; nested ones are flattened, `Identity` is left out.

    Raises
    ------
    DesignError
        If fewer than two are left, or a part is no rewrite.

    Examples
    --------
    >>> from mediation.rewrites import Blank, RepeatFirst, Truncate
    >>> Truncate(3) >> (RepeatFirst() >> Blank())
    (Truncate(3) >> RepeatFirst() >> Blank())
    """

    parts: tuple[AbstractRewrite, ...]

    def __post_init__(self) -> None:
        parts = self.parts if isinstance(self.parts, (tuple, list)) else (self.parts,)
        flat: list[AbstractRewrite] = []
        for part in parts:
            if isinstance(part, RewriteChain):
                flat.extend(part.parts)
            elif isinstance(part, AbstractRewrite):
                flat.append(part)
            elif not isinstance(part, Identity):
                raise DesignError(f"RewriteChain: a rewrite is needed, such as Blank(), found {called(part)}.")
        if len(flat) < 2:
            raise DesignError(f"RewriteChain: at least two rewrites are needed, found {len(flat)}. Write a >> b.")
        object.__setattr__(self, "parts", tuple(flat))

    def __repr__(self) -> str:
        return f"({' >> '.join(map(repr, self.parts))})"

    def needs(self) -> frozenset[TextNeed]:
        """Return what the parts need."""
        return frozenset[TextNeed]().union(*(part.needs() for part in self.parts))

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the result of the last part on that of the one before it, and so on."""
        draws = None if given.rng is None else copy.deepcopy(given.rng)
        for part in self.parts:
            own = None if draws is None else np.random.default_rng(draws.integers(0, 2**32, size=4))
            text = part(text, TextGiven(rng=own, pool=given.pool, donor=given.donor, unit=given.unit))
        return text


def random_numbers(given: TextGiven, *, by: object) -> np.random.Generator:
    """Return a copy of the generator, so that the one given stays as it is.

    Raises
    ------
    DesignError
        If there is none.
    """
    if given.rng is None:
        raise DesignError(
            f"{by!r} needs random numbers, and was given none. med.mediate and med.ablate supply them; when calling it "
            "yourself, pass TextGiven(rng=numpy.random.default_rng(0))."
        )
    return copy.deepcopy(given.rng)


def thoughts_of_all(given: TextGiven, *, by: object) -> tuple[str, ...]:
    """Return the thoughts of all units.

    Raises
    ------
    DesignError
        If there are none.
    """
    if not given.pool:
        raise DesignError(
            f"{by!r} needs the thoughts of all units, and was given none. med.mediate and med.ablate supply them; when "
            "calling it yourself, pass TextGiven(pool=('a thought', 'another'))."
        )
    return given.pool
