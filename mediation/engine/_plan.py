"""A plan: what a study would cost, before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import torch

from ._cost import PassKind, flops_of
from ._held import held_bytes
from ._memory import PassMemory, free_bytes, weight_bytes
from ._needed import naive_flops, needed_by
from ._plan_text import table
from ._precision import in_precision
from ._schedule import Schedule, schedule_of
from ._seconds import Speed, measure
from ._study import Study
from ._whole import flops_of_a_row

if TYPE_CHECKING:
    import pandas as pd

    from ._run import Execution

_KINDS: tuple[PassKind, ...] = ("plain", "reference", "again", "fan-out", "rows", "checks")


@final
@dataclass(frozen=True, slots=True)
class PassCount:
    """Passes of one kind.

    Attributes
    ----------
    passes, outcomes
        How many passes, and how many outcomes they give.
    flops
        What they compute.
    peak_bytes
        Memory of the largest one, beside the weights and what is held.
    seconds
        Time that they are expected to take; None without calibration.
    """

    passes: int
    outcomes: int
    flops: int
    peak_bytes: int
    seconds: float | None


@final
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweepPlan:
    """What a sweep would cost. Print it for a table.

    Attributes
    ----------
    model, device, dtype
        What would run.
    units, worlds_asked, worlds
        Units; worlds that the estimands ask for at every site, and those that are left once equal ones are joined.
    rows
        Outcomes in all: worlds x units x draws.
    null_rows
        Of these, cells known to change nothing, which are not run. A run may find more.
    passes
        Passes by kind: "plain" runs of base and source; "reference", the logits that `KL` compares with; "again",
        plain runs whose states are not held any more; "fan-out"; "rows", padded batches of full inputs; "checks" that
        every run makes.
    reasons
        Why rows do not fan out, and how many.
    flops_needed
        The least that the numbers cost: two plain runs a unit; for each changed row only tokens from the position on,
        only layers above the site, only pairs that a causal mask leaves, only logits that the outcome asks for.
    flops_planned
        What the passes compute, padding and masked pairs included.
    flops_naive
        One full forward pass for each row, with the logits of all tokens.
    weight_bytes, activation_bytes, state_bytes, pass_bytes
        Memory of the weights, of captured activations, of what plain runs leave, and of the largest pass.
    free_bytes
        Memory that the device had when the plan was made.
    tokens_per_pass, units_at_a_time
        How the run is split.
    seconds
        Time of all passes; None without calibration. Loading, tokenizing and intervals come on top.
    """

    model: str
    device: str
    dtype: str
    units: int
    worlds_asked: int
    worlds: int
    rows: int
    null_rows: int
    passes: Mapping[str, PassCount]
    reasons: Mapping[str, int]
    flops_needed: int
    flops_planned: int
    flops_naive: int
    weight_bytes: int
    activation_bytes: int
    state_bytes: int
    pass_bytes: int
    free_bytes: int
    tokens_per_pass: int
    units_at_a_time: int
    seconds: float | None

    @property
    def peak_bytes(self) -> int:
        """All memory together, at the worst moment."""
        return self.weight_bytes + self.activation_bytes + self.state_bytes + self.pass_bytes

    @property
    def n_passes(self) -> int:
        """Passes in all."""
        return sum(one.passes for one in self.passes.values())

    def tidy(self) -> pd.DataFrame:
        """Return one row a kind of pass: ``kind, passes, outcomes, flops, peak_bytes, seconds``."""
        import pandas as pd

        columns = ("passes", "outcomes", "flops", "peak_bytes", "seconds")
        rows = [{"kind": kind, **{name: getattr(one, name) for name in columns}} for kind, one in self.passes.items()]
        return pd.DataFrame(rows, columns=["kind", *columns])

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return f"<SweepPlan {self.worlds} worlds, {self.units} units, {self.n_passes} passes; print(plan) for a table>"


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
    schedule = schedule_of(study, execution)
    speed = measure(study, execution, schedule) if calibrate else None
    counts = {kind: _count(study, schedule, kind, speed) for kind in _KINDS}
    model = study.model
    cost = schedule.cost
    planned = sum(one.flops for one in counts.values())
    rows = sum(study.draws_of(world) for world in study.worlds) * len(study.pairs)
    naive = naive_flops(study, cost) if cost is not None else rows * flops_of_a_row(study)
    # Which logits of a plain module are asked for, and what of it a site leaves to be computed, is not known.
    needed = needed_by(study, schedule) if cost is not None else planned
    return SweepPlan(
        model=model.name or type(model.module).__name__,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        units=len(study.pairs),
        worlds_asked=len(study.worlds) if asked is None else asked,
        worlds=len(study.worlds),
        rows=rows,
        null_rows=schedule.null_rows,
        passes=MappingProxyType({kind: one for kind, one in counts.items() if one.passes}),
        reasons=MappingProxyType(dict(schedule.reasons)),
        flops_needed=needed,
        flops_planned=planned,
        flops_naive=naive,
        weight_bytes=weight_bytes(model.module),
        activation_bytes=held_bytes(study, schedule),
        state_bytes=schedule.states_held,
        pass_bytes=max((one.peak_bytes for one in counts.values()), default=0),
        free_bytes=free_bytes(torch.device(model.device)),
        tokens_per_pass=schedule.tokens,
        units_at_a_time=schedule.chunk,
        seconds=sum(one.seconds or 0.0 for one in counts.values()) if speed is not None else None,
    )


def _count(study: Study, schedule: Schedule, kind: PassKind, speed: Speed | None) -> PassCount:
    shapes = [shape for shape in schedule.passes if shape.kind == kind]
    cost = schedule.cost
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
