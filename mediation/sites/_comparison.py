"""Whether one site lies in another: as places of a model and positions of units, or whatever these are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Literal, TypeVar, final

from ..errors import SiteError
from ..models import Model
from ..units import Encoded, Encoding
from ._abstract import AbstractSite
from ._positions import Position, may_overlap, positions_of
from ._resolve import Place, resolve, width_of

S = TypeVar("S", bound=AbstractSite)
P = TypeVar("P", bound=Hashable)


@final
class Comparison:
    """Compares concrete sites as places of a model and positions of units."""

    def __init__(self, model: Model, encoding: Encoding) -> None:
        self._model, self._encoding = model, encoding
        self._inputs = [
            (one, f"{run} input of unit {unit}") for run, some in encoding.runs.items() for unit, one in enumerate(some)
        ]
        self._positions: dict[Position, list[frozenset[int] | None]] = {}
        self._known: dict[tuple[Position, Position], str] = {}

    def outside(
        self, sites: Iterable[S], without: Mapping[P, Iterable[AbstractSite]], called: object
    ) -> tuple[list[S], set[P]]:
        """Return the sites that lie in none of `without`, and the parts of it that others lie in.

        Raises
        ------
        SiteError
            If one of `without` is only some of a site; `called` names the difference.
        """
        others: dict[tuple[str, str], list[tuple[P, AbstractSite, Place]]] = {}
        for part, its in without.items():
            for other in its:
                place = resolve(other, self._model)
                others.setdefault((place.path, place.io), []).append((part, other, place))
        kept: list[S] = []
        used: set[P] = set()
        for site in sites:
            place = resolve(site, self._model)
            near = [
                (self._relation(site, place, other, there), part, other)
                for part, other, there in others.get((place.path, place.io), [])
            ]
            around = [part for how, part, _ in near if how == "inside"]
            used.update(around)
            partly = [other for how, _, other in near if how == "partly"]
            if partly and not around:
                raise SiteError(
                    f"{called}: {partly[0]} is part of {site}, of which it cannot be left out. Spell out the left "
                    "side so that it is a site of its own: head='each', at='each' or units='each'."
                )
            if not around:
                kept.append(site)
        return kept, used

    def _relation(self, site: AbstractSite, place: Place, other: AbstractSite, there: Place) -> str:
        """Return "inside" if all of `site` lies in `other`, "apart" if nothing does, else "partly"."""
        by_part = (self._by_features(site, place, there), self._by_head(place, there), self._at(site.at, other.at))
        return "apart" if "apart" in by_part else "inside" if set(by_part) == {"inside"} else "partly"

    def _by_features(self, site: AbstractSite, place: Place, there: Place) -> str:
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


def apart(a: AbstractSite, b: AbstractSite) -> bool:
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


def overlap(a: AbstractSite, b: AbstractSite) -> bool:
    """Return True if two concrete sites may share a number.

    Named spans and indices from different ends are compared once the units are known; here they count
    as disjoint unless equal.

    Examples
    --------
    >>> from mediation.sites import Site
    >>> overlap(Site("fc", units=(0, 1)), Site("fc", units=(1, 2)))
    True
    >>> from mediation.sites import Site
    >>> overlap(Site("fc", at=0), Site("fc", at=1))
    False
    """
    if (a.kind, a.module, a.layer, a.io, a.stack) != (b.kind, b.module, b.layer, b.io, b.stack):
        return False
    if a.kind in ("attention", "pattern") and a.head is not None and b.head is not None and a.head != b.head:
        return False
    if a.kind == "attention" and (a.head is None) != (b.head is None):
        return False  # the heads side by side and the projected output are two tensors
    if isinstance(a.units, tuple) and isinstance(b.units, tuple) and not set(a.units) & set(b.units):
        return False
    return may_overlap(a.at, b.at)
