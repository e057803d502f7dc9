"""The least FLOPs that a study's numbers cost, and those of the loop that everybody writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ...sites import Site
from ..passes import Row
from ..sizes import ModelCost, PassShape, flops_of, needed_flops
from ..study import Placed, Study
from ._schedule import Schedule


@final
class Needed:
    """Least FLOPs of rows, each kind of row computed once.

    Parameters
    ----------
    study
        The study.
    cost
        Sizes of its model.
    columns
        Logits that the outcome asks for; None for all.
    """

    __slots__ = ("_cost", "_known", "_placed", "_positions", "_study", "columns")

    def __init__(self, study: Study, cost: ModelCost, columns: int | None) -> None:
        self._study, self._cost, self.columns = study, cost, columns
        self._placed: list[Placed] = [study.placed(world) for world in study.worlds]
        self._known: dict[object, int] = {}

    def plain(self, row: Row) -> int:
        """Return the FLOPs of a plain run: all blocks and tokens, the logits that are read."""
        length = self._study.length(row.run, row.unit)
        key = ("plain", length)
        if key not in self._known:
            self._known[key] = 2 * length * self._cost.outside + self._least([0] * len(self._cost.blocks), length)
        return self._known[key]

    def changed(self, row: Row) -> int:
        """Return the FLOPs that a changed row adds to its plain run."""
        length = self._study.length(row.run, row.unit)
        placed = self._placed[row.world]
        where = tuple(self._study.positions(site, row.run, row.unit) for site, _ in placed)
        key = (row.world, length, where)
        if key not in self._known:
            self._known[key] = self._row(placed, where, length)
        return self._known[key]

    def _row(self, placed: Placed, where: Sequence[tuple[int, ...] | None], length: int) -> int:
        cost, causal = self._cost, self._study.model.is_causal
        firsts: list[int | None] = [None] * len(cost.blocks)
        inside = 0
        for (site, _), positions in zip(placed, where, strict=True):
            first = min(positions) if causal and positions else 0
            layer = self._layer(site)
            for block in range(layer + 1, len(firsts)):
                before = firsts[block]
                firsts[block] = first if before is None else min(before, first)
            if layer >= 0 and firsts[layer] is None:
                inside += _inside(cost, site, layer, len(positions or range(length)), length)
        return inside + self._least(firsts, length)

    def _least(self, firsts: Sequence[int | None], length: int) -> int:
        study = self._study
        return needed_flops(
            self._cost,
            firsts,
            length=length,
            causal=study.model.is_causal,
            read=study.prepared.kept,
            columns=self.columns,
        )

    def _layer(self, site: Site) -> int:
        """Return the block at whose output the row differs everywhere after; -1 before all blocks."""
        if site.layer is not None:
            return site.layer
        prefix = self._study.model.known_architecture().layers + "."
        found = site.module.removeprefix(prefix).split(".")[0] if site.module.startswith(prefix) else ""
        return int(found) - 1 if found.isdigit() else -1


def _inside(cost: ModelCost, site: Site, layer: int, tokens: int, keys: int) -> int:
    """Return the FLOPs of what follows a site inside its own block, on its own tokens."""
    block = cost.blocks[layer]
    if site.kind == "neurons":
        return 2 * tokens * block.after_neurons
    if site.kind == "attention":
        return 2 * tokens * (block.mlp + (block.after_heads if site.head is not None else 0))
    if site.kind == "pattern":
        return 2 * tokens * (block.mlp + block.after_heads + keys * block.width)
    return 0


def needed_by(study: Study, schedule: Schedule) -> int:
    """Return the least FLOPs of a study: two plain runs a unit, and what each changed row adds."""
    if schedule.cost is None:
        return 0
    asked = study.prepared.asked
    needed = Needed(study, schedule.cost, None if asked is None else int(asked.shape[1]))
    runs = {world.run for world in study.worlds}
    if any(world.assignment is not None for world in study.worlds) and "source" in study.encoding.runs:
        runs |= {"base", "source"}
    plain = sum(needed.plain(Row(-1, run, unit, 0)) for run in runs for unit in range(len(study.pairs)))
    return plain + sum(needed.changed(row) for row in schedule.changed)


def naive_flops(study: Study, cost: ModelCost) -> int:
    """Return the FLOPs of one full forward pass, with all logits, for each world, unit and draw."""
    by_length: dict[int, int] = {}
    total = 0
    for world in study.worlds:
        for unit in range(len(study.pairs)):
            length = study.length(world.run, unit)
            if length not in by_length:
                by_length[length] = flops_of(cost, _alone(cost, length))
            total += by_length[length] * study.draws_of(world)
    return total


def _alone(cost: ModelCost, length: int) -> PassShape:
    return PassShape(
        kind="rows",
        alive=(1,) * len(cost.blocks),
        queries=length,
        keys=length,
        entered=1,
        left=1,
        outcomes=1,
        read=length,
    )
