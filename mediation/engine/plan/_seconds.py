"""How fast passes run here: a few small passes of the plan's own kinds are timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import final

import numpy as np
import torch

from ...interventions import Assignment, Interchange
from ..passes import Cells, Row
from ..session import Pass, Session
from ..sizes import PassKind, flops_of
from ..study import Study, World
from ._chunks import split_of
from ._planner import Planner
from ._prices import Prices
from ._shapes import shapes_of
from ._stream import Stream
from ._whole import flops_of_a_row

_SECONDS = 0.6  # of one timed pass, at most
_SHORT = 0.05  # passes shorter than this are timed three times


@final
@dataclass(frozen=True, slots=True)
class Fit:
    """Time of a pass, linear in its FLOPs.

    Attributes
    ----------
    start
        Seconds of a pass without work.
    per_flop
        Seconds of a FLOP.
    """

    start: float
    per_flop: float


@final
@dataclass(frozen=True, slots=True)
class Speed:
    """Fits by kind of pass."""

    fits: Mapping[str, Fit]

    def seconds(self, kind: PassKind, flops: Sequence[int]) -> float:
        """Return the time of some passes of one kind."""
        like = {"reference": "plain", "again": "plain", "checks": "rows"}.get(kind, kind)
        fit = self.fits.get(like) or self.fits["plain"]
        return sum(fit.start + fit.per_flop * one for one in flops)


def measure(study: Study, stream: Stream, prices: Prices) -> Speed:
    """Time a small and a larger pass of each kind in the plan, and return lines through them.

    Changed passes are timed on units that are patched with their own activations at the sites of the study: any
    intervention costs about as much, and random ones need no other units for it.
    """
    with torch.no_grad():
        return _Calibration(study, stream, prices).speed()


def line_through(points: Sequence[tuple[float, float]]) -> Fit:
    """Return the line through the first and the last of ``(FLOPs, seconds)``, with neither end below 0.

    Examples
    --------
    >>> line_through([(1.0, 3.0), (3.0, 5.0)])
    Fit(start=2.0, per_flop=1.0)
    >>> line_through([(2.0, 4.0)])
    Fit(start=0.0, per_flop=2.0)
    """
    (least, short), (most, long) = min(points), max(points)
    if most < 1.5 * least or long <= short:
        return Fit(0.0, long / max(most, 1.0))
    slope = (long - short) / (most - least)
    start = short - slope * least
    return Fit(start, slope) if start >= 0 else Fit(0.0, long / most)


@final
class _Calibration:
    """Times passes of a study of self-patched worlds, at the sites that share a pass in the middle of the stream."""

    def __init__(self, study: Study, stream: Stream, prices: Prices) -> None:
        self.study, self.stream, self.prices = study, stream, prices
        middle = prices.changed[len(prices.changed) // 2] if prices.changed else None
        cells = Cells.plain(study.worlds[0].run, [0]) if middle is None else middle.cells
        self.row = cells.pick(slice(len(cells) // 2, len(cells) // 2 + 1)).rows()[0]
        length = study.length(self.row.run, self.row.unit)
        alike = [unit for unit in range(len(study.pairs)) if study.length(self.row.run, unit) == length]
        self.units = [self.row.unit, *(unit for unit in alike if unit != self.row.unit)]
        self.each = flops_of_a_row(study) if prices.cost is None else 0
        self.probe = self._probe(cells)
        split = split_of(study)._replace(units=len(self.units))
        self.planner = Planner(self.probe, stream.execution, split, grows=stream.reason is None)
        self.session = Session(self.probe, stream.execution, self.planner.placed)

    def speed(self) -> Speed:
        """Return the lines by kind of pass."""
        fits = {"plain": self._fit(self._plain, self._sizes("plain"))}
        kinds = {shape.kind for shape in self.prices.shapes}
        if "rows" in kinds and self.probe.worlds[0].assignment is not None:
            fits["rows"] = self._fit(self._rows, self._sizes("rows"))
        if "fan-out" in kinds:
            fits["fan-out"] = self._fit(self._group, self._sizes("fan-out"))
        return Speed(fits)

    def _probe(self, cells: Cells) -> Study:
        """Return a study of self-patched worlds at the sites that share a pass with the row in the middle."""
        study, row = self.study, self.row
        placed = study.placed(study.worlds[row.world]) if row.world >= 0 else ()
        if not placed:
            return replace(study, worlds=(World(row.run),), places={})  # type: ignore[arg-type]
        where = study.positions(placed[0][0], row.run, row.unit)
        beside = (cells.unit == row.unit) & (cells.run == Cells.of([row]).run)
        sites = {
            site: study.places[site]
            for world in np.unique(cells.world[beside]).tolist()
            for site, _ in study.placed(study.worlds[world])
            if study.positions(site, row.run, row.unit) == where
        }
        worlds = tuple(World(row.run, Assignment(((site, Interchange("same")),))) for site in sites)  # type: ignore[arg-type]
        return replace(study, worlds=worlds, places=sites, n_draws=1)

    def _plain(self, n: int) -> tuple[int, Callable[[], object]]:
        one = self._captured(n)
        return self._flops(one), lambda: self.session.capture(one)

    def _rows(self, n: int) -> tuple[int, Callable[[], object]]:
        self.session.capture(self._captured(n))
        units, worlds = self._units(n), len(self.planner.placed)
        rows = [Row(i % worlds, self.row.run, units[i % len(units)], 0) for i in range(n)]
        one = self.planner.pass_of("rows", Cells.of(rows))
        return self._flops(one), lambda: self.session.run(one)

    def _group(self, n: int) -> tuple[int, Callable[[], object]]:
        self.session.capture(self._captured(n, states=True))
        units, worlds = self._units(n), np.arange(len(self.planner.placed))
        every = np.ones((len(worlds), len(units)), dtype=bool)
        group = next(self.planner.grouping.groups(worlds, units, every), None)
        if group is None:
            return 0, lambda: None
        one = self.planner.pass_of("fan-out", group.cells, group=group)
        return self._flops(one), lambda: self.session.run(one)

    def _captured(self, n: int, *, states: bool = False) -> Pass:
        """Return the pass of the plain runs of `n` units, whose reference logits are there."""
        self.session.forget()
        units = self._units(n)
        if self.session.references is not None:
            self.session.capture(self.planner.pass_of("reference", Cells.plain(0, units)))
        cells = Cells.plain(self.row.run, units)
        return self.planner.pass_of("plain", cells, sites=tuple(self.probe.places), states=states)

    def _fit(self, make: Callable[[int], tuple[int, Callable[[], object]]], sizes: Sequence[int]) -> Fit:
        """Time passes of the given sizes, the second no larger than fits the time of a calibration."""
        points: list[tuple[float, float]] = []
        for size in sizes:
            n = size
            if points:
                n = max(1, min(size, int(_SECONDS / max(points[0][1], 1e-9) * sizes[0])))
            flops, run = make(n)
            if flops:
                points.append((float(flops), self._timed(run)))
        return line_through(points) if points else Fit(0.0, 0.0)

    def _timed(self, run: Callable[[], object]) -> float:
        first = self._once(run)
        if first > _SECONDS:
            return first
        second = self._once(run)  # the first call of a kind compiles, allocates and makes the plain run
        return second if second > _SHORT else median([second, self._once(run), self._once(run)])

    def _once(self, run: Callable[[], object]) -> float:
        self._wait()
        start = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.study.model.device.type == "cuda":
            torch.cuda.synchronize(self.study.model.device)

    def _sizes(self, kind: PassKind) -> tuple[int, ...]:
        """Return how many units (or rows) the timed passes have: one, and as many as the median pass of the kind."""
        shapes = [shape for shape in self.prices.shapes if shape.kind == kind]
        counts = [shape.lanes if kind == "fan-out" else shape.left for shape in shapes]
        return (1, max(1, int(median(counts)))) if counts else (1,)

    def _units(self, n: int) -> list[int]:
        """Return `n` units of the middle row's length, or as many as there are."""
        return self.units[: max(1, n)]

    def _flops(self, one: Pass) -> int:
        cost = self.prices.cost
        if cost is None:
            return len(one.cells) * self.each
        return sum(flops_of(cost, shape) for shape in shapes_of(one, cost, self.stream.execution))
