"""The least FLOPs that a study's numbers cost, and those of the loop that everybody writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ...sites import Site
from ..passes import RUNS
from ..session import Pass
from ..sizes import ModelCost, PassShape, flops_of, needed_flops
from ..study import Placed, Study


@final
class Needed:
    """Least FLOPs of rows, each kind of row computed once.

    Parameters
    ----------
    study
        The study.
    cost
        Sizes of its model.
    """

    __slots__ = ("_columns", "_cost", "_known", "_placed", "_study")

    def __init__(self, study: Study, cost: ModelCost) -> None:
        asked = [part.asked for part in study.prepared.each if part.asked is not None]
        self._study, self._cost = study, cost
        whole = len(asked) < len(study.prepared.each)
        self._columns = None if whole else sum(int(one.shape[1]) for one in asked)
        self._placed: dict[int, Placed] = {}
        self._known: dict[object, int] = {}

    def plain(self, run: str, unit: int) -> int:
        """Return the FLOPs of a plain run: all blocks and tokens, the logits that are read."""
        length = self._study.length(run, unit)
        key = ("plain", length)
        if key not in self._known:
            self._known[key] = 2 * length * self._cost.outside + self._least([0] * len(self._cost.blocks), length)
        return self._known[key]

    def of(self, one: Pass) -> int:
        """Return the FLOPs that the changed rows of a pass add to plain runs."""
        if one.group is not None:  # the lanes of a slot are alike
            group = one.group
            run, unit = group.lanes[0]
            each = sum(self._changed(world, run, unit) for world in group.worlds[:, 0].tolist())
            return each * len(group.lanes)
        return sum(self._changed(row.world, row.run, row.unit) for row in one.cells.rows())

    def _changed(self, world: int, run: str, unit: int) -> int:
        if world not in self._placed:
            self._placed[world] = self._study.placed(self._study.worlds[world])
        placed, length = self._placed[world], self._study.length(run, unit)
        if not placed:
            return 0
        where = tuple(self._study.table(site, run)[unit] for site, _ in placed)
        key = (world, length, where)
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
            columns=self._columns,
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


def needed_of_plain(study: Study, cost: ModelCost) -> int:
    """Return the least FLOPs of the plain runs of a study: two a unit, where worlds are changed and there are two."""
    runs = {world.run for world in study.worlds}
    if any(world.assignment is not None for world in study.worlds) and "source" in study.encoding.runs:
        runs |= set(RUNS)
    needed = Needed(study, cost)
    return sum(needed.plain(run, unit) for run in runs for unit in range(len(study.pairs)))


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
