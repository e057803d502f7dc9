"""Assignments: which intervention at which site, joined by ``|``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from .._checks import shown
from .._errors import DesignError
from ..sites import Joint, Site, SiteSet
from ..sites._set import check_disjoint

if TYPE_CHECKING:
    from ..models import Model
    from ..units import Encoding
    from ._abstract import AbstractIntervention


@final
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Assignment:
    """Interventions placed at disjoint sites.

    Law: ``a | b == b | a``; overlapping sites are an error that names both.

    Parameters
    ----------
    entries
        ``(site, intervention)`` pairs; a `SiteSet` stands for all of its sites together.

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

    entries: tuple[tuple[Site | SiteSet, AbstractIntervention], ...]

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
            if not isinstance(site, (Site, SiteSet)):
                path = where if isinstance(where, str) else "encoder.fc1"
                raise DesignError(
                    f"{what!r}.at({where!r}): a site is needed, such as med.residual(12, at='last') or "
                    f"med.Site({path!r})."
                )
            flat.append((site, what))
        object.__setattr__(self, "entries", tuple(flat))
        check_disjoint([site for site, _ in flat if isinstance(site, Site) and site.is_concrete])

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
        """Return the assignment with every site spelled out, checked for overlaps."""
        entries: list[tuple[Site | SiteSet, AbstractIntervention]] = []
        for where, what in self.entries:
            sites = where if isinstance(where, SiteSet) else SiteSet((where,))
            entries.extend((site, what) for site in sites.expand(model, encoding))
        return Assignment(tuple(entries))

    def placed(self) -> tuple[tuple[Site, AbstractIntervention], ...]:
        """Return the entries of an expanded assignment."""
        return tuple((site, what) for site, what in self.entries if isinstance(site, Site))

    def __str__(self) -> str:
        return " | ".join(f"{what!r} at {site}" for site, what in self.entries)

    def __repr__(self) -> str:
        return " | ".join(f"{what!r}.at({site!r})" for site, what in self.entries)
