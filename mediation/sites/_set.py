"""Sets of sites: a sweep, one row a site, or jointly one mediator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from .._checks import elements, shown
from ..errors import SiteError
from ..models import Model
from ..units import Encoding
from ._difference import Difference, Part, expand_parts, label, subtract, written
from ._site import Site, overlap


@final
@dataclass(frozen=True, slots=True, repr=False)
class SiteSet:
    """Several sites; as a mediator it is a sweep, one row a site.

    ``a | b`` is the union in order, `jointly` makes it one mediator. ``a - b`` leaves out: both sides are spelled out
    first, layer by layer and position by position, so a difference that needs the model or the inputs is taken once
    they are known. A part of `b` that removes nothing, or only some of a site, is an error.

    Law: ``(a | b) - b == a`` for sites that are disjoint whatever the model.

    Examples
    --------
    >>> from mediation.sites import mlp, residual
    >>> residual([1, 2], at="last") | mlp(0)
    SiteSet((residual(1, at='last'), residual(2, at='last'), mlp(0)))
    >>> str((residual() - residual(2)).jointly())
    'residual[*] without residual[2]'
    """

    sites: tuple[Part, ...]

    def __post_init__(self) -> None:
        needed = "a tuple of sites, such as med.mlp(0) | med.mlp(1),"
        given = elements(self.sites, what="SiteSet: sites", needed=needed, error=SiteError)
        # Sites that stand for several are sets already, so code that is printed makes the set again.
        found = tuple(part for one in given for part in (one.sites if isinstance(one, SiteSet) else (one,)))
        bad = [site for site in found if not isinstance(site, (Site, Difference))]
        if bad:
            hint = f"Write med.Site({shown(bad[0])})" if isinstance(bad[0], str) else "Join sites and sets of them by |"
            raise SiteError(f"SiteSet: {shown(bad[0])} is not a site. {hint}.")
        if not found:
            raise SiteError("SiteSet: there is no site in it; at least one is needed.")
        object.__setattr__(self, "sites", tuple(dict.fromkeys(found)))

    def __iter__(self) -> Iterator[Site]:
        for part in self.sites:
            if isinstance(part, Difference):
                raise SiteError(
                    f"SiteSet: which sites {part} stands for is known once there are a model and inputs: "
                    ".expand(model, encoding). Questions such as med.mediate take it as it is."
                )
            yield part

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
            raise SiteError(
                f"... - {shown(other)}: a site or a set of sites is needed, such as med.attention(5, head=3)."
            )
        return SiteSet(subtract(self.sites, (other,) if isinstance(other, Site) else other.sites))

    def jointly(self) -> Joint:
        """Return all of these sites as one mediator, intervened on together."""
        return Joint(self)

    def expand(self, model: Model, encoding: Encoding) -> SiteSet:
        """Return the concrete sites: every layer, head and position spelled out, differences taken."""
        return SiteSet(expand_parts(self.sites, model, encoding))

    def __str__(self) -> str:
        return label(self.sites)

    def __repr__(self) -> str:
        return written(self.sites)


@final
@dataclass(frozen=True, slots=True)
class Joint:
    """Several sites as one mediator."""

    sites: SiteSet

    def __str__(self) -> str:
        return str(self.sites)


def check_disjoint(sites: Sequence[Site]) -> None:
    """Raise SiteError naming two sites that overlap, if any do."""
    for i, first in enumerate(sites):
        for second in sites[i + 1 :]:
            if overlap(first, second):
                raise SiteError(
                    f"Two interventions at overlapping sites: {first} and {second}. "
                    "Compose them at one site with >>, or make the sites disjoint."
                )
