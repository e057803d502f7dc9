"""A study: worlds bound to units and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from torch import Tensor

from ...errors import SiteError
from ...interventions import AbstractIntervention, Donor
from ...models import Model
from ...outcomes import Prepared
from ...sites import Place, Site, positions_of, side_of
from ...units import Encoding, Pairs
from ..backends import Order
from ._draws import donor_units
from ._world import World

Placed = tuple[tuple[Site, AbstractIntervention], ...]
Table = tuple[tuple[int, ...] | None, ...]  # the positions of a site in every unit


@final
@dataclass(frozen=True, slots=True)
class Unembedding:
    """Where the unembedding is: a linear module, called once, whose output is nothing but scaled or capped later.

    Attributes
    ----------
    path
        Dotted path of the module.
    """

    path: str


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Study:
    """Everything that decides the numbers of a run.

    Attributes
    ----------
    worlds
        Distinct worlds, expanded: every site is concrete.
    places
        Where each site is in the module tree.
    order
        When each side of each module is reached.
    inner
        Worlds whose activations are put in, as they are written, and as they are among `worlds`.
    unembedding
        Where the logits that the outcome asks for can be computed alone; None where they cannot.
    sampled
        True if runs draw their tokens, so that every world has draws.
    """

    model: Model
    pairs: Pairs
    encoding: Encoding
    prepared: Prepared
    worlds: tuple[World, ...]
    places: dict[Site, Place]
    order: Order
    seed: int
    n_draws: int
    inner: Mapping[World, World] = field(default_factory=dict)
    unembedding: Unembedding | None = None
    sampled: bool = False
    _donors: dict[tuple[Donor, int], list[int]] = field(default_factory=dict)
    _tables: dict[object, Table] = field(default_factory=dict)

    def placed(self, world: World) -> Placed:
        """Return the sites and interventions of a world, in order of execution."""
        if world.assignment is None:
            return ()
        return tuple(sorted(world.assignment.placed(), key=lambda entry: self.when(self.places[entry[0]])))

    def when(self, place: Place) -> int:
        """Return the moment at which a place is reached."""
        return self.order[(place.path, place.io)]

    def naming(self, part: Prepared) -> str:
        """Return how errors call an outcome: by its label, where there are several."""
        return f"the outcome {part.label!r}" if self.prepared.parts else "the outcome"

    def length(self, run: str, unit: int) -> int:
        """Return the tokens of one input with what is appended to it, or may follow it; 1 for plain modules."""
        continuation, reader = self.prepared.continuation, self.prepared.reader
        more = len(continuation[unit]) if continuation else reader.more if reader is not None else 0
        return (self.encoding.of(run, unit).length or 1) + more

    def positions(self, site: Site, run: str, unit: int) -> tuple[int, ...] | None:
        """Return the token positions of `site` in one input; None where there is no sequence to speak of."""
        return self.table(site, run)[unit]

    def table(self, site: Site, run: str) -> Table:
        """Return the positions of `site` in every input of a run; sites at the same positions share one table."""
        known = self._tables.get((site, run))
        if known is None:
            side = side_of(site, self.model)
            key = (site.at, side, site.kind == "pattern", run)
            known = self._tables.get(key)
            if known is None:
                known = tuple(self._find(site, run, unit, side) for unit in range(len(self.pairs)))
                self._tables[key] = known
            self._tables[(site, run)] = known
        return known

    def _find(self, site: Site, run: str, unit: int, side: str | None) -> tuple[int, ...] | None:
        encoded = self.encoding.of(run, unit)
        if encoded.length is None:
            return _plain_positions(site, encoded.tensors, side)
        if site.at != "all" and side == "decoder":
            raise SiteError(
                f"{site}: the inputs are tokens of the encoder, and positions in the decoder are those of its own. "
                "Give both: Pairs(base={'input_ids': ..., 'decoder_input_ids': ...}, ...)."
            )
        return positions_of(site.at, encoded.length, encoded.spans, f"{run} input of unit {unit}")

    def donors(self, need: Donor, draw: int) -> Sequence[int]:
        """Return the donor unit of every unit."""
        key = (need, draw)
        if key not in self._donors:
            self._donors[key] = [int(unit) for unit in donor_units(need, self.pairs, seed=self.seed, draw=draw)]
        return self._donors[key]

    def is_random(self, world: World) -> bool:
        """Return True if the draws of a world differ."""
        return self.sampled or world.is_random

    def draws_of(self, world: World) -> int:
        """Return how many draws a world has."""
        return self.n_draws if self.is_random(world) else 1


def _plain_positions(site: Site, tensors: Mapping[str, Tensor], side: str | None) -> tuple[int, ...] | None:
    if site.at == "all":
        return None
    if site.kind == "pattern":
        raise SiteError(
            f"{site}: queries of attention patterns are counted in texts or token ids, and the inputs are tensors by "
            "name. Leave `at` out to act on the whole pattern, or give texts or ids."
        )
    given = tensors.get(f"{side}_input_ids") if side == "decoder" else None
    first = next(iter(tensors.values())) if given is None else given
    if side == "decoder" and given is None:
        raise SiteError(f"{site}: positions in the decoder are those of decoder_input_ids. Give them in Pairs.")
    if first.ndim < (1 if side is not None else 2):
        raise SiteError(
            f"{site}: at = {site.at!r}, and the inputs of a unit have shape {tuple(first.shape)}: no axis of "
            "positions. Leave `at` out to act on the whole activation."
        )
    return positions_of(site.at, int(first.shape[0]), {}, "inputs")
