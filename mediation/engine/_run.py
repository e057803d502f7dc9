"""Run a study: capture, skip what changes nothing, run the rest in batches, check a few by the naive path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OutcomeError
from ..interventions import Donor
from ..sites import Site
from ._activations import Activations, captures, needs_all_units
from ._backend import AbstractBackend
from ._batching import halving, split, tokens_per_pass
from ._check import check_consistency, check_sample, settle_self_patches
from ._fanout import Group, fan_out_reason, groups_of, run_group
from ._inputs import Side
from ._progress import Progress
from ._reference import Reference, ReferenceBackend
from ._rows import Row, capture_rows, reference_logits, run_rows
from ._study import Placed, Study
from ._world import World

_CAPTURED = 2**29  # bytes of activations held at a time
_LEAST, _MOST = 8, 128  # units in a chunk
_MARGIN = 4.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How a study is run; nothing here changes a number.

    Parameters
    ----------
    backend
        What runs forward passes.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    padding_side
        Side on which causal models are padded.
    fan_out
        Use the shared-prefix path for residual sites of decoders where it is known to be exact.
    checks
        How many cells are recomputed by the naive path.
    """

    backend: AbstractBackend
    batch_size: int | None = None
    padding_side: Side = "left"
    fan_out: bool = True
    checks: int = 3


