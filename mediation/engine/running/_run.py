"""Run a study: capture, skip what changes nothing, run the rest in batches, check a few by the naive path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...models import in_use
from .._progress import Progress
from ..backends import ReferenceBackend
from ..checkpoint import Pieces
from ..plan import units_at_a_time
from ..sizes import tokens_for
from ..study import Execution, Study, World
from ..verify import check_fed, explained, in_precision, lay_out
from ._runner import Runner


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
        If patching a unit with itself changes its outcome, a recomputed cell does not agree, the model is random, or
        it is fed other tokens or arguments than tokenizer and processor make of an input.
    OutcomeError
        If an outcome is NaN or infinite.
    DesignError, DataError, BackendError
        If the folder ``execution.out`` holds something else, is in use, or cannot be written.

    Warns
    -----
    BatchDependenceWarning
        If rows depend on each other, so that fewer of them share a pass.
    """
    asked, study = study, in_precision(study, execution.precision)
    size = {"tokens": tokens_for(study), "units": units_at_a_time(study)}
    check_fed(study.model, study.pairs, study.encoding, seed=study.seed)
    with in_use(study.model), torch.no_grad(), Pieces(study, execution, size) as pieces, explained(study, execution):
        execution, laid = lay_out(study, execution)
        laid.warn(type(study.model.module).__name__)
        runner = Runner(study, execution, progress, pieces)
        if isinstance(execution.backend, ReferenceBackend):
            runner.run_naively()
        else:
            runner.run()
    return Finished(asked, runner.values, {**runner.report, "batching": laid.account})
