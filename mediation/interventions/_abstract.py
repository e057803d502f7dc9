"""The algebra: interventions, pure functions of the activation at a site; one after another (``>>``), placed (``|``).

They are one file, since each is said by the others: an intervention is placed by `at` in an `Assignment`, which holds
interventions, and ``a >> b`` is one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from torch import Tensor

from .._checks import shown
from ..errors import DesignError
from ..sites import InputSite, Joint, Site, SiteSet, ThoughtSite, check_disjoint
from ._needs import NOTHING, Given, Need, checked_needs
from ._overlaps import elsewhere, shared
from ._spelling import spelled

if TYPE_CHECKING:
    from ..models import Model
    from ..units import Encoding

Place = Site | SiteSet | ThoughtSite | InputSite


class AbstractPlaceable(ABC):
    """What can be placed at a site: an intervention on activations, or a rewrite of a text."""

    __slots__ = ()
    acts_on: ClassVar[Literal["activations", "text"]]

    @abstractmethod
    def __call__(self, what: Any, given: Any = ..., /) -> Any: ...

    def needs(self) -> frozenset[Any]:
        """Return what `__call__` must find in `given`; nothing, unless a class says otherwise."""
        return frozenset()

    def at(self, site: Place) -> Assignment:
        """Return the assignment of this to `site`."""
        return Assignment(((site, self),))

    def __repr__(self) -> str:
        return spelled(self)


class AbstractIntervention(AbstractPlaceable):
    """What is done to the activation at a site: a pure function of it, frozen and compared by value.

    ``hidden`` has shape (rows, positions, features) at sequence sites and (rows, ...) elsewhere. A row is a
    unit. Rows come in any order and any number, so no intervention may look from one row at another.

    Laws (``check_laws`` tests them for one of your own):

    - the result has the shape, dtype and device of ``hidden``, and neither ``hidden`` nor ``given`` changes;
    - the same arguments give the same bits; randomness comes in through ``given`` alone;
    - every row of the result depends on that row only;
    - ``Identity()`` is neutral for ``>>``, and ``>>`` is associative, as objects and as functions;
    - equal parameters make equal interventions with equal hashes, and ``repr`` evaluates back
      (except for long tensors, which are printed by digest).

    Examples
    --------
    >>> import torch
    >>> from mediation.interventions import Add, Scale
    >>> double_then_shift = Scale(2.0) >> Add(1.0)
    >>> double_then_shift(torch.tensor([[3.0]]))
    tensor([[7.]])
    """

    __slots__ = ()
    acts_on = "activations"

    @abstractmethod
    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the activation that the model goes on with.

        Parameters
        ----------
        hidden
            The activation, (rows, positions, features) or (rows, ...). It is not changed.
        given
            A tensor for everything in `needs`, of the shape of `hidden` or broadcasting to it.

        Returns
        -------
        Tensor
            Shape, dtype and device of `hidden`.

        Raises
        ------
        DesignError
            If something needed is not given, or a parameter does not fit the shape of `hidden`.
        """

    def __rshift__(self, other: AbstractIntervention) -> AbstractIntervention:
        if not isinstance(other, AbstractIntervention):
            return NotImplemented
        return chain(self, other)


def an_intervention(value: object, *, what: str) -> AbstractIntervention:
    """Return `value` if it is an intervention.

    Raises
    ------
    DesignError
        If it is not; a class or an ``@intervention`` that was not called is told so.
    """
    if isinstance(value, AbstractIntervention):
        return value
    if isinstance(value, type) and issubclass(value, AbstractIntervention):
        raise DesignError(f"{what}: an intervention is needed, found the class {value.__name__}. Call it first.")
    if callable(value):
        raise DesignError(
            f"{what}: an intervention is needed, found {shown(value)}. "
            "A function becomes one by @intervention, and then a call with its parameters."
        )
    raise DesignError(f"{what}: an intervention is needed, such as Zero(), found {shown(value)}.")


@final
@dataclass(frozen=True, slots=True, repr=False)
class Identity(AbstractIntervention):
    """The activation as it is: I(h) = h; neutral for ``>>``.

    Examples
    --------
    >>> Identity() >> Identity()
    Identity()
    """

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return `hidden` itself."""
        return hidden


@final
@dataclass(frozen=True, slots=True, repr=False)
class Then(AbstractIntervention):
    """Interventions one after another, first to last; written ``a >> b``.

    Always in normal form: at least two parts, none of them `Identity` or `Then`. So ``(a >> b) >> c`` equals
    ``a >> (b >> c)``. What a part is given belongs to the site, not to the result of the part before it.

    Parameters
    ----------
    parts
        Two or more interventions; nested ones are flattened, `Identity` is left out.

    Raises
    ------
    DesignError
        If fewer than two are left. ``chain`` takes any number.

    Examples
    --------
    >>> from mediation.interventions import Add, Scale, Zero
    >>> Scale(2.0) >> (Add(1.0) >> Scale(3.0))
    (Scale(2.0) >> Add(1.0) >> Scale(3.0))
    """

    parts: tuple[AbstractIntervention, ...]

    def __post_init__(self) -> None:
        flat = _flat(self.parts)
        if len(flat) < 2:
            found = f"only {flat[0]!r}" if flat else "none"
            raise DesignError(
                f"Then: at least two interventions other than Identity() are needed, found {found}. "
                "Use chain(...), which takes any number."
            )
        object.__setattr__(self, "parts", flat)

    def __repr__(self) -> str:
        return f"({' >> '.join(map(repr, self.parts))})"

    def needs(self) -> frozenset[Need]:
        """Return what the parts need."""
        return frozenset[Need]().union(*(part.needs() for part in self.parts))

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the result of the last part on that of the one before it, and so on."""
        for part in self.parts:
            hidden = part(hidden, given)
        return hidden