@final
@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Outcomes of a study.

    Attributes
    ----------
    values
        ``(worlds, units, draws)``; worlds that are not random have the same number in every draw.
    report
        What was run and checked, for provenance.
    """

    study: Study
    values: NDArray[np.float64]
    report: dict[str, Any]

    def of(self, world: World) -> NDArray[np.float64]:
        """Return the outcomes of a world, ``(units, draws)``."""
        found: NDArray[np.float64] = self.values[self.study.worlds.index(world)]
        return found


def run_study(study: Study, execution: Execution, progress: Progress) -> Finished:
    """Run every world of `study` on every unit and draw.

    Raises
    ------
    BackendError
        If patching a unit with itself changes its outcome, or a recomputed cell does not agree.
    OutcomeError
        If an outcome is NaN or infinite.
    """
    runner = _Runner(study, execution, progress)
    with torch.no_grad():
        if isinstance(execution.backend, ReferenceBackend):
            runner.run_naively()
        else:
            runner.run()
    return Finished(study, runner.values, runner.report)


@final
class _Runner:
    def __init__(self, study: Study, execution: Execution, progress: Progress) -> None:
        self.study, self.execution, self.progress = study, execution, progress
        self.placed: list[Placed] = [study.placed(world) for world in study.worlds]
        self.values = np.full((len(study.worlds), len(study.pairs), study.n_draws), np.nan)
        self.plain: dict[tuple[str, int], float] = {}
        self.activations = Activations(study)
        self.references: dict[int, Tensor] | None = {} if study.prepared.uses_reference else None
        self.tokens = tokens_per_pass(study.model)
        self.prefixes: dict[tuple[str, tuple[int, ...]], Any] = {}
        self.report: dict[str, Any] = {
            "backend": execution.backend.name,
            "rows": 0,
            "passes": 0,
            "null_rows": 0,
            "fan_out_rows": 0,
        }
        self.index = {world: i for i, world in enumerate(study.worlds)}
        self.reason = "switched off" if not execution.fan_out else fan_out_reason(study, execution.backend)

    def run(self) -> None:
        study = self.study
        n = len(study.pairs)
        size = _units_at_a_time(study)
        chunks = [list(range(start, min(start + size, n))) for start in range(0, n, size)]
        total = sum(study.draws_of(world) for world in study.worlds) * n
        self.progress.start(total, "runs")
        whole = needs_all_units(study)
        if whole:
            for chunk in chunks:
                self._plain(chunk)
        for position, chunk in enumerate(chunks):
            if not whole:
                self.activations.forget()
                self._plain(chunk)
            if position == 0:
                self.report["consistency"] = check_consistency(
                    study,
                    self.execution,
                    chunk[:2],
                    self.plain,
                    self.references,
                    fan_out=self.reason is None,
                    tokens=self.tokens,
                )
            self._patched(chunk)
        self._settle_self_patches(lambda run, unit: self.plain[(run, unit)])
        self._settle()
        self.report["fan_out"] = self.reason or "used"
        self.report["sample"] = check_sample(study, self.values, self.execution.checks)
        self.progress.close()

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

    def run_naively(self) -> None:
        """One forward pass per world, unit and draw."""
        study, reference = self.study, Reference(self.study)
        n = len(study.pairs)
        self.progress.start(sum(study.draws_of(world) for world in study.worlds) * n, "runs")
        for index, world in enumerate(study.worlds):
            for unit in range(n):
                for draw in range(study.draws_of(world)):
                    self._fill(Row(index, world.run, unit, draw), reference.outcome(world, unit, draw))
        self._settle_self_patches(lambda run, unit: reference.outcome(World(run), unit))  # type: ignore[arg-type]
        self.report |= {"fan_out": self.reason, "consistency": {"cells": 0}, "sample": {"cells": 0}}
        self.progress.close()

    def _plain(self, chunk: Sequence[int]) -> None:
        """Run the plain inputs of a chunk, keep what interventions need, and fill plain worlds."""
        wanted = captures(self.study)
        for run in ("base", "source"):
            needed = wanted[run] or any(world.run == run for world in self.study.worlds)
            if run == "base" and self.references is not None:
                self._reference(chunk)
            if not needed:
                continue
            rows = [Row(-1, run, unit, 0) for unit in chunk]
            for batch in self._batches(rows):
                outcomes = self._outcomes(
                    batch,
                    lambda b, r=run: capture_rows(
                        self.study,
                        self.execution.backend,
                        b,
                        wanted[r],
                        self.activations,
                        references=self.references,
                        side=self.execution.padding_side,
                    ),
                )
                for row, value in zip(batch, outcomes, strict=True):
                    self.plain[(run, row.unit)] = value
            world = self.index.get(World(run))
            if world is not None:
                for unit in chunk:
                    self._fill(Row(world, run, unit, 0), self.plain[(run, unit)])

    def _reference(self, chunk: Sequence[int]) -> None:
        assert self.references is not None
        for batch in self._batches([Row(-1, "base", unit, 0) for unit in chunk]):
            logits = reference_logits(self.study, self.execution.backend, batch, side=self.execution.padding_side)
            self.references.update({row.unit: one for row, one in zip(batch, logits, strict=True)})

    def _patched(self, chunk: Sequence[int]) -> None:
        pending: list[Row] = []
        for index, world in enumerate(self.study.worlds):
            if world.assignment is None:
                continue
            for unit in chunk:
                if self._changes_nothing(index, world, unit):
                    self.report["null_rows"] += 1
                    self._fill(Row(index, world.run, unit, 0), self.plain[(world.run, unit)])
                    continue
                pending.extend(Row(index, world.run, unit, draw) for draw in range(self.study.draws_of(world)))
        if self.reason is None:
            groups, pending = groups_of(
                self.study, pending, self.placed, tokens=self.tokens, rows_per_pass=self.execution.batch_size
            )
            for group in groups:
                self._fan_out(group)
        for batch in self._batches(pending):
            outcomes = self._outcomes(
                batch,
                lambda b: run_rows(
                    self.study,
                    self.execution.backend,
                    b,
                    self.placed,
                    self.activations,
                    references=self.references,
                    side=self.execution.padding_side,
                ),
            )
            for row, value in zip(batch, outcomes, strict=True):
                self._fill(row, value)

    def _fan_out(self, group: Group) -> None:
        self.report["passes"] += 1
        self.report["fan_out_rows"] += len(group.rows)
        outcomes = run_group(
            self.study,
            self.execution.backend,
            group,
            self.placed,
            self.activations,
            references=self.references,
            prefixes=self.prefixes,
        )
        for row, value in outcomes.items():
            self._fill(row, value)

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        return list(split(rows, self._width, tokens=self.tokens, rows=self.execution.batch_size))

    def _width(self, row: Row) -> int:
        length = self.study.encoding.of(row.run, row.unit).length or 1
        continuation = self.study.prepared.continuation
        return length + (len(continuation[row.unit]) if continuation else 0)

    def _outcomes(self, batch: Sequence[Row], run: Any) -> list[float]:
        self.report["rows"] += len(batch)
        self.report["passes"] += 1
        outcomes: Tensor = halving(run, batch, lambda a, b: torch.cat([a, b]))
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
            self.progress.advance(1)
        else:
            self.values[row.world, row.unit, :] = value
            self.progress.advance(1)

    def _changes_nothing(self, index: int, world: World, unit: int) -> bool:
        """Return True if what would be put in is what is there: the world is then the plain one (consistency).

        That is so to the bit, or because in a causal model base and source read the same tokens up to there.
        """
        for site, what in self.placed[index]:
            if what.needs() != {Donor()}:
                return False
            own = self.activations.get(site, world.run, unit)
            same = own if self._before_divergence(site, world.run, unit) else None
            given = self.activations.given(site, what, world, unit, 0) if same is None else {Donor(): same}
            new = what(own[None], {need: value[None] for need, value in given.items()})[0]
            if not torch.equal(new, own):
                return False
        return bool(self.placed[index])

    def _before_divergence(self, site: Site, run: str, unit: int) -> bool:
        """Return True if a causal model cannot know yet, at these positions, which input it reads."""
        if not self.study.model.is_causal or self.study.encoding.of(run, unit).length is None:
            return False
        positions = [self.study.positions(site, one, unit) for one in ("base", "source")]
        if positions[0] != positions[1] or not positions[0]:
            return False
        if any(self.study.encoding.of(one, unit).features for one in ("base", "source")):
            return False  # the same tokens may stand for other images
        base, source = (self.study.encoding.of(one, unit).ids for one in ("base", "source"))
        assert base is not None
        assert source is not None
        stop = max(positions[0]) + 1
        return torch.equal(base[:stop], source[:stop])


def _units_at_a_time(study: Study) -> int:
    """Return how many units' captured activations are held together: many share passes, few take less memory."""
    numbers = sum(
        len(study.positions(site, run, 0) or (0,)) for run, sites in captures(study).items() for site in sites
    )
    config = getattr(study.model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    width = getattr(config, "hidden_size", None) or 1024
    per_unit = max(1, numbers * width * torch.finfo(study.model.dtype).bits // 8)
    return int(min(_MOST, max(_LEAST, _CAPTURED // per_unit)))
