"""From a model's output to outcomes: which logits are kept, and their reduction inside the pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import OutcomeError
from ..backends import Visit, main_tensor
from ..study import Study
from ._inputs import Batch
from ._unembed import narrowed

Finish = Callable[[Any], Tensor]


def reading(
    study: Study, batch: Batch, rows: Sequence[tuple[str, int]], reference: Tensor | None = None
) -> tuple[dict[str, Any], Finish]:
    """Return the extra arguments of the pass, and the function from its output to ``(rows,)``.

    Parameters
    ----------
    rows
        ``(run, unit)`` of each row of the batch.
    reference
        Logits of the plain base run of each row's unit, where the outcome asks for them.
    """
    units = torch.tensor([unit for _, unit in rows])
    extra, logits_of = _logits(study, batch, rows)

    def finish(output: Any) -> Tensor:
        prepared = study.prepared
        if prepared.raw and not study.model.is_language_model:
            return prepared.reduce(output, units, None)
        logits = logits_of(output)
        return prepared.reduce(logits[:, -1] if prepared.raw else logits, units, reference)

    return extra, finish


def readout(
    study: Study, batch: Batch, rows: Sequence[tuple[str, int]], reference: Tensor | None = None
) -> tuple[dict[str, Any], list[Visit], Finish]:
    """Return what `reading` does, from the logits that are asked for alone where that is possible.

    The visits come after all others of the pass.
    """
    if study.prepared.asked is not None and study.unembedding is not None and batch.width > 0:
        extra, pick = _picked(study, batch, rows)
        found = narrowed(study, [unit for _, unit in rows], pick)
        if found is not None:
            return extra, *found
    extra, finish = reading(study, batch, rows, reference)
    return extra, [], finish


def _picked(
    study: Study, batch: Batch, rows: Sequence[tuple[str, int]]
) -> tuple[dict[str, Any], Callable[[Tensor], Tensor]]:
    """Return extra arguments, and the function from hidden states to those that are read, ``(rows, 1, features)``."""
    if study.prepared.at == "last" and _is_flush(study, batch, rows) and study.model.is_causal:
        cut = "logits_to_keep" in study.model.forward_names
        return ({"logits_to_keep": 1} if cut else {}), lambda hidden: hidden[:, -1:]
    index = torch.tensor(_read_positions(study, batch, rows))
    return {}, lambda hidden: _at(hidden, index)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return the positions `index` ``(rows, kept)`` of `values`."""
    return values[torch.arange(len(values), device=values.device)[:, None], index.to(values.device)]


def _is_flush(study: Study, batch: Batch, rows: Sequence[tuple[str, int]]) -> bool:
    """Return True if every row ends at the last position of the batch."""
    return batch.width > 0 and all(
        start + length + _added(study, unit) == batch.width
        for start, length, (_, unit) in zip(batch.starts, batch.lengths, rows, strict=True)
    )


def last_logits(study: Study, batch: Batch, rows: Sequence[tuple[str, int]]) -> tuple[dict[str, Any], Finish]:
    """Return the extra arguments and the function from an output to the logits ``(rows, vocabulary)`` that are read."""
    extra, logits_of = _logits(study, batch, rows)
    return extra, lambda output: logits_of(output)[:, -1].clone()


def _logits(study: Study, batch: Batch, rows: Sequence[tuple[str, int]]) -> tuple[dict[str, Any], Finish]:
    model, prepared = study.model, study.prepared
    kept = prepared.kept
    if prepared.at == "last" and _is_flush(study, batch, rows) and model.is_causal:
        cut = "logits_to_keep" in model.forward_names and not sees_logits(study)
        extra = {"logits_to_keep": kept} if cut else {}
        return extra, lambda output: _found(output)[:, -kept:]
    if batch.width == 0:
        return {}, lambda output: _as_sequence(_found(output))
    index = torch.tensor(_read_positions(study, batch, rows))

    def gather(output: Any) -> Tensor:
        logits = _found(output)
        if logits.ndim == 2:
            return logits[:, None]
        return _at(logits, index)

    return {}, gather


def sees_logits(study: Study) -> bool:
    """Return True if a site may lie after the point where a model drops positions whose logits are not asked for."""
    known = study.model.architecture
    inside = "" if known is None else f"{known.layers}."
    return any(site.kind == "module" and not site.module.startswith(inside or "?") for site in study.places)


def _added(study: Study, unit: int) -> int:
    continuation = study.prepared.continuation
    return len(continuation[unit]) if continuation else 0


def _read_positions(study: Study, batch: Batch, rows: Sequence[tuple[str, int]]) -> list[list[int]]:
    from ...sites import positions_of

    kept, found = study.prepared.kept, []
    for row, (run, unit) in enumerate(rows):
        encoded = study.encoding.of(run, unit)
        at = study.prepared.at
        where = positions_of(at, encoded.length or 0, encoded.spans, f"{run} input of unit {unit}")
        if len(where) != 1:
            raise OutcomeError(
                f"The outcome is read at = {at!r}, which is {len(where)} tokens in unit {unit}; one is needed."
            )
        end = batch.starts[row] + where[0] + _added(study, unit)
        found.append([max(end - back, 0) for back in range(kept - 1, -1, -1)])
    return found


def _found(output: Any) -> Tensor:
    logits = getattr(output, "logits", None)
    tensor = logits if isinstance(logits, Tensor) else main_tensor(output)
    if tensor is None:
        raise OutcomeError(
            f"The model's output is {type(output).__name__}, which holds no tensor first. Write the outcome as "
            "a function of it: @med.outcome."
        )
    return tensor


def _as_sequence(tensor: Tensor) -> Tensor:
    if tensor.ndim == 1:
        raise OutcomeError(
            f"The model's output has shape {tuple(tensor.shape)}, one number a row, and this outcome picks among "
            "several. Write the outcome as a function of the output: @med.outcome."
        )
    return tensor[:, None] if tensor.ndim == 2 else tensor
