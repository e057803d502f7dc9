"""Run a study: the stream of its passes, one after another, and the checks that come with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...models import in_use
from .._progress import Progress
from ..checkpoint import Pieces
from ..passes import Index
from ..plan import Split, Stream, open_stream, split_of
from ..session import Pass
from ..study import Execution, Study, World
from ..verify import FailedCheckError, check_fed, explained, in_precision
from ._abstract import AbstractExecutor, executor_from, outcomes_of, unchanged_of
from ._executor import Executor
from ._ledger import Ledger

_NOTHING = {"cells": 0, "max_abs_difference": 0.0}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Outcomes of a study.

    Attributes
    ----------
    every
        ``(worlds, units, draws, outcomes)``; worlds that are not random have the same number in every draw.
    report
        What was run and checked, for provenance.
    left_out
        Units that cannot be compared, and why.
    """

    study: Study
    every: NDArray[np.float64]
    report: dict[str, Any]
    left_out: Mapping[int, str] = field(default_factory=dict)

    @property
    def kept(self) -> list[int]:
        """The units that effects are of."""
        return [unit for unit in range(len(self.study.pairs)) if unit not in self.left_out]

    @property
    def values(self) -> NDArray[np.float64]:
        """Those of the first outcome, ``(worlds, units, draws)``; of a study of one, all."""
        return self.every[..., 0]

    @property
    def apart(self) -> tuple[Finished, ...]:
        """Each outcome by itself, as a study of that one would give it."""
        if not self.study.prepared.parts:
            return (self,)
        return tuple(
            Finished(
                replace(self.study, prepared=part),
                self.every[..., at : at + 1],
                {name: _of_outcome(value, at) for name, value in self.report.items()},
                self.left_out,
            )
            for at, part in enumerate(self.study.prepared.parts)
        )

    def of(self, world: World) -> NDArray[np.float64]:
        """Return the first outcome of a world, ``(units, draws)``."""
        found: NDArray[np.float64] = self.values[self.study.worlds.index(world)]
        return found


def _of_outcome(value: Any, at: int) -> Any:
    """Return what a report says of one outcome: its own of numbers by outcome, the same of all else."""
    if isinstance(value, dict) and "by_outcome" in value:
        return {"cells": value["cells"], "max_abs_difference": value["by_outcome"][at]}
    return value[at] if isinstance(value, list) else value


Through = Callable[[AbstractExecutor], AbstractExecutor]


def run_study(
    study: Study, execution: Execution, progress: Progress, *, through: Through = lambda inner: inner
) -> Finished:
    """Run every world of `study` on every unit and draw.

    Parameters
    ----------
    study, execution, progress
        What is run, how, and who is told of it.
    through
        From the executor of this process to the one that runs the passes.

    Raises
    ------
    BackendError
        If patching a unit with itself changes its outcome, a recomputed cell does not agree, the model is random, or
        it is fed other tokens or arguments than tokenizer and processor make of an input; or if an executor gives
        something else than the outcomes of a pass.
    OutcomeError
        If an outcome is NaN or infinite.
    DesignError, DataError, BackendError
        If the folder ``execution.out`` holds something else, is in use, or cannot be written; DesignError also if
        `through` makes no executor.

    Warns
    -----
    BatchDependenceWarning
        If rows depend on each other, so that fewer of them share a pass.
    """
    asked, study = study, in_precision(study, execution.precision)
    split = split_of(study)._asdict()
    check_fed(study.model, study.pairs, study.encoding, seed=study.seed)
    with (
        in_use(study.model),
        torch.no_grad(),
        Pieces(study, execution, split) as pieces,
        explained(study, execution),
    ):
        stream = open_stream(study, execution, Split(**pieces.split))
        stream.laid.warn(type(study.model.module).__name__)
        run = _Run(study, stream, progress, pieces, through)
        run.all()
    return Finished(asked, run.ledger.values, {**run.report, "batching": stream.laid.account})


@final
class _Run:
    """One run: the stream asks it what only a run can know."""

    def __init__(self, study: Study, stream: Stream, progress: Progress, pieces: Pieces, through: Through) -> None:
        self._study, self._stream, self._progress, self._pieces = study, stream, progress, pieces
        backend = stream.execution.backend.name
        self.ledger = Ledger(study, progress, backend)
        self.local = Executor(study, stream.execution, stream.planner, pieces)
        self.executor = executor_from(through, self.local)
        self.report: dict[str, Any] = {"backend": backend}

    def all(self) -> None:
        """Run the stream to its end."""
        total = sum(self._study.draws_of(world) for world in self._study.worlds) * len(self._study.pairs)
        self._progress.start(total, "runs")
        ledger, local, naive = self.ledger, self.local, self._stream.naive
        before = ""
        for one in self._stream.outcomes(self):
            if before == "consistency" != one.check:
                self._pieces.keep_note(before, ledger.checks[before])
            before = one.check
            self._take(one)
        checks = {name: {"cells": 0} if naive else dict(_NOTHING) for name in ("consistency", "sample")}
        ledger.checks = {**checks, **ledger.checks}
        patched = ledger.settle_self_patches(local.oracle if naive else None)
        settled = {} if naive else ledger.settle()
        for one in self._stream.sample():
            self._take(one)
        self.report |= {**local.report, **ledger.checks, **patched, **settled, **self._pieces.report}
        self.report["fan_out"] = self._stream.reason or "used"
        if local.out_of_memory is not None:
            self.report["out_of_memory"] = local.out_of_memory
        self._progress.close()

    def _take(self, one: Pass) -> None:
        try:
            self.ledger.take(one, outcomes_of(self.executor, one, self.ledger.plain.shape[-1]))
        except FailedCheckError:
            self.local.run_waiting()  # which tells whether the model is the one that the run began with
            raise

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run, and fill them in."""
        found = unchanged_of(self.executor, worlds, units)
        self.ledger.fill_plain(worlds, list(units), found)
        return found

    def checked(self, check: str) -> bool:
        """Return True if an earlier run of the same folder has made a check."""
        found = self._pieces.note(check)
        if found is not None:
            self.ledger.checks[check] = found
        return found is not None
