"""The size of each pass of a stream."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..fanout import Group
from ..oracle import captures_with_few_logits
from ..passes import MOST_OF_VOCABULARY, Cells, sees_logits
from ..session import Pass
from ..sizes import ModelCost, PassKind, PassShape
from ..study import Execution, Study


def shapes_of(one: Pass, cost: ModelCost | None, execution: Execution) -> list[PassShape]:
    """Return the shapes of a pass: one, and that of the plain base run beside it where the naive path needs its logits.

    Parameters
    ----------
    cost
        Sizes of the model; None for a module whose blocks are not known.
    """
    study, kind = one.study, kind_of(one)
    if one.group is not None and cost is not None:
        return [_of_group(study, cost, one.group, kind)]
    if one.kind == "again" and cost is not None:
        return [_again(cost, one, kind)]
    if not one.alone:
        return [shape_of(study, cost, one.cells, kind, execution)]
    if one.sites:
        few = captures_with_few_logits(study)
        return [shape_of(study, cost, one.cells, kind, execution, cut=False, read=1 if few else None)]
    runs = [one.cells]
    if study.prepared.uses_reference and one.check:
        runs.append(Cells.plain(0, one.cells.unit.tolist()))
    return [shape_of(study, cost, cells, kind, execution, cut=False) for cells in runs]


def kind_of(one: Pass) -> PassKind:
    """Return under which heading a pass is counted."""
    return "checks" if one.check else one.kind


def shape_of(
    study: Study,
    cost: ModelCost | None,
    cells: Cells,
    kind: PassKind,
    execution: Execution,
    *,
    cut: bool = True,
    read: int | None = None,
    like: PassKind | None = None,
) -> PassShape:
    """Return the shape of one padded batch.

    Parameters
    ----------
    cut
        Compute only logits that are read, where the model can.
    read
        Tokens of a row whose logits are computed; None for what the outcome reads.
    like
        The kind whose logits it computes; None for its own.
    """
    lengths = [study.length(run, unit) for run, unit in cells.lanes]
    width, n = max(lengths), len(lengths)
    last = cut and _reads_last_only(study, lengths, execution.padding_side)
    narrow = cut and cost is not None and (like or kind) != "reference"
    columns = asked_columns(study, cost, cells.unit.tolist()) if narrow and cost is not None else None
    computed = 1 if columns is not None else study.prepared.kept if last else width
    return PassShape(
        kind=kind,
        alive=(n,) * (len(cost.blocks) if cost is not None else 0),
        queries=width,
        keys=width,
        entered=n,
        left=n,
        outcomes=n,
        read=computed if read is None else read,
        columns=columns,
    )


def asked_columns(study: Study, cost: ModelCost, units: Sequence[int]) -> int | None:
    """Return how many logits of a token a pass computes: those that its units ask for; None for all."""
    asked = [part.asked for part in study.prepared.each if part.asked is not None]
    if study.unembedding is None or len(asked) < len(study.prepared.each):
        return None
    numbers = torch.tensor(sorted(set(units)))
    columns = [len(torch.unique(one[numbers])) for one in asked]
    return sum(columns) if max(columns) <= MOST_OF_VOCABULARY * cost.vocabulary else None


def _of_group(study: Study, cost: ModelCost, group: Group, kind: PassKind) -> PassShape:
    """Return the shape of a growing pass: rows of each block, on the tokens from the first changed one on."""
    blocks = len(cost.blocks)
    alive = group.alive(blocks + 1)
    columns = asked_columns(study, cost, [unit for _, unit in group.lanes])
    return PassShape(
        kind=kind,
        alive=tuple(alive[:blocks]),
        queries=group.suffix,
        keys=group.length,
        entered=alive[0],
        left=alive[blocks],
        outcomes=group.worlds.size,
        read=study.prepared.kept if columns is None else 1,
        columns=columns,
        lanes=len(group.lanes),
    )


def _again(cost: ModelCost, one: Pass, kind: PassKind) -> PassShape:
    n, length = len(one.cells), one.study.length(*one.cells.lanes[0])
    return PassShape(
        kind=kind,
        alive=(n,) * len(cost.blocks),
        queries=length,
        keys=length,
        entered=n,
        left=n,
        outcomes=0,
        read=1,
    )


def _reads_last_only(study: Study, lengths: Sequence[int], side: str) -> bool:
    """Return True if the model is asked for the logits of the last tokens alone; see `reading`."""
    model = study.model
    names = model.forward_names
    left = side == "left" and "attention_mask" in names and model.dtype != torch.float64
    flush = left or len(set(lengths)) == 1
    known = model.is_causal and "logits_to_keep" in names and study.prepared.at_last
    return known and flush and not sees_logits(study)
