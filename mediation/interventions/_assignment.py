"""Assignments: which intervention at which site, joined by ``|``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from .._checks import shown
from ..errors import DesignError, SiteError
from ..sites import InputSite, Joint, Site, SiteSet, ThoughtSite, check_disjoint, may_overlap

if TYPE_CHECKING:
    from ..models import Model
    from ..units import Encoding
    from ._abstract import AbstractIntervention
    from ._rewrite import AbstractRewrite

Place = Site | SiteSet | ThoughtSite | InputSite


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

    entries: tuple[tuple[Place, AbstractIntervention | AbstractRewrite], ...]

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
        _check_others([site for site, _ in flat if isinstance(site, (ThoughtSite, InputSite))])

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
        entries: list[tuple[Place, AbstractIntervention | AbstractRewrite]] = []
        for where, what in self.entries:
            if isinstance(where, (ThoughtSite, InputSite)):
                raise DesignError(_elsewhere(where, what))
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

    def thoughts(self) -> tuple[tuple[ThoughtSite, AbstractIntervention | AbstractRewrite], ...]:
        """Return the entries at sites in a thought."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, ThoughtSite))

    def of_input(self) -> tuple[tuple[InputSite, AbstractIntervention | AbstractRewrite], ...]:
        """Return the entries at sites in the input."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, InputSite))

    def __str__(self) -> str:
        return " | ".join(f"{what!r} at {site}" for site, what in self.entries)

    def __repr__(self) -> str:
        return " | ".join(f"{what!r}.at({site!r})" for site, what in self.entries)


def _check_kind(site: Place, what: object) -> None:
    """Raise DesignError if a rewrite of text is placed where there is no text."""
    from ._rewrite import AbstractRewrite

    written = isinstance(site, (ThoughtSite, InputSite)) and site.kind in ("imagination", "question")
    if isinstance(what, AbstractRewrite) and not written:
        raise DesignError(
            f"{what!r}.at({site!r}): it rewrites text, and there are numbers. Place it at med.imagination() or "
            "med.question(). What does the same to latents: med.matched(med.latents())."
        )


def _check_others(sites: Sequence[ThoughtSite | InputSite]) -> None:
    """Raise SiteError if two sites in a thought, or two in the input, surely overlap."""
    for i, first in enumerate(sites):
        for second in sites[i + 1 :]:
            if first.kind == second.kind and _shared(first, second):
                raise SiteError(
                    f"Two interventions at overlapping sites: {first} and {second}. Compose them at one site with >>, "
                    "or make the sites disjoint."
                )


def _shared(first: ThoughtSite | InputSite, second: ThoughtSite | InputSite) -> bool:
    if isinstance(first, ThoughtSite) and isinstance(second, ThoughtSite):
        same = first.segment is None or second.segment is None or first.segment == second.segment
        return same and may_overlap(first.step, second.step)
    if isinstance(first, InputSite) and isinstance(second, InputSite):
        same = first.index is None or second.index is None or first.index == second.index
        return same and (first.box is None or second.box is None or first.box == second.box)
    return False


def _elsewhere(where: ThoughtSite | InputSite, what: object) -> str:
    if isinstance(where, InputSite):
        return (
            f"{what!r} at {where}: inputs are changed before a run. Make them: med.do(inputs, {what!r}.at({where!r})), "
            "and give the result as base or source."
        )
    return (
        f"{what!r} at {where}: a thought is changed in a rollout, and this question asks for single forward passes. "
        "med.mediate, med.ablate and med.rollout take sites in a thought, when all sites are."
    )
