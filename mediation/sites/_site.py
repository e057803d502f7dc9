"""Sites and their algebra: one site, what is left of some without others, and sets of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any, Literal as Literal, TypeAlias, final

from .._checks import elements, shown
from ..errors import SiteError
from ..models import Model
from ..units import Encoding
from ._abstract import AbstractSite, Kind as Kind  # types of inherited fields are looked up here
from ._comparison import Comparison, apart, overlap
from ._expand import expand_site
from ._positions import Position as Position

_MOST = 8  # parts that a label spells out


@final
@dataclass(frozen=True, slots=True, repr=False)
class Site(AbstractSite):
    """One place in a computation: a module's output or input, perhaps part of it.

    Parameters
    ----------
    module
        Dotted path of the module, as in ``named_modules()``; empty for sites found by architecture.
    at
        Positions along the sequence: "all", "last", an index (negative from the end), a slice, a tuple of
        indices, a named span such as "subject" (or "subject.last", "subject.first"), "each" (one site a
        position) or "spans" (one site a named span). At plain modules "all" is the whole activation.
    io
        "output" or "input".
    kind
        "module", or the architectural kind that `residual`, `mlp`, ... make.
    layer, head
        Block and attention head, for architectural kinds.
    units
        Features (neurons, channels) to act on; None for all. At a convolution or another module that puts channels
        first they are channels, and an intervention sees them on the last axis. Where it cannot be told which axis
        holds features, units are refused.
    stack
        "encoder" or "decoder" in models that have both, for architectural kinds; None where there is one stack.

    Raises
    ------
    SiteError
        If a field is not of its kind.

    Examples
    --------
    >>> Site("encoder.fc1", units=(0, 3))
    Site('encoder.fc1', units=(0, 3))
    >>> str(Site("encoder.fc1", at="last"))
    'encoder.fc1@last'
    """

    def __or__(self, other: object) -> SiteSet:
        return SiteSet((self,)) | other

    def __sub__(self, other: object) -> SiteSet:
        return SiteSet((self,)) - other


@final
@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """The sites of `sites` that are not in `without`; made by ``a - b`` of sets of sites.

    Both sides are spelled out before they are compared, so layers left out, negative indices, "each" and named spans
    mean what they mean elsewhere. A site is left out if all of it lies in one on the right.

    Parameters
    ----------
    sites, without
        Parts as they are written.
    """

    sites: tuple[Part, ...]
    without: tuple[Part, ...]

    def __str__(self) -> str:
        left, right = label(self.sites), label(self.without)
        left, right = (
            f"({text})" if len(some) > 1 or isinstance(some[0], Difference) else text
            for text, some in ((left, self.sites), (right, self.without))
        )
        return f"{left} without {right}"

    def expand(self, model: Model, encoding: Encoding) -> list[Site]:
        """Return the concrete sites that are left.

        Raises
        ------
        SiteError
            If a part of the right side removes nothing or only some of a site, or nothing is left.
        """
        without = {part: expand_parts([part], model, encoding) for part in self.without}
        kept, used = Comparison(model, encoding).outside(expand_parts(self.sites, model, encoding), without, self)
        idle = [part for part in self.without if part not in used]
        if idle:
            raise SiteError(_removes_nothing(idle[0], self.sites))
        if not kept:
            raise SiteError(_nothing_left(self.sites, self.without))
        return kept

    def __repr__(self) -> str:
        return f"{_operand(self.sites)} - {_operand(self.without)}"


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


def check_disjoint(sites: Sequence[object], shared: Callable[[Any, Any], bool] = overlap) -> None:
    """Raise SiteError naming two sites that overlap, if any do; `shared` says of two whether they do."""
    for first, second in combinations(sites, 2):
        if shared(first, second):
            raise SiteError(
                f"Two interventions at overlapping sites: {first} and {second}. "
                "Compose them at one site with >>, or make the sites disjoint."
            )


Part: TypeAlias = Site | Difference


def label(parts: Sequence[Part]) -> str:
    """Return a short text that names `parts` and no others: long lists are cut, and told apart by a digest.

    Examples
    --------
    >>> label([Site("fc1"), Site("fc2")]), label([Site(f"fc{i}") for i in range(20)])
    ('fc1 & fc2', 'fc0 & ... & fc19 (20 in all, #f60c85)')
    """
    texts = [f"({part})" if isinstance(part, Difference) and len(parts) > 1 else str(part) for part in parts]
    if len(texts) <= _MOST:
        return " & ".join(texts)
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:6]
    return f"{texts[0]} & ... & {texts[-1]} ({len(texts)} in all, #{digest})"


def written(parts: Sequence[Part]) -> str:
    """Return code that makes a set of these parts again.

    Examples
    --------
    >>> written([Site("fc1"), Difference((Site("a"),), (Site("b"),))])
    "SiteSet((Site('fc1'),)) | (SiteSet((Site('a'),)) - SiteSet((Site('b'),)))"
    """
    groups = []
    for plain, some in groupby(parts, lambda part: isinstance(part, Site)):
        if plain:
            inside = list(map(repr, some))
            groups.append(f"SiteSet(({', '.join(inside)}{',' if len(inside) == 1 else ''}))")
        else:
            groups.extend(f"({part!r})" if len(parts) > 1 else repr(part) for part in some)
    return " | ".join(groups)


def _operand(parts: Sequence[Part]) -> str:
    text = written(parts)
    return text if all(isinstance(part, Site) for part in parts) else f"({text})"


def leaves(parts: Sequence[Part]) -> Iterator[Site]:
    """Give every site from which nothing but whole sites was taken away."""
    for part in parts:
        if isinstance(part, Site):
            yield part
        else:
            yield from leaves(part.sites)


def subtract(left: tuple[Part, ...], right: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts of `left` without `right`, at once where no model is needed to tell, else as a `Difference`.

    Raises
    ------
    SiteError
        If a part of `right` surely removes nothing, or nothing is left.
    """
    later, gone = False, set()
    for part in right:
        near = [one for one in left if not all(apart(a, b) for a in leaves([one]) for b in leaves([part]))]
        if not near:
            raise SiteError(_removes_nothing(part, left))
        if near == [part]:
            gone.add(part)
        else:
            later = True
    if later:
        return (Difference(left, right),)
    kept = tuple(part for part in left if part not in gone)
    if not kept:
        raise SiteError(_nothing_left(left, right))
    return kept


def expand_parts(parts: Sequence[Part], model: Model, encoding: Encoding) -> tuple[Site, ...]:
    """Return the concrete sites that `parts` stand for, in order and each once.

    Raises
    ------
    SiteError
        If a part of a right side removes nothing or only some of a site, or nothing is left.
    """
    found: dict[Site, None] = {}
    for part in parts:
        if isinstance(part, Site):
            found |= dict.fromkeys(expand_site(part, model, encoding))
        else:
            found |= dict.fromkeys(part.expand(model, encoding))
    return tuple(found)


def _removes_nothing(part: Part, left: Sequence[Part]) -> str:
    hint = ""
    heads = {site.head is None for site in leaves(left) if site.kind == "attention"}
    if isinstance(part, Site) and part.kind == "attention" and heads and (part.head is None) not in heads:
        hint = (
            " The whole output of attention and what single heads write are different sites: write head='each' on both "
            "sides, or on neither."
        )
    return (
        f"{part} removes nothing: it is not in {label(left)}, so nothing would be left out. Correct it, or leave it "
        f"away.{hint}"
    )


def _nothing_left(left: Sequence[Part], right: Sequence[Part]) -> str:
    return f"{label(left)} without {label(right)}: there is no site in it; at least one must be left."
