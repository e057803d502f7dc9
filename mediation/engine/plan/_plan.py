"""A plan: what a study would cost, before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import torch

from ..sizes import PassKind, PassMemory, flops_of, free_bytes, tokens_for, weight_bytes
from ..study import Execution, Study
from ..verify import in_precision
from ._chunks import units_at_a_time
from ._held import held_bytes
from ._needed import naive_flops, needed_of_plain
from ._prices import Prices, prices_of
from ._seconds import Speed, measure
from ._stream import open_stream
from ._sweep_plan import PassCount, SweepPlan
from ._whole import flops_of_a_row

_KINDS: tuple[PassKind, ...] = ("plain", "reference", "again", "fan-out", "rows", "checks")


def plan_studies(
    studies: Sequence[Study], execution: Execution, *, asked: int | None = None, calibrate: bool = True
) -> SweepPlan:
    """Return what studies of one question would cost, one after another; see `plan_study`."""
    first, *others = (plan_study(one, execution, asked=asked, calibrate=calibrate) for one in studies)
    for other in others:
        first = first.and_then(other)
    return first


def plan_study(study: Study, execution: Execution, *, asked: int | None = None, calibrate: bool = True) -> SweepPlan:
    """Return what `run_study` would cost.

    Parameters
    ----------
    study, execution
        As in `run_study`.
    asked
        Worlds before equal ones were joined; None for as many as the study has.
    calibrate
        Run a few small passes, a few seconds at most, and estimate the time of the whole from them.
    """
    study = in_precision(study, execution.precision)
    tokens, units = tokens_for(study), units_at_a_time(study)
    stream = open_stream(study, execution, tokens=tokens, units=units)
    prices = prices_of(study, stream)
    speed = measure(study, stream, prices) if calibrate else None
    counts = {kind: _count(study, prices, kind, speed) for kind in _KINDS}
    model, cost = study.model, prices.cost
    planned = sum(one.flops for one in counts.values())
    rows = sum(study.draws_of(world) for world in study.worlds) * len(study.pairs)
    naive = naive_flops(study, cost) if cost is not None else rows * flops_of_a_row(study)
    # Which logits of a plain module are asked for, and what of it a site leaves to be computed, is not known.
    needed = planned if cost is None else prices.needed + needed_of_plain(study, cost)
    return SweepPlan(
        model=model.name or type(model.module).__name__,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        units=len(study.pairs),
        worlds_asked=len(study.worlds) if asked is None else asked,
        worlds=len(study.worlds),
        rows=rows,
        null_rows=prices.null_rows,
        passes=MappingProxyType({kind: one for kind, one in counts.items() if one.passes}),
        reasons=MappingProxyType(dict(prices.reasons)),
        flops_needed=needed,
        flops_planned=planned,
        flops_naive=naive,
        weight_bytes=weight_bytes(model.module),
        activation_bytes=held_bytes(study, cost, units),
        state_bytes=prices.states_held,
        pass_bytes=max((one.peak_bytes for one in counts.values()), default=0),
        free_bytes=free_bytes(torch.device(model.device)),
        tokens_per_pass=tokens,
        units_at_a_time=units,
        seconds=sum(one.seconds or 0.0 for one in counts.values()) if speed is not None else None,
    )


def _count(study: Study, prices: Prices, kind: PassKind, speed: Speed | None) -> PassCount:
    shapes = [shape for shape in prices.shapes if shape.kind == kind]
    cost = prices.cost
    if cost is None:
        each = flops_of_a_row(study) if shapes else 0
        flops = [shape.entered * each for shape in shapes]
        peak = 0
    else:
        memory = PassMemory(study.model, cost)
        flops = [flops_of(cost, shape) for shape in shapes]
        peak = max((memory.peak(shape) for shape in set(shapes)), default=0)
    seconds = speed.seconds(kind, flops) if speed is not None else None
    return PassCount(len(shapes), sum(shape.outcomes for shape in shapes), sum(flops), peak, seconds)
