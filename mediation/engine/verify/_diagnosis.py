"""Why a self-check failed: where the model is the cause, the error says so and does not blame the backend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import BackendError
from ..backends import HookBackend
from ..oracle import Reference
from ..passes import Row, batch_of, readout, reference_logits
from ..study import Execution, Study, World, tolerance
from ._check import FailedCheckError
from ._layout import random_model

_BESIDE = 63  # rows beside the one that failed


@contextmanager
def explained(study: Study, execution: Execution) -> Iterator[None]:
    """Let errors of self-checks name the cause, where it is found: a random model, or rows that depend on others."""
    try:
        yield
    except FailedCheckError as failed:
        cause = _cause(study, execution, failed)
        if cause is None:
            raise
        raise BackendError(f"{failed.what} {cause}") from None


def _cause(study: Study, execution: Execution, failed: FailedCheckError) -> str | None:
    if study.prepared.reader is not None:
        return None
    reference, world = Reference(study), World(failed.run)  # type: ignore[arg-type]
    alone, again = (reference.outcome(world, failed.unit) for _ in range(2))
    if not _close(study, alone, again):
        return random_model(abs(alone - again))
    cut = _beside(study, execution, [Row(-1, failed.run, failed.unit, 0)])
    if not _close(study, cut, alone):
        return (
            f"The plain outcome of that input is {alone:.6g}, and {cut:.6g} where the logits of the last token alone "
            "are computed: numbers of this model depend on whatever else shares a pass, as where activations are "
            "quantised by the largest of them. Nothing is reported. Run it by backend='reference', or unquantised."
        )
    if execution.batch_size == 1 or execution.backend.name == "reference":
        return None
    length = study.length(failed.run, failed.unit)
    others = [unit for unit in range(len(study.pairs)) if study.length(failed.run, unit) == length]
    units = [*[unit for unit in others if unit != failed.unit][:_BESIDE], failed.unit]
    beside = _beside(study, execution, [Row(-1, failed.run, unit, 0) for unit in units])
    if _close(study, beside, alone):
        return None
    return (
        f"The plain outcome of that input is {alone:.6g} alone and {beside:.6g} beside {len(units) - 1} others: rows "
        "of this model depend on the rows beside them. Nothing is reported. Run each by itself: batch_size=1."
    )


def _beside(study: Study, execution: Execution, rows: list[Row]) -> float:
    """Return the plain outcome of the last of some rows of one length, from one pass with plain hooks."""
    backend, batch = HookBackend(), batch_of(study, rows, execution.padding_side)
    logits = None
    if study.prepared.uses_reference:
        logits = reference_logits(study, backend, [row._replace(run="base") for row in rows])
    extra, visits, finish = readout(study, batch, [(row.run, row.unit) for row in rows], logits)
    return float(backend.forward(study.model, {**batch.inputs, **extra}, visits, finish)[-1])


def _close(study: Study, value: float, expected: float) -> bool:
    return abs(value - expected) <= tolerance(study.model) * (1 + abs(expected))
