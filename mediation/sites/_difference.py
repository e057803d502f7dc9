"""Differences of sites: what is left of some sites without others, told once layers, heads and positions are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias, final

from ..errors import SiteError
from ..models import Model
from ..units import Encoded, Encoding
from ._expand import expand_site
from ._positions import Position, positions_of
from ._resolve import Place, resolve, width_of
from ._site import Site

_MOST = 8  # parts that a label spells out


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

    def __repr__(self) -> str:
        return f"{_operand(self.sites)} - {_operand(self.without)}"


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
        near = [one for one in left if not all(_apart(a, b) for a in leaves([one]) for b in leaves([part]))]
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
            found |= dict.fromkeys(_Comparison(model, encoding).left_of(part))
    return tuple(found)


@final
class _Comparison:
    """Compares concrete sites as places of a model and positions of units."""

    def __init__(self, model: Model, encoding: Encoding) -> None:
        self._model, self._encoding = model, encoding
        self._inputs = [
            (one, f"{run} input of unit {unit}") for run, some in encoding.runs.items() for unit, one in enumerate(some)
        ]
        self._positions: dict[Position, list[frozenset[int] | None]] = {}
        self._known: dict[tuple[Position, Position], str] = {}

    def left_of(self, difference: Difference) -> list[Site]:
        model, encoding = self._model, self._encoding
        others: dict[tuple[str, str], list[tuple[Part, Site, Place]]] = {}
        for part in difference.without:
            for site in expand_parts([part], model, encoding):
                place = resolve(site, model)
                others.setdefault((place.path, place.io), []).append((part, site, place))
        kept, used = [], set()
        for site in expand_parts(difference.sites, model, encoding):
            place = resolve(site, model)
            near = [
                (self._relation(site, place, other, there), part, other)
                for part, other, there in others.get((place.path, place.io), [])
            ]
            around = [part for how, part, _ in near if how == "inside"]
            used.update(around)
            partly = [other for how, _, other in near if how == "partly"]
            if partly and not around:
                raise SiteError(
                    f"{difference}: {partly[0]} is part of {site}, of which it cannot be left out. Spell out the left "
                    "side so that it is a site of its own: head='each', at='each' or units='each'."
                )
            if not around:
                kept.append(site)
        idle = [part for part in difference.without if part not in used]
        if idle:
            raise SiteError(_removes_nothing(idle[0], difference.sites))
        if not kept:
            raise SiteError(_nothing_left(difference.sites, difference.without))
        return kept

    def _relation(self, site: Site, place: Place, other: Site, there: Place) -> str:
        """Return "inside" if all of `site` lies in `other`, "apart" if nothing does, else "partly"."""
        by_part = (self._by_features(site, place, there), self._by_head(place, there), self._at(site.at, other.at))
        return "apart" if "apart" in by_part else "inside" if set(by_part) == {"inside"} else "partly"

    def _by_features(self, site: Site, place: Place, there: Place) -> str:
        if there.features is None:
            return "inside"
        theirs = set(there.features)
        if place.features is None:
            width = width_of(site, self._model)
            return "inside" if width is not None and theirs >= set(range(width)) else "partly"
        mine = set(place.features)
        return "inside" if mine <= theirs else "partly" if mine & theirs else "apart"

    @staticmethod
    def _by_head(place: Place, there: Place) -> str:
        if there.head is None or place.head == there.head:
            return "inside"
        return "partly" if place.head is None else "apart"

    def _at(self, mine: Position, theirs: Position) -> str:
        if mine == theirs or theirs == "all":
            return "inside"
        if (mine, theirs) not in self._known:
            pairs = list(zip(self._tokens(mine), self._tokens(theirs), strict=True))
            if all(b is None or (a is not None and a <= b) for a, b in pairs):
                found = "inside"
            else:
                found = "apart" if all(a is not None and b is not None and not a & b for a, b in pairs) else "partly"
            self._known[mine, theirs] = found
        return self._known[mine, theirs]

    def _tokens(self, at: Position) -> list[frozenset[int] | None]:
        """Return the positions that `at` means in each input; None for a whole activation."""
        if at not in self._positions:
            self._positions[at] = [_tokens(at, one, where) for one, where in self._inputs]
        return self._positions[at]


def _tokens(at: Position, encoded: Encoded, where: str) -> frozenset[int] | None:
    length = encoded.length
    if length is None:
        first = next(iter(encoded.tensors.values()))
        if at == "all" or first.ndim < 2:
            return None
        length = int(first.shape[0])
    return frozenset(positions_of(at, length, encoded.spans, where))


def _apart(a: Site, b: Site) -> bool:
    """Return True if two sites have nothing in common, whatever the model and the inputs are."""
    if (a.kind == "module") != (b.kind == "module"):
        return False
    if a.kind != b.kind or a.module != b.module or (a.kind == "module" and a.io != b.io):
        return True
    if a.kind == "attention" and (a.head is None) != (b.head is None):
        return True  # the heads side by side and the projected output are two tensors
    if isinstance(a.units, tuple) and isinstance(b.units, tuple) and not set(a.units) & set(b.units):
        return True
    return any(map(_differ, (a.layer, a.head, _ends(a.at)), (b.layer, b.head, _ends(b.at))))


def _ends(at: Position) -> object:
    return -1 if at == "last" else at


def _differ(one: object, other: object) -> bool:
    """Return True for indices, or tuples of them, that count from the same end and share none."""
    mine, theirs = ({one} if isinstance(one, int) else one), ({other} if isinstance(other, int) else other)
    if not isinstance(mine, (set, tuple)) or not isinstance(theirs, (set, tuple)):
        return False
    sides: set[Literal[True, False]] = {index < 0 for index in (*mine, *theirs)}
    return len(sides) == 1 and not set(mine) & set(theirs)


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
