"""From a model's output to outcomes: which logits are kept, and their reduction inside the pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import OutcomeError
from ...outcomes import Prepared, wide
from ...sites import positions_of
from ..backends import Visit, main_tensor
from ..study import Study
from ._inputs import Batch
from ._unembed import narrowed

Finish = Callable[[Any], Tensor]
Pick = Callable[[Tensor], Tensor]  # from (rows, positions, numbers) to the positions that an outcome reads
Rows = Sequence[tuple[str, int]]


def reading(study: Study, batch: Batch, rows: Rows, reference: Tensor | None = None) -> tuple[dict[str, Any], Finish]:
    """Return the extra arguments of the pass, and the function from its output to ``(rows, outcomes)``.

    Parameters
    ----------
    rows
        ``(run, unit)`` of each row of the batch.
    reference
        Logits of the plain base run of each row's unit, where an outcome asks for them.
    """
    extra, picks = _picks(study, batch, rows)
    return extra, _finish(study, rows, picks, reference)


def readout(
    study: Study, batch: Batch, rows: Rows, reference: Tensor | None = None
) -> tuple[dict[str, Any], list[Visit], Finish]:
    """Return what `reading` does, from the logits that are asked for alone where that is possible.

    The visits come after all others of the pass.
    """
    extra, picks = _picks(study, batch, rows)
    return extra, *_read(study, rows, picks, reference, narrow=batch.width > 0)


def read_tails(study: Study, rows: Rows, reference: Tensor | None) -> tuple[list[Visit], Finish]:
    """Return what `readout` does where every row ends at the last position, and everything is read there."""
    picks = [_tail(study, part, [unit for _, unit in rows]) for part in study.prepared.each]
    return _read(study, rows, picks, reference, narrow=True)


def _read(
    study: Study, rows: Rows, picks: Sequence[Pick], reference: Tensor | None, *, narrow: bool
) -> tuple[list[Visit], Finish]:
    found = narrowed(study, [unit for _, unit in rows], picks) if narrow else None
    return found if found is not None else ([], _finish(study, rows, picks, reference))


def _finish(study: Study, rows: Rows, picks: Sequence[Pick], reference: Tensor | None) -> Finish:
    numbers, language = torch.tensor([unit for _, unit in rows]), study.model.is_language_model

    def outcome(part: Prepared, pick: Pick, output: Any) -> Tensor:
        if part.raw and not language:
            return part.read(output, numbers, None)
        logits = pick(_found(output))
        if part.of_input:
            return part.read(_of_input(study, part, rows, logits), numbers, None)
        return part.read(logits[:, -1] if part.raw else logits, numbers, reference)

    def finish(output: Any) -> Tensor:
        each = zip(study.prepared.each, picks, strict=True)
        return torch.stack([outcome(part, pick, output) for part, pick in each], dim=1)

    return finish


def last_logits(study: Study, batch: Batch, rows: Rows) -> tuple[dict[str, Any], Finish]:
    """Return the extra arguments and the function from an output to the logits ``(rows, vocabulary)`` that are read.

    Of several outcomes, those of the one that compares with the base run, or of the first.
    """
    extra, picks = _picks(study, batch, rows)
    pick = picks[study.prepared.each.index(study.prepared.compared)]
    return extra, lambda output: pick(_found(output))[:, -1].clone()


def _picks(study: Study, batch: Batch, rows: Rows) -> tuple[dict[str, Any], list[Pick]]:
    """Return extra arguments, and for each outcome what it reads of a sequence: logits, or hidden states."""
    model, prepared = study.model, study.prepared
    if batch.width == 0:
        return {}, [_as_sequence for _ in prepared.each]
    if prepared.at_last and model.is_causal and _is_flush(study, batch, rows):
        cut = "logits_to_keep" in model.forward_names and not sees_logits(study)
        extra = {"logits_to_keep": prepared.kept} if cut else {}
        return extra, [_tail(study, part, [unit for _, unit in rows]) for part in prepared.each]
    return {}, [_gather(torch.tensor(_read_positions(study, part, batch, rows))) for part in prepared.each]


def _tail(study: Study, part: Prepared, units: Sequence[int]) -> Pick:
    """Return what an outcome reads where every row ends at the last position, with what is appended to it."""
    appended = study.prepared.continuation
    if appended is None or part.continuation is not None:
        return lambda values: values[:, -part.kept :]
    return _gather(torch.tensor([[-1 - len(appended[unit])] for unit in units]))


def _gather(index: Tensor) -> Pick:
    """Return what gives the positions `index` ``(rows, kept)``."""

    def pick(values: Tensor) -> Tensor:
        if values.ndim == 2:
            return values[:, None]
        return values[torch.arange(len(values), device=values.device)[:, None], index.to(values.device)]

    return pick


def _is_flush(study: Study, batch: Batch, rows: Rows) -> bool:
    """Return True if every row ends at the last position of the batch."""
    return all(
        start + length + _added(study.prepared, unit) == batch.width
        for start, length, (_, unit) in zip(batch.starts, batch.lengths, rows, strict=True)
    )


def sees_logits(study: Study) -> bool:
    """Return True if a site may lie after the point where a model drops positions whose logits are not asked for."""
    known = study.model.architecture
    inside = "" if known is None else f"{known.layers}."
    return any(site.kind == "module" and not site.module.startswith(inside or "?") for site in study.places)


def _added(prepared: Prepared, unit: int) -> int:
    return len(prepared.continuation[unit]) if prepared.continuation else 0


def _where(study: Study, part: Prepared, run: str, unit: int) -> tuple[int, ...]:
    encoded = study.encoding.of(run, unit)
    return positions_of(part.at, encoded.length or 0, encoded.spans, f"{run} input of unit {unit}")


def _of_input(study: Study, part: Prepared, rows: Rows, logits: Tensor) -> Tensor:
    """Return ``(rows, 2)``: the sum of the log-probabilities of the tokens that inputs have somewhere, and how many.

    `logits` are those one position before each, in the last positions of ``(rows, kept, vocabulary)``.
    """
    targets = torch.zeros(logits.shape[:2], dtype=torch.long)
    counted = torch.zeros(logits.shape[:2], dtype=torch.bool)
    for row, (run, unit) in enumerate(rows):
        where, ids = _where(study, part, run, unit), study.encoding.of(run, unit).ids
        assert ids is not None
        targets[row, -len(where) :], counted[row, -len(where) :] = ids[list(where)], True
    logs = torch.log_softmax(wide(logits), dim=-1).gather(-1, targets.to(logits.device)[..., None])[..., 0]
    counted = counted.to(logits.device)
    return torch.stack([torch.where(counted, logs, torch.zeros_like(logs)).sum(-1), counted.sum(-1)], dim=1)


def _read_positions(study: Study, part: Prepared, batch: Batch, rows: Rows) -> list[list[int]]:
    """Return the positions of a batch that an outcome reads, as many in each row; the last ones are its own."""
    each = [_where(study, part, *row) for row in rows]
    if part.of_input:
        most = max(map(len, each))
        before = [[start + at - 1 for at in where] for start, where in zip(batch.starts, each, strict=True)]
        return [[0] * (most - len(where)) + where for where in before]
    found = []
    for row, ((_, unit), where) in enumerate(zip(rows, each, strict=True)):
        if len(where) != 1:
            raise OutcomeError(
                f"The outcome is read at = {part.at!r}, which is {len(where)} tokens in unit {unit}; one is needed."
            )
        end = batch.starts[row] + where[0] + _added(part, unit)
        found.append([max(end - back, 0) for back in range(part.kept - 1, -1, -1)])
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
