"""Activations captured from plain runs, and what interventions are given from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from ...errors import DataError
from ...interventions import Donor, Moment, Need, Noise
from ...sites import Site
from ..study import Study, World, noise, run_of

Asking = tuple[str, int, tuple[int, ...]]  # rows of one run and draw that are changed: the run, the draw, their units
Source = str | tuple[int, int]  # what was run: "base" or "source", plain, or a world and a draw


@final
class _Layout:
    """In which block and row the activation of each unit is; sites that are captured alike share one."""

    __slots__ = ("_found", "next", "where")

    def __init__(self, where: dict[int, tuple[int, int]]) -> None:
        self.where = where
        self.next: dict[tuple[int, ...], _Layout] = {}
        self._found: dict[tuple[int, ...], tuple[int, slice | list[int]] | None] = {}

    def after(self, block: int, units: tuple[int, ...]) -> _Layout:
        """Return the layout with one more block."""
        if units not in self.next:
            self.next[units] = _Layout({**self.where, **{unit: (block, row) for row, unit in enumerate(units)}})
        return self.next[units]

    def find(self, units: tuple[int, ...]) -> tuple[int, slice | list[int]] | None:
        """Return the block that holds some units, and their rows there; None if no one block does."""
        if units not in self._found:
            places = [self.where[unit] for unit in units]
            rows = [row for _, row in places]
            together = rows == list(range(rows[0], rows[0] + len(rows)))
            index = slice(rows[0], rows[0] + len(rows)) if together else rows
            one = all(block == places[0][0] for block, _ in places)
            self._found[units] = (places[0][0], index) if one else None
        return self._found[units]


@final
class _Held:
    """Activations of one site in one run: tensors with a row a unit."""

    __slots__ = ("blocks", "layout", "shapes")

    def __init__(self, empty: _Layout) -> None:
        self.blocks: list[Tensor] = []
        self.layout = empty
        self.shapes: set[tuple[int, ...]] = set()

    def put(self, units: tuple[int, ...], values: Tensor) -> None:
        self.layout = self.layout.after(len(self.blocks), units)
        self.blocks.append(values)
        self.shapes.add(tuple(values.shape[1:]))

    def get(self, unit: int) -> Tensor:
        block, row = self.layout.where[unit]
        return self.blocks[block][row]

    def stack(self, units: tuple[int, ...]) -> Tensor:
        found = self.layout.find(units)
        return torch.stack([self.get(unit) for unit in units]) if found is None else self.blocks[found[0]][found[1]]


@final
class Activations:
    """Activations of plain runs by site, run and unit: ``(k, features)`` each."""

    __slots__ = ("_empty", "_held", "_moments", "_sources", "_study")

    def __init__(self, study: Study) -> None:
        self._study = study
        self._empty = _Layout({})
        self._held: dict[tuple[Site, Source], _Held] = {}
        self._moments: dict[tuple[Site, str, Moment], Tensor] = {}
        self._sources: dict[World, tuple[int, int]] = {}

    def put(self, site: Site, source: Source, units: Sequence[int], values: Tensor) -> None:
        """Keep the activations of some units, ``(units, k, features)``."""
        key = (site, source)
        if key not in self._held:
            self._held[key] = _Held(self._empty)
        self._held[key].put(tuple(units), values)

    def get(self, site: Site, source: Source, unit: int) -> Tensor:
        """Return one activation."""
        return self._held[(site, source)].get(unit)

    def holds(self, site: Site, source: Source, unit: int) -> bool:
        """Return True if the activation is at hand."""
        held = self._held.get((site, source))
        return held is not None and unit in held.layout.where

    def forget(self) -> None:
        """Drop all activations (moments stay)."""
        self._held.clear()
        self._empty = _Layout({})

    def alike(self, site: Site, run: str, units: Sequence[int]) -> list[list[int]]:
        """Return the places of units whose activations have one shape."""
        held, found = self._held[(site, run)], dict[tuple[int, ...], list[int]]()
        if len(held.shapes) == 1:
            return [list(range(len(units)))]
        for at, unit in enumerate(units):
            found.setdefault(tuple(held.get(unit).shape), []).append(at)
        return list(found.values())

    def supply(self, need: Need, site: Site, rows: Sequence[Asking]) -> Tensor:
        """Return what some rows are given at `site`, with a row axis; what all share stands there once.

        Raises
        ------
        DataError
            If a donor's activation has another shape than the one that it replaces.
        """
        if isinstance(need, Noise):
            return torch.stack(
                [self._noise(need, site, run, unit, draw) for run, draw, units in rows for unit in units]
            )
        if isinstance(need, Moment):
            found = [(len(units), self._moment(site, run_of(need.run, run), need)) for run, _, units in rows]
            if all(one is found[0][1] for _, one in found):
                return found[0][1] if found[0][1].ndim == 0 else found[0][1][None]
            return torch.cat([one.expand(n, *one.shape) for n, one in found])
        parts = []
        for run, draw, units in rows:
            whose = units
            if need.unit != "own":
                donors = self._study.donors(need, draw)
                whose = tuple(donors[unit] for unit in units)
            giver = run_of(need.run, run) if need.world is None else self._source(need.world, draw)
            held = self._held[(site, giver)]
            own = self._held.get((site, run))
            if own is not None and len(own.shapes | held.shapes) > 1:
                self._check_shapes(site, run, units, giver, whose)
            parts.append(held.stack(whose))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _source(self, world: World, draw: int) -> Source:
        if world not in self._sources:
            self._sources[world] = source_of(self._study, world, -1)
        index, one = self._sources[world]
        return index, draw if one else 0

    def _check_shapes(self, site: Site, run: str, units: Sequence[int], source: Source, donors: Sequence[int]) -> None:
        """Check donors against the activations that they replace, where these are at hand."""
        for unit, donor in zip(units, donors, strict=True):
            if not self.holds(site, run, unit):
                continue
            mine, theirs = (tuple(self.get(site, *key).shape) for key in ((run, unit), (source, donor)))
            if mine != theirs:
                whose = f"the {source} input of unit {donor}" if isinstance(source, str) else "its donor world"
                raise DataError(
                    f"{site}: unit {unit} is misaligned: its {run} input has an activation of shape {mine} there, and "
                    f"{whose} one of shape {theirs}. Give inputs of one shape, or a site after which they have one."
                )

    def _noise(self, need: Noise, site: Site, run: str, unit: int, draw: int) -> Tensor:
        like = self.get(site, run, unit)
        return noise(tuple(like.shape), seed=self._study.seed, unit=unit, draw=draw, stream=need.stream).to(like.device)

    def _moment(self, site: Site, run: str, need: Moment) -> Tensor:
        key = (site, run, need)
        if key not in self._moments:
            held = [self.get(site, run, unit) for unit in range(len(self._study.pairs))]
            found = moment(need, held, str(site))
            # As many axes as one activation, so that rows of different runs can be stacked.
            self._moments[key] = found.reshape((1,) * (held[0].ndim - found.ndim) + found.shape)
        return self._moments[key]


def source_of(study: Study, world: World, draw: int) -> tuple[int, int]:
    """Return under which name what a world left is kept: that of a world without draws serves all draws."""
    inner = study.inner[world]
    return study.worlds.index(inner), draw if inner.is_random else 0


def donor_sites(study: Study) -> dict[int, tuple[Site, ...]]:
    """Return the worlds whose activations are put in elsewhere, and at which sites; what one needs comes before it."""
    wanted: dict[World, dict[Site, None]] = {}
    for world in study.worlds if study.inner else ():
        for site, what in study.placed(world):
            for need in what.needs():
                if isinstance(need, Donor) and need.world is not None:
                    wanted.setdefault(study.inner[need.world], {})[site] = None
    order = sorted(wanted, key=lambda world: _depth(study, world))
    return {study.worlds.index(world): tuple(wanted[world]) for world in order}


def _depth(study: Study, world: World) -> int:
    return 1 + max((_depth(study, study.inner[donor]) for donor in world.donors), default=0)


def moment(need: Moment, held: list[Tensor], where: str) -> Tensor:
    """Return a mean or a standard deviation over units, in float32 (or wider).

    Parameters
    ----------
    need
        Which moment.
    held
        One activation a unit, ``(k, features)`` or any shape at plain modules.
    where
        The site, for errors.
    """
    wide = [one.float() if one.dtype != torch.float64 else one for one in held]
    tokens = [one.reshape(-1, one.shape[-1]) if one.ndim > 1 else one[None] for one in wide]
    if need.kind == "std":
        return torch.cat(tokens).var(dim=0, unbiased=False).mean().sqrt()
    if need.over == "tokens":
        return torch.cat(tokens).mean(0)
    shapes = {tuple(one.shape) for one in wide}
    if len(shapes) > 1:
        raise DataError(
            f"Mean(over='units') at {where}: units differ in length there ({sorted(shapes)}), so there is no mean by "
            "position. Use Mean(over='tokens')."
        )
    return torch.stack(wide).mean(0)


def needs_all_units(study: Study) -> bool:
    """Return True if some intervention reads other units than the one that runs."""
    for world in study.worlds:
        for _, what in study.placed(world):
            for need in what.needs():
                if isinstance(need, Moment) or (isinstance(need, Donor) and need.unit != "own"):
                    return True
    return False


def captures(study: Study) -> dict[str, tuple[Site, ...]]:
    """Return, for each run, the sites whose activations must be captured, in order of execution."""
    wanted: dict[str, dict[Site, None]] = {"base": {}, "source": {}}
    for world in study.worlds:
        for site, what in study.placed(world):
            for need in what.needs():
                if isinstance(need, Donor) and need.world is not None:
                    continue
                run = world.run if isinstance(need, Noise) else run_of(need.run, world.run)
                wanted[run][site] = None
                if need == Donor():
                    wanted[world.run][site] = None  # to see where patching changes nothing
    return {run: tuple(sorted(sites, key=lambda s: study.when(study.places[s]))) for run, sites in wanted.items()}
