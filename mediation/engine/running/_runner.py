"""Run the pieces of a study in their order: capture, skip what changes nothing, fan out, run the rest in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from ..._errors import OutcomeError
from .._progress import Progress
from ..captured import Activations, PlainStates, captures, needs_all_units
from ..checkpoint import Pieces
from ..fanout import Group, fan_out_reason, groups_of, run_group
from ..oracle import Reference
from ..passes import Row, capture_rows, reference_logits, run_rows
from ..sizes import Room, halving, most_padded, split
from ..study import Execution, Placed, Run, Study, World
from ..verify import check_consistency, check_plain, check_sample, settle_self_patches
from ._unchanged import unchanged_cells

_MARGIN = 4.0


@final
class Runner:
    """One run of a study: values, plain outcomes, captured activations and the report, as they grow.

    Parameters
    ----------
    pieces
        Where finished pieces are kept, and how the run is split.
    """

    def __init__(self, study: Study, execution: Execution, progress: Progress, pieces: Pieces) -> None:
        self.study, self.execution, self.progress, self.pieces = study, execution, progress, pieces
        self.placed: list[Placed] = [study.placed(world) for world in study.worlds]
        self.values = np.full((len(study.worlds), len(study.pairs), study.n_draws), np.nan)
        self.plain: dict[tuple[str, int], float] = {}
        self.activations = Activations(study)
        self.references: dict[int, Tensor] | None = {} if study.prepared.uses_reference else None
        self.tokens = pieces.split["tokens"]
        self.states = PlainStates(study, execution.backend)
        self.room = Room()
        self.report: dict[str, Any] = {
            "backend": execution.backend.name,
            "rows": 0,
            "passes": 0,
            "null_rows": 0,
            "fan_out_rows": 0,
        }
        self.index = {world: i for i, world in enumerate(study.worlds)}
        self.reason = "switched off" if not execution.fan_out else fan_out_reason(study, execution.backend)
        self.wanted = captures(study)

    def run(self) -> None:
        """Run every chunk of units whose pieces are not all stored; read the others."""
        n, size = len(self.study.pairs), self.pieces.split["units"]
        chunks = [list(range(start, min(start + size, n))) for start in range(0, n, size)]
        self._start()
        stored = [self._is_stored(chunk) for chunk in chunks]
        whole = needs_all_units(self.study) and not all(stored)
        if whole:
            for chunk in chunks:
                self._plain(chunk)
        for position, chunk in enumerate(chunks):
            if stored[position] and not whole:
                self._read_plain(chunk)
            elif not whole:
                self.activations.forget()
                self.states.forget()
                if self.references is not None:
                    self.references.clear()
                self._plain(chunk)
            if position == 0:
                self.report["consistency"] = self._consistency(chunk[:2])
                self._check_plain(chunk)
            self._patched(chunk)
        self._settle_self_patches(lambda run, unit: self.plain[(run, unit)])
        self._settle()
        self.report["fan_out"] = self.reason or "used"
        self.report["sample"] = check_sample(self.study, self.values, self.execution.checks, self.activations)
        self._end()

    def run_naively(self) -> None:
        """One forward pass per world, unit and draw."""
        study, reference = self.study, Reference(self.study)
        self._start()
        for index, world in enumerate(study.worlds):
            for unit in range(len(study.pairs)):
                rows = [Row(index, world.run, unit, draw) for draw in range(study.draws_of(world))]
                self._piece("naive", rows, partial(_one_by_one, reference, world))
        self._settle_self_patches(lambda run, unit: reference.outcome(World(run), unit))  # type: ignore[arg-type]
        self.report |= {"fan_out": self.reason, "consistency": {"cells": 0}, "sample": {"cells": 0}}
        self._end()

    def _start(self) -> None:
        total = sum(self.study.draws_of(world) for world in self.study.worlds) * len(self.study.pairs)
        self.progress.start(total, "runs")

    def _end(self) -> None:
        self.report |= self.pieces.report
        if self.room.times:
            self.report["out_of_memory"] = {"times": self.room.times, "tokens_that_fit": int(self.room.tokens)}
        self.progress.close()

    def _is_stored(self, chunk: Sequence[int]) -> bool:
        """Return True if nothing of a chunk has to be run, so that its activations are not needed either."""
        unchanged = self.pieces.nothing_changes(chunk)
        if unchanged is None or (chunk[0] == 0 and self.pieces.note("consistency") is None):
            return False
        if not all(self.pieces.holds(f"plain {run}", batch) for run, batch in self._plain_batches(chunk)):
            return False
        groups, batches = self._split(chunk, unchanged)
        fanned = all(self.pieces.holds("fan-out", group.rows) for group in groups)
        return fanned and all(self.pieces.holds("batch", batch) for batch in batches)

    def _piece(self, kind: str, rows: Sequence[Row], run: Callable[[Sequence[Row]], Sequence[float]]) -> None:
        """Fill in the outcomes of some rows: stored ones, or those of a pass that is made now, and then stored."""
        outcomes = self.pieces.find(kind, rows)
        found = run(rows) if outcomes is None else outcomes
        for row, value in zip(rows, found, strict=True):
            self._fill(row, value)
        if outcomes is None:
            self.pieces.keep(kind, rows, found)

    def _check_plain(self, chunk: Sequence[int]) -> None:
        row = most_padded([batch for _, batch in self._plain_batches(chunk)], self._width)
        if row is not None:
            apart = check_plain(self.study, row, self.plain[(row.run, row.unit)])
            self.report["most_padded"] = {"cells": 1, "max_abs_difference": apart}

    def _consistency(self, units: Sequence[int]) -> dict[str, Any]:
        found = self.pieces.note("consistency")
        if found is None:
            found = check_consistency(
                self.study,
                self.execution,
                units,
                self.plain,
                self.references,
                fan_out=self.reason is None,
                tokens=self.tokens,
            )
            self.pieces.keep_note("consistency", found)
        return found

    def _split(self, chunk: Sequence[int], unchanged: set[tuple[int, int]]) -> tuple[list[Group], list[list[Row]]]:
        """Return the passes of a chunk's changed worlds: groups that fan out, and batches."""
        pending = [
            Row(index, world.run, unit, draw)
            for index, world in enumerate(self.study.worlds)
            if world.assignment is not None
            for unit in chunk
            if (index, unit) not in unchanged
            for draw in range(self.study.draws_of(world))
        ]
        groups: list[Group] = []
        if self.reason is None:
            most = self.execution.batch_size
            groups, pending = groups_of(self.study, pending, self.placed, tokens=self.tokens, rows_per_pass=most)
        return groups, self._batches(pending)

    def _plain_batches(self, chunk: Sequence[int]) -> Iterator[tuple[Run, list[Row]]]:
        runs: tuple[Run, ...] = ("base", "source")
        for run in runs:
            if self.wanted[run] or any(world.run == run for world in self.study.worlds):
                for batch in self._batches([Row(-1, run, unit, 0) for unit in chunk]):
                    yield run, batch

    def _plain(self, chunk: Sequence[int]) -> None:
        """Run the plain inputs of a chunk, keep what interventions need, and fill plain worlds."""
        if self.references is not None:
            self._reference(chunk)
        for run, batch in self._plain_batches(chunk):
            outcomes = self._outcomes(
                batch,
                lambda b, r=run: capture_rows(
                    self.study,
                    self.execution.backend,
                    b,
                    self.wanted[r],
                    self.activations,
                    references=self.references,
                    side=self.execution.padding_side,
                    states=self.states if self.reason is None else None,
                ),
            )
            self._fill_plain(run, batch, self.pieces.keep_plain(f"plain {run}", batch, outcomes))

    def _read_plain(self, chunk: Sequence[int]) -> None:
        """Fill plain worlds of a chunk from what is stored."""
        for run, batch in self._plain_batches(chunk):
            outcomes = self.pieces.find(f"plain {run}", batch)
            assert outcomes is not None
            self._fill_plain(run, batch, outcomes)

    def _fill_plain(self, run: Run, batch: Sequence[Row], outcomes: Sequence[float]) -> None:
        world = self.index.get(World(run))
        for row, value in zip(batch, outcomes, strict=True):
            self.plain[(run, row.unit)] = value
            if world is not None:
                self._fill(row._replace(world=world), value)

    def _reference(self, chunk: Sequence[int]) -> None:
        assert self.references is not None
        for batch in self._batches([Row(-1, "base", unit, 0) for unit in chunk]):
            logits = reference_logits(self.study, self.execution.backend, batch, side=self.execution.padding_side)
            self.references.update({row.unit: one for row, one in zip(batch, logits, strict=True)})

    def _patched(self, chunk: Sequence[int]) -> None:
        unchanged = self.pieces.nothing_changes(chunk)
        if unchanged is None:
            unchanged = unchanged_cells(self.study, self.placed, self.activations, chunk)
            self.pieces.keep_nothing_changes(chunk, unchanged)
        self.report["null_rows"] += len(unchanged)
        for index, unit in sorted(unchanged):
            run = self.study.worlds[index].run
            self._fill(Row(index, run, unit, 0), self.plain[(run, unit)])
        groups, batches = self._split(chunk, unchanged)
        for group in groups:
            self._piece("fan-out", group.rows, partial(self._fan_out, group))
        for batch in batches:
            self._piece("batch", batch, self._batch)

    def _batch(self, batch: Sequence[Row]) -> list[float]:
        return self._outcomes(
            batch,
            lambda some: run_rows(
                self.study,
                self.execution.backend,
                some,
                self.placed,
                self.activations,
                references=self.references,
                side=self.execution.padding_side,
            ),
        )

    def _fan_out(self, group: Group, rows: Sequence[Row]) -> list[float]:
        self.report["passes"] += 1
        self.report["fan_out_rows"] += len(rows)
        outcomes = run_group(
            self.study,
            self.execution.backend,
            group,
            self.activations,
            references=self.references,
            states=self.states,
            room=self.room,
        )
        return [outcomes[row] for row in rows]

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        how = self.execution
        return list(split(rows, self._width, tokens=self.tokens, rows=how.batch_size, layout=how.layout))

    def _width(self, row: Row) -> int:
        return self.study.length(row.run, row.unit)

    def _outcomes(self, batch: Sequence[Row], run: Any) -> list[float]:
        self.report["rows"] += len(batch)
        self.report["passes"] += 1
        outcomes: Tensor = halving(
            run,
            batch,
            lambda a, b: torch.cat([a, b]),
            size=lambda rows: len(rows) * max(map(self._width, rows)),
            room=self.room,
        )
        return [float(value) for value in outcomes.double().cpu()]

    def _fill(self, row: Row, value: float) -> None:
        world = self.study.worlds[row.world]
        if not np.isfinite(value):
            raise OutcomeError(
                f"The outcome of unit {row.unit} in world {world} is {value}: {self.study.prepared.label} must be "
                "finite. "
                "Look at the intervention's scale, at the model's dtype, and at the unit's input."
            )
        if world.is_random:
            self.values[row.world, row.unit, row.draw] = value
        else:
            self.values[row.world, row.unit, :] = value
        self.progress.advance(1)

    def _settle_self_patches(self, plain: Callable[[str, int], float]) -> None:
        found = settle_self_patches(self.study, self.values, plain)
        if found is not None:
            self.report["self_patch"] = found

    def _settle(self) -> None:
        """Let outcomes that differ from the plain ones by float rounding only be equal to them.

        How far rounding reaches is measured: it is what patching units with themselves changed. Without this, a
        site that cannot matter (any but the last position in the last block) would show an effect of 1e-6, and
        an interval as narrow. Not done in half precision, where rounding is as large as small effects.
        """
        noise = _MARGIN * self.report["consistency"]["max_abs_difference"]
        settled = 0
        if noise > 0 and self.study.model.dtype in (torch.float32, torch.float64):
            for index, world in enumerate(self.study.worlds):
                if world.assignment is None:
                    continue
                plain = np.array([self.plain[(world.run, unit)] for unit in range(len(self.study.pairs))])[:, None]
                close = np.abs(self.values[index] - plain) <= noise
                settled += int((close & (self.values[index] != plain)).sum())
                self.values[index] = np.where(close, plain, self.values[index])
        self.report |= {"rounding": noise, "settled_rows": settled}


def _one_by_one(reference: Reference, world: World, rows: Sequence[Row]) -> list[float]:
    return [reference.outcome(world, row.unit, row.draw) for row in rows]