def chain(*parts: AbstractIntervention) -> AbstractIntervention:
    """Return the interventions one after another: none is `Identity`, one is itself, more are `Then`.

    Parameters
    ----------
    parts
        Any number of interventions, first to last.

    Examples
    --------
    >>> from mediation.interventions import Zero
    >>> chain(), chain(Identity(), Zero())
    (Identity(), Zero())
    """
    flat = _flat(parts)
    if not flat:
        return Identity()
    return flat[0] if len(flat) == 1 else Then(flat)


def _flat(parts: object) -> tuple[AbstractIntervention, ...]:
    if not isinstance(parts, (tuple, list)):
        raise DesignError(
            f"Then: a tuple of interventions is needed, found {shown(parts)}. Write a >> b, or Then((a, b))."
        )
    flat: list[AbstractIntervention] = []
    for part in parts:
        one = an_intervention(part, what="Then")
        flat.extend(one.parts if isinstance(one, Then) else () if isinstance(one, Identity) else (one,))
    return tuple(flat)


@final
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Assignment:
    """Interventions placed at disjoint sites.

    Law: ``a | b == b | a``; overlapping sites are an error that names both.

    Parameters
    ----------
    entries
        ``(site, intervention)`` pairs; a `SiteSet` stands for all of its sites together. A site is in the model
        (`Site`), in a thought (`ThoughtSite`) or in the input (`InputSite`).

    Raises
    ------
    SiteError
        If two sites overlap.
    DesignError
        If something else than a site is given.

    Examples
    --------
    >>> from mediation import Zero, Scale, mlp
    >>> Zero().at(mlp(1)) | Scale(2.0).at(mlp(3))
    Zero().at(mlp(1)) | Scale(2.0).at(mlp(3))
    """

    entries: tuple[tuple[Place, AbstractPlaceable], ...]

    def __post_init__(self) -> None:
        flat = []
        for entry in self.entries if isinstance(self.entries, (tuple, list)) else (self.entries,):
            if not isinstance(entry, tuple) or len(entry) != 2:
                raise DesignError(
                    f"Assignment: {shown(entry)} is no pair of a site and an intervention. Write Zero().at(site), and "
                    "join several by |."
                )
            where, what = entry
            site = where.sites if isinstance(where, Joint) else where
            if not isinstance(site, (Site, SiteSet, ThoughtSite, InputSite)):
                path = where if isinstance(where, str) and len(where) < 99 else "encoder.fc1"
                raise DesignError(
                    f"{shown(what)}.at({shown(where)}): a site is needed, such as med.residual(12, at='last') or "
                    f"med.Site({path!r})."
                )
            _check_kind(site, what)
            flat.append((site, what))
        object.__setattr__(self, "entries", tuple(flat))
        check_disjoint([site for site, _ in flat if isinstance(site, Site) and site.is_concrete])
        check_disjoint([site for site, _ in flat if isinstance(site, (ThoughtSite, InputSite))], shared)

    def __or__(self, other: object) -> Assignment:
        if callable(other):
            raise DesignError(f"{self!r} | {other!r}: the second has no site. Place it: {other!r}.at(site).")
        if not isinstance(other, Assignment):
            return NotImplemented
        return Assignment(self.entries + other.entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Assignment):
            return NotImplemented
        return frozenset(self.entries) == frozenset(other.entries)

    def __hash__(self) -> int:
        return hash(frozenset(self.entries))

    def expand(self, model: Model, encoding: Encoding) -> Assignment:
        """Return the assignment with every site spelled out, checked for overlaps.

        Raises
        ------
        DesignError
            If a site is in a thought or in the input: those are not changed in one forward pass.
        """
        entries: list[tuple[Place, AbstractPlaceable]] = []
        for where, what in self.entries:
            if isinstance(where, (ThoughtSite, InputSite)):
                raise DesignError(elsewhere(where, what))
            sites = where if isinstance(where, SiteSet) else SiteSet((where,))
            entries.extend((site, what) for site in sites.expand(model, encoding))
        return Assignment(tuple(entries))

    def placed(self) -> tuple[tuple[Site, AbstractIntervention], ...]:
        """Return the entries of an expanded assignment."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, Site))  # type: ignore[misc]

    def inside(self) -> Assignment | None:
        """Return the entries at sites of the model alone, or None if there are none."""
        entries = tuple((site, what) for site, what in self.entries if isinstance(site, (Site, SiteSet)))
        return Assignment(entries) if entries else None

    def thoughts(self) -> tuple[tuple[ThoughtSite, Any], ...]:
        """Return the entries at sites in a thought."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, ThoughtSite))

    def of_input(self) -> tuple[tuple[InputSite, Any], ...]:
        """Return the entries at sites in the input."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, InputSite))

    def __str__(self) -> str:
        return " | ".join(f"{what!r} at {site}" for site, what in self.entries)

    def __repr__(self) -> str:
        return " | ".join(f"{what!r}.at({site!r})" for site, what in self.entries)


def _check_kind(site: Place, what: object) -> None:
    """Raise DesignError if a rewrite of text is placed where there is no text, or for what needs what none can give."""
    if isinstance(what, AbstractIntervention):
        checked_needs(what)
    written = isinstance(site, (ThoughtSite, InputSite)) and site.kind in ("imagination", "question")
    if isinstance(what, AbstractPlaceable) and what.acts_on == "text" and not written:
        raise DesignError(
            f"{what!r}.at({site!r}): it rewrites text, and there are numbers. Place it at med.imagination() or "
            "med.question(). What does the same to latents: med.matched(med.latents())."
        )
