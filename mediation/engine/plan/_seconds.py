"""How fast passes run here: a few small passes of the plan's own kinds are timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, final

import torch

from ...interventions import Assignment, Interchange
from ..captured import Activations, PlainStates
from ..fanout import groups_of, run_group
from ..passes import Row, capture_rows, reference_logits, run_rows
from ..sizes import PassKind, PassShape, flops_of
from ..study import Execution, Placed, Study, World
from ._group_cost import cost_of
from ._schedule import Schedule, batch_shape
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


def measure(study: Study, execution: Execution, schedule: Schedule) -> Speed:
    """Time a small and a larger pass of each kind in the plan, and return lines through them.

    Changed passes are timed on units that are patched with their own activations at the sites of the study: any
    intervention costs about as much, and random ones need no other units for it.
    """
    with torch.no_grad():
        return _Calibration(study, execution, schedule).speed()


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
    def __init__(self, study: Study, execution: Execution, schedule: Schedule) -> None:
        self.study, self.execution, self.schedule = study, execution, schedule
        rows = schedule.changed
        self.row = rows[len(rows) // 2] if rows else Row(-1, study.worlds[0].run, 0, 0)
        length = study.length(self.row.run, self.row.unit)
        alike = [unit for unit in range(len(study.pairs)) if self._length(unit) == length]
        self.units = [self.row.unit, *(unit for unit in alike if unit != self.row.unit)]
        self.each = flops_of_a_row(study) if schedule.cost is None else 0
        self.references: dict[int, torch.Tensor] | None = {} if study.prepared.uses_reference else None

    def _length(self, unit: int) -> int:
        return self.study.length(self.row.run, unit)

    def speed(self) -> Speed:
        probe = self._probe()
        activations = Activations(probe)
        sites = tuple(probe.places)
        placed = [probe.placed(world) for world in probe.worlds]
        sizes = self._sizes("plain")

        def plain(n: int) -> tuple[int, Callable[[], object]]:
            rows = [Row(-1, self.row.run, unit, 0) for unit in self._units(n)]
            self._refer(rows)
            return self._flops(rows, "plain"), lambda: capture_rows(
                probe, self.execution.backend, rows, sites, activations, **self._common()
            )

        fits = {"plain": self._fit(plain, sizes)}
        kinds = {shape.kind for shape in self.schedule.passes}
        if "rows" in kinds and probe.worlds[0].assignment is not None:
            fits["rows"] = self._fit(lambda n: self._rows(probe, placed, activations, n), self._sizes("rows"))
        if "fan-out" in kinds:
            fits["fan-out"] = self._fit(lambda n: self._group(probe, placed, activations, n), self._sizes("fan-out"))
        return Speed(fits)

    def _probe(self) -> Study:
        """Return a study of self-patched worlds at the sites that share a pass with the row in the middle."""
        study, row = self.study, self.row
        placed = study.placed(study.worlds[row.world]) if row.world >= 0 else ()
        if not placed:
            return replace(study, worlds=(World(row.run),), places={})  # type: ignore[arg-type]
        where = study.positions(placed[0][0], row.run, row.unit)
        sites = {}
        for other in self.schedule.changed:
            if other.unit == row.unit and other.run == row.run:
                for site, _ in study.placed(study.worlds[other.world]):
                    if study.positions(site, row.run, row.unit) == where:
                        sites[site] = study.places[site]
        worlds = tuple(World(row.run, Assignment(((site, Interchange("same")),))) for site in sites)  # type: ignore[arg-type]
        return replace(study, worlds=worlds, places=sites)

    def _rows(
        self, probe: Study, placed: Sequence[Placed], activations: Activations, n: int
    ) -> tuple[int, Callable[[], object]]:
        units = self._units(n)
        self._capture(probe, units, activations)
        rows = [Row(i % len(placed), self.row.run, units[i % len(units)], 0) for i in range(n)]
        return self._flops(rows, "rows"), lambda: run_rows(
            probe, self.execution.backend, rows, placed, activations, **self._common()
        )

    def _group(
        self, probe: Study, placed: Sequence[Placed], activations: Activations, n: int
    ) -> tuple[int, Callable[[], object]]:
        cost = self.schedule.cost
        assert cost is not None
        units = self._units(n)
        self._capture(probe, units, activations)
        rows = [Row(world, self.row.run, unit, 0) for world in range(len(placed)) for unit in units]
        most = self.execution.batch_size
        groups = groups_of(probe, rows, placed, tokens=self.schedule.tokens, rows_per_pass=most)[0]
        if not groups:
            return 0, lambda: None
        group = groups[0]
        states = PlainStates(probe, self.execution.backend)

        def run() -> object:
            return run_group(
                probe,
                self.execution.backend,
                group,
                activations,
                references=self.references,
                states=states,
            )

        return flops_of(cost, cost_of(probe, cost, group)), run

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
        shapes = [shape for shape in self.schedule.passes if shape.kind == kind]
        if not shapes:
            return (1,)
        counts = [self._lanes(shape) for shape in shapes]
        return (1, max(1, int(median(counts))))

    def _lanes(self, shape: PassShape) -> int:
        if shape.kind != "fan-out":
            return shape.left
        return shape.lanes

    def _units(self, n: int) -> list[int]:
        """Return `n` units of the middle row's length, or as many as there are."""
        return self.units[: max(1, n)]

    def _capture(self, probe: Study, units: Sequence[int], activations: Activations) -> None:
        sites = tuple(probe.places)
        missing = [unit for unit in units if not activations.holds(sites[0], self.row.run, unit)]
        if missing:
            rows = [Row(-1, self.row.run, unit, 0) for unit in missing]
            self._refer(rows)
            capture_rows(probe, self.execution.backend, rows, sites, activations, **self._common())

    def _refer(self, rows: Sequence[Row]) -> None:
        if self.references is None:
            return
        missing = [Row(-1, "base", row.unit, 0) for row in rows if row.unit not in self.references]
        if missing:
            side = self.execution.padding_side
            logits = reference_logits(self.study, self.execution.backend, missing, side=side)
            self.references.update({row.unit: one for row, one in zip(missing, logits, strict=True)})

    def _common(self) -> dict[str, Any]:
        return {"references": self.references, "side": self.execution.padding_side}

    def _flops(self, rows: Sequence[Row], kind: PassKind) -> int:
        cost = self.schedule.cost
        if cost is None:
            return len(rows) * self.each
        return flops_of(cost, batch_shape(self.study, cost, rows, kind, self.execution))
