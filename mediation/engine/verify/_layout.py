"""Which rows may share a pass: what a row gives beside others is compared with what it gives alone.

A model may let rows depend on their batch: it ignores the mask of the padding, picks a setting by the longest row,
fills up experts, or scales all numbers of a pass by the largest. That is measured, not known by the model's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from ...errors import BackendError, BatchDependenceWarning, warn
from ...sites import Site
from ..backends import HookBackend, Visit, main_tensor
from ..captured import captures
from ..passes import Batch, Row, Selection, batch_of, last_logits, read
from ..sizes import is_out_of_memory, split, tokens_for
from ..study import Execution, Layout, Side, Study

T = TypeVar("T")

_LIMIT = {torch.float64: 1e-6, torch.float32: 1e-4}  # of the largest difference, relative to 1 + the largest number
_HALF = 0.1  # of the root mean square of differences, relative to that of the numbers
_SITES = 3


@final
@dataclass(frozen=True, slots=True)
class Laid(Generic[T]):
    """What was found.

    Attributes
    ----------
    layout
        "padded": rows of any length share passes; "equal length": those of one length do; "alone": none do.
    difference
        How far apart the numbers of a row beside another and alone were, the largest that was seen.
    passes
        The rows of the passes that were made for it.
    """

    layout: Layout = "padded"
    difference: float = 0.0
    passes: list[list[T]] = field(default_factory=list)

    @property
    def account(self) -> dict[str, Any]:
        """What provenance keeps."""
        return {"rows": sum(map(len, self.passes)), "max_abs_difference": self.difference, "layout": self.layout}

    def warn(self, name: str) -> None:
        """Warn that rows of the model `name` depend on each other, if they do."""
        if self.layout == "padded" or self.difference == 0:
            return
        cure = {
            "equal length": "Inputs of equal length share passes, and no others do",
            "alone": "Every row has a pass of its own",
        }[self.layout]
        warn(
            f"{name}: the numbers of a row depend on the rows beside it in a batch (the shortest input next to the "
            f"longest one is {self.difference:.3g} away from itself alone). {cure}; batch_size=1 does the same without "
            "this warning.",
            BatchDependenceWarning,
        )


def find_layout(
    batches_of: Callable[[Layout], list[list[T]]],
    look: Callable[[Sequence[T]], list[Tensor]],
    length: Callable[[T], int],
) -> Laid[T]:
    """Return the layout in which a row gives what it gives alone, by the shortest item beside the longest.

    Parameters
    ----------
    batches_of
        The passes of a run in a layout.
    look
        Runs some items in one pass, and returns numbers of the last.
    length
        Tokens of an item.

    Raises
    ------
    BackendError
        If an item alone does not give the same numbers twice.
    """
    passes: list[list[T]] = []
    worst, alike = 0.0, False

    def run(items: list[T]) -> list[Tensor]:
        passes.append(items)
        return look(items)

    layouts: tuple[Layout, ...] = ("padded", "equal length")
    for layout in layouts:
        if alike:
            break  # rows of equal length have been seen to depend on each other
        pair = _extremes(batches_of(layout), length)
        try:
            alone, beside = run(pair[-1:]), run(pair)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            continue  # what cannot be tried is not done
        near, apart = _near(beside, alone)
        if near:
            return Laid(layout, max(worst, apart), passes)
        _check_repeats(alone, run(pair[-1:]))
        worst, alike = max(worst, apart), length(pair[0]) == length(pair[-1])
    return Laid("alone", worst, passes)


def _extremes(batches: list[list[T]], length: Callable[[T], int]) -> list[T]:
    """Return the longest and the shortest of the items that are padded to run together.

    Where nothing is padded, the first and the last of the largest batch, or one item if none has company.
    """
    mixed = [item for batch in batches if len(set(map(length, batch))) > 1 for item in batch]
    if mixed:
        return [max(mixed, key=length), min(mixed, key=length)]
    largest = max(batches, key=len)
    return [largest[0], largest[-1]] if len(largest) > 1 else [largest[0]]


def _near(found: Sequence[Tensor], expected: Sequence[Tensor]) -> tuple[bool, float]:
    """Return True if numbers are those that are expected, up to rounding, and the largest difference."""
    worst, near = 0.0, True
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            return False, float("inf")
        if not one.numel():
            continue
        apart = (one.double() - other.double()).nan_to_num(float("inf"), float("inf"), float("inf")).abs()
        apart[(one == other) | (one.isnan() & other.isnan())] = 0
        worst = max(worst, float(apart.max()))
        limit = _LIMIT.get(one.dtype)
        if limit is not None:
            near &= float(apart.max()) <= limit * (1 + float(other.abs().max()))
        else:
            near &= float(apart.square().mean()) <= _HALF**2 * float(other.double().square().mean())
    return near, worst


def _check_repeats(first: Sequence[Tensor], second: Sequence[Tensor]) -> None:
    near, apart = _near(first, second)
    if not near:
        raise BackendError(random_model(apart))


def random_model(apart: float) -> str:
    """Return what is said of a model that gives one input different numbers, `apart` from each other."""
    return (
        f"One input, run twice by itself, gives numbers {apart:.3g} apart: the model draws at random in evaluation "
        "mode too, as a dropout does that ignores `self.training`. Nothing is reported, since no difference between "
        "two passes would mean anything. Make the model deterministic while it is studied."
    )


def lay_out(study: Study, execution: Execution) -> tuple[Execution, Laid[Row]]:
    """Return how a study is run so that rows do not depend on each other, and what was found."""
    runs = [run for run, sites in captures(study).items() if sites or any(one.run == run for one in study.worlds)]
    rows = [[Row(-1, run, unit, 0) for unit in range(len(study.pairs))] for run in runs]
    if study.model.is_language_model:  # plain modules may take inputs of other shapes in the other run
        rows = [[row for some in rows for row in some]]
    most = 1 if execution.backend.name == "reference" else execution.batch_size
    tokens, length = tokens_for(study), partial(_length, study)

    def batches_of(layout: Layout) -> list[list[Row]]:
        return [one for some in rows for one in split(some, length, tokens=tokens, rows=most, layout=layout)]

    laid = lay_out_rows(study, execution.padding_side, batches_of)
    grows = execution.fan_out and laid.layout != "alone"
    return replace(execution, layout=laid.layout, fan_out=grows), laid


def lay_out_rows(study: Study, side: Side, batches_of: Callable[[Layout], list[list[Row]]]) -> Laid[Row]:
    """Return the layout of plain rows of a study; see `find_layout`.

    What is compared are the logits that are read, or a plain module's output, and activations at the first, a middle
    and the last site. Plain hooks run them: a fault of a backend is none of the model.
    """
    return find_layout(batches_of, partial(_look, study, side), partial(_length, study))


def _length(study: Study, row: Row) -> int:
    return study.length(row.run, row.unit)


def _look(study: Study, side: Side, rows: Sequence[Row]) -> list[Tensor]:
    """Run rows plain in one pass; return the numbers of the last."""
    batch, kept = batch_of(study, rows, side), list[Tensor]()
    sites = sorted(_sites_of(study, rows[-1]), key=lambda site: study.when(study.places[site]))
    picked = [sites[i] for i in sorted({0, len(sites) // 2, len(sites) - 1})] if sites else []
    visits = [_visit(study, site, rows, batch, kept) for site in picked]
    if study.model.is_language_model:
        extra, logits_of = last_logits(study, batch, [(row.run, row.unit) for row in rows])
        finish: Callable[[Any], Tensor] = lambda output: logits_of(output)[-1]  # noqa: E731
    else:
        extra, finish = {}, partial(_last_of, study, rows)
    return [HookBackend().forward(study.model, {**batch.inputs, **extra}, visits, finish), *kept]


def _sites_of(study: Study, row: Row) -> list[Site]:
    """Return the sites that a run of a row's input is read or changed at."""
    changed = {site for one in study.worlds if one.run == row.run for site, _ in study.placed(one)}
    sites = [site for site in study.places if site in changed or site in captures(study).get(row.run, ())]
    return [site for site in sites if study.positions(site, row.run, row.unit) != ()]


def _visit(study: Study, site: Site, rows: Sequence[Row], batch: Batch, kept: list[Tensor]) -> Visit:
    place, row = study.places[site], rows[-1]
    positions = study.positions(site, row.run, row.unit)
    last = Selection(place, (len(rows) - 1,), None if positions is None else (positions,))
    return Visit(place.path, place.io, lambda activation: kept.append(read(activation, last, batch)[0].clone()))


def _last_of(study: Study, rows: Sequence[Row], output: Any) -> Tensor:
    """Return the last row of a plain module's output; its outcomes, where the output has no rows."""
    tensor = main_tensor(output)
    if tensor is not None and tensor.ndim and len(tensor) == len(rows):
        return tensor[-1].clone()
    units = torch.tensor([row.unit for row in rows])
    return torch.stack([part.read(output, units, None)[-1] for part in study.prepared.each])
