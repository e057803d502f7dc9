"""Why a self-check failed: where the model is the cause, the error says so and does not blame the backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

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
    alone, again = (reference.outcomes(world, failed.unit) for _ in range(2))
    apart = _apart(study, alone, again)
    if apart is not None:
        return random_model(abs(apart[0] - apart[1]))
    cut = _beside(study, execution, [Row(-1, failed.run, failed.unit, 0)])
    apart = _apart(study, alone, cut)
    if apart is not None:
        return (
            f"The plain outcome of that input is {apart[0]:.6g}, and {apart[1]:.6g} where the logits of the last token "
            "alone are computed: numbers of this model depend on whatever else shares a pass, as where activations are "
            "quantised by the largest of them. Nothing is reported. Run it by backend='reference', or unquantised."
        )
    if execution.batch_size == 1 or execution.backend.name == "reference":
        return None
    length = study.length(failed.run, failed.unit)
    others = [unit for unit in range(len(study.pairs)) if study.length(failed.run, unit) == length]
    units = [*[unit for unit in others if unit != failed.unit][:_BESIDE], failed.unit]
    beside = _beside(study, execution, [Row(-1, failed.run, unit, 0) for unit in units])
    apart = _apart(study, alone, beside)
    if apart is None:
        return None
    return (
        f"The plain outcome of that input is {apart[0]:.6g} alone and {apart[1]:.6g} beside {len(units) - 1} others: "
        "rows of this model depend on the rows beside them. Nothing is reported. Run each by itself: batch_size=1."
    )


def _beside(study: Study, execution: Execution, rows: list[Row]) -> list[float]:
    """Return the plain outcomes of the last of some rows of one length, from one pass with plain hooks."""
    backend, batch = HookBackend(), batch_of(study, rows, execution.padding_side)
    logits = None
    if study.prepared.uses_reference:
        logits = reference_logits(study, backend, [row._replace(run="base") for row in rows])
    extra, visits, finish = readout(study, batch, [(row.run, row.unit) for row in rows], logits)
    found: Tensor = backend.forward(study.model, {**batch.inputs, **extra}, visits, finish)
    return found[-1].tolist()


def _apart(study: Study, alone: Sequence[float], other: Sequence[float]) -> tuple[float, float] | None:
    """Return the first outcome that is another, both times; None if all are the same up to rounding."""
    each = zip(alone, other, strict=True)
    return next((one for one in each if not abs(one[1] - one[0]) <= tolerance(study.model) * (1 + abs(one[0]))), None)
