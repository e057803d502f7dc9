"""Activations captured from plain runs, and what interventions are given from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, final

import torch
from torch import Tensor

from ..._errors import DataError
from ...interventions import Donor, Moment, Need, Noise
from ...sites import Site
from ..study import Study, noise, run_of

Asking = tuple[str, int, int]  # the run that is changed, its unit and its draw


class _Held(NamedTuple):
    """Activations of one site in one run: tensors with a row a unit, and where each unit is."""

    blocks: list[Tensor]
    where: dict[int, tuple[int, int]]


@final
class Activations:
    """Activations of plain runs by site, run and unit: ``(k, features)`` each."""

    __slots__ = ("_held", "_moments", "_study")

    def __init__(self, study: Study) -> None:
        self._study = study
        self._held: dict[tuple[Site, str], _Held] = {}
        self._moments: dict[tuple[Site, str, Moment], Tensor] = {}

    def put(self, site: Site, run: str, units: Sequence[int], values: Tensor) -> None:
        """Keep the activations of some units, ``(units, k, features)``."""
        held = self._held.setdefault((site, run), _Held([], {}))
        block = len(held.blocks)
        held.blocks.append(values)
        held.where.update((unit, (block, row)) for row, unit in enumerate(units))

    def get(self, site: Site, run: str, unit: int) -> Tensor:
        """Return one activation."""
        held = self._held[(site, run)]
        block, row = held.where[unit]
        return held.blocks[block][row]

    def holds(self, site: Site, run: str, unit: int) -> bool:
        """Return True if the activation is at hand."""
        held = self._held.get((site, run))
        return held is not None and unit in held.where

    def forget(self) -> None:
        """Drop all activations (moments stay)."""
        self._held.clear()

    def shape(self, site: Site, run: str, unit: int) -> tuple[int, ...]:
        """Return the shape of one activation."""
        held = self._held[(site, run)]
        return tuple(held.blocks[held.where[unit][0]].shape[1:])

    def supply(self, need: Need, site: Site, rows: Sequence[Asking]) -> Tensor:
        """Return what some rows are given at `site`, with a row axis; what all share stands there once.

        Raises
        ------
        DataError
            If a donor's activation has another shape than the one that it replaces.
        """
        if isinstance(need, Noise):
            return torch.stack([self._noise(need, site, row) for row in rows])
        if isinstance(need, Moment):
            runs = [run_of(need.run, run) for run, _, _ in rows]
            found = [self._moment(site, run, need) for run in runs]
            if len(set(runs)) > 1:
                return torch.stack(found)
            return found[0] if found[0].ndim == 0 else found[0][None]
        donors = [
            (run_of(need.run, run), unit if need.unit == "own" else self._study.donors(need, draw)[unit])
            for run, unit, draw in rows
        ]
        self._check_shapes(site, rows, donors)
        parts = [
            self._stack(site, run, [unit for _, unit in some]) for run, some in groupby(donors, key=lambda one: one[0])
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _stack(self, site: Site, run: str, units: Sequence[int]) -> Tensor:
        held = self._held[(site, run)]
        where = [held.where[unit] for unit in units]
        block = where[0][0]
        if any(one != block for one, _ in where):
            return torch.stack([held.blocks[one][row] for one, row in where])
        whole, rows = held.blocks[block], [row for _, row in where]
        first = rows[0]
        if rows == list(range(first, first + len(rows))):
            return whole[first : first + len(rows)]
        return whole[torch.tensor(rows, device=whole.device)]

    def _check_shapes(self, site: Site, rows: Sequence[Asking], donors: Sequence[tuple[str, int]]) -> None:
        """Check donors against the activations that they replace, where these are at hand."""
        mine, theirs = self._shapes(site, [(run, unit) for run, unit, _ in rows]), self._shapes(site, donors)
        if len({*mine, *theirs} - {None}) < 2:
            return
        for (own, unit, _), (run, donor), one, other in zip(rows, donors, mine, theirs, strict=True):
            if one is not None and one != other:
                raise DataError(
                    f"{site}: unit {unit} is misaligned: its {own} input has an activation of shape {one} there, and "
                    f"the {run} input of unit {donor} one of shape {other}. Give inputs of one shape, or a site after "
                    "which they have one."
                )

    def _shapes(self, site: Site, inputs: Sequence[tuple[str, int]]) -> list[tuple[int, ...] | None]:
        held = {run: self._held.get((site, run)) for run in {run for run, _ in inputs}}
        found: list[tuple[int, ...] | None] = []
        for run, unit in inputs:
            one = held[run]
            place = None if one is None else one.where.get(unit)
            found.append(None if one is None or place is None else tuple(one.blocks[place[0]].shape[1:]))
        return found

    def _noise(self, need: Noise, site: Site, row: Asking) -> Tensor:
        run, unit, draw = row
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
                run = world.run if isinstance(need, Noise) else run_of(need.run, world.run)
                wanted[run][site] = None
                if need == Donor():
                    wanted[world.run][site] = None  # to see where patching changes nothing
    return {run: tuple(sorted(sites, key=lambda s: study.when(study.places[s]))) for run, sites in wanted.items()}
