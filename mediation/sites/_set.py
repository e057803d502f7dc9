"""Sets of sites: a sweep, one row a site, or jointly one mediator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from .._checks import elements, shown
from .._errors import SiteError
from ..models import Model
from ..units import Encoding
from ._expand import expand_site
from ._site import Site, overlap


@final
@dataclass(frozen=True, slots=True, repr=False)
class SiteSet:
    """Several sites; as a mediator it is a sweep, one row a site.

    ``a | b`` is the union in order, ``a - b`` leaves out, `jointly` makes it one mediator.

    Examples
    --------
    >>> from mediation.sites import mlp, residual
    >>> residual([1, 2], at="last") | mlp(0)
    SiteSet((residual(1, at='last'), residual(2, at='last'), mlp(0)))
    """

    sites: tuple[Site, ...]

    def __post_init__(self) -> None:
        needed = "a tuple of sites, such as med.mlp(0) | med.mlp(1),"
        found = tuple(elements(self.sites, what="SiteSet: sites", needed=needed, error=SiteError))
        bad = [site for site in found if not isinstance(site, Site)]
        if bad:
            hint = f"Write med.Site({shown(bad[0])})" if isinstance(bad[0], str) else "Join sites and sets of them by |"
            raise SiteError(f"SiteSet: {shown(bad[0])} is not a site. {hint}.")
        if not found:
            raise SiteError("SiteSet: there is no site in it; at least one is needed.")
        object.__setattr__(self, "sites", tuple(dict.fromkeys(found)))

    def __iter__(self) -> Iterator[Site]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    def __contains__(self, site: object) -> bool:
        return site in self.sites

    def __or__(self, other: object) -> SiteSet:
        if isinstance(other, Site):
            return SiteSet((*self.sites, other))
        if isinstance(other, SiteSet):
            return SiteSet(self.sites + other.sites)
        if isinstance(other, str):
            raise SiteError(f"... | {other!r}: a path is no site. Write med.Site({other!r}).")
        return NotImplemented

    def __sub__(self, other: object) -> SiteSet:
        if not isinstance(other, (Site, SiteSet)):
            return NotImplemented
        gone = {other} if isinstance(other, Site) else set(other.sites)
        return SiteSet(tuple(site for site in self.sites if site not in gone))

    def jointly(self) -> Joint:
        """Return all of these sites as one mediator, intervened on together."""
        return Joint(self)

    def expand(self, model: Model, encoding: Encoding) -> SiteSet:
        """Return the concrete sites: every layer, head and position spelled out."""
        return SiteSet(tuple(one for site in self.sites for one in expand_site(site, model, encoding)))

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.sites))
        return f"SiteSet(({inside}{',' if len(self.sites) == 1 else ''}))"


@final
@dataclass(frozen=True, slots=True)
class Joint:
    """Several sites as one mediator."""

    sites: SiteSet

    def __str__(self) -> str:
        return " & ".join(map(str, self.sites))


def check_disjoint(sites: Sequence[Site]) -> None:
    """Raise SiteError naming two sites that overlap, if any do."""
    for i, first in enumerate(sites):
        for second in sites[i + 1 :]:
            if overlap(first, second):
                raise SiteError(
                    f"Two interventions at overlapping sites: {first} and {second}. "
                    "Compose them at one site with >>, or make the sites disjoint."
                )
