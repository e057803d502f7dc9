"""Activations captured from plain runs, and what interventions are given from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from ..._errors import DataError
from ...interventions import AbstractIntervention, Donor, Moment, Need, Noise
from ...sites import Site
from ..study import Study, World, noise, run_of

Key = tuple[Site, str, int]


@final
class Activations:
    """Activations of plain runs by site, run and unit: ``(k, features)`` each."""

    __slots__ = ("_held", "_moments", "_study")

    def __init__(self, study: Study) -> None:
        self._study = study
        self._held: dict[Key, Tensor] = {}
        self._moments: dict[tuple[Site, str, Moment], Tensor] = {}

    def put(self, site: Site, run: str, unit: int, value: Tensor) -> None:
        """Keep one activation."""
        self._held[(site, run, unit)] = value

    def get(self, site: Site, run: str, unit: int) -> Tensor:
        """Return one activation."""
        return self._held[(site, run, unit)]

    def holds(self, site: Site, run: str, unit: int) -> bool:
        """Return True if the activation is at hand."""
        return (site, run, unit) in self._held

    def forget(self) -> None:
        """Drop all activations (moments stay)."""
        self._held.clear()

    def given(
        self, site: Site, what: AbstractIntervention, world: World, unit: int, draw: int
    ) -> Mapping[Need, Tensor]:
        """Return what `what` needs at `site`, for one row, without the row axis."""
        return {need: self._supply(need, site, world, unit, draw) for need in what.needs()}

    def _supply(self, need: Need, site: Site, world: World, unit: int, draw: int) -> Tensor:
        study = self._study
        if isinstance(need, Donor):
            donor = unit if need.unit == "own" else study.donors(need, draw)[unit]
            run = run_of(need.run, world.run)
            return self._like_own(self.get(site, run, donor), site, world, unit, f"{run} input of unit {donor}")
        if isinstance(need, Moment):
            return self._moment(site, run_of(need.run, world.run), need)
        like = self.get(site, world.run, unit)
        return noise(tuple(like.shape), seed=study.seed, unit=unit, draw=draw, stream=need.stream).to(like.device)

    def _like_own(self, found: Tensor, site: Site, world: World, unit: int, where: str) -> Tensor:
        """Return the donor's activation, checked against the one that it replaces, where that is at hand."""
        own = self._held.get((site, world.run, unit))
        if own is not None and own.shape != found.shape:
            raise DataError(
                f"{site}: unit {unit} is misaligned: its {world.run} input has an activation of shape "
                f"{tuple(own.shape)} there, and the {where} one of shape {tuple(found.shape)}. Give inputs of one "
                "shape, or a site after which they have one."
            )
        return found

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
