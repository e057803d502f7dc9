"""What a study of generations would cost at most, from the stream that a run executes; nothing is run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from types import MappingProxyType
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine import Execution, Pass, PassCount, SweepPlan, progress_for
from ...engine.passes import Cells
from ...engine.sizes import (
    ModelCost,
    PassKind,
    PassMemory,
    PassShape,
    flops_of,
    free_bytes,
    model_cost,
    tokens_per_pass,
    weight_bytes,
    weights_of,
)
from ...specs import LatentSpec
from ._planner import Planner
from ._rollouts import Rollouts
from ._session import Session


def plan_rollouts(rollouts: Rollouts, execution: Execution, *, asked: int) -> SweepPlan:
    """Return what `run_rollouts` would cost at most: every generation takes all of its new tokens.

    Parameters
    ----------
    rollouts, execution
        As in `run_rollouts`.
    asked
        Worlds before equal ones were joined.
    """
    study, settings, notes = rollouts.study, rollouts.rolling.settings, []
    model, spec = study.model, settings.spec
    if rollouts.sweeps:
        assert isinstance(spec, LatentSpec)
        rollouts = rollouts.at_steps(spec.steps)
        if spec.stop == "steps":
            notes.append(f"Steps: {spec.steps}.")
        else:
            notes.append(f"Steps: at most {spec.steps}; how many all thoughts have is not known before the plain runs.")
    tokens = tokens_per_pass(model)
    session = Session(
        rollouts.question, rollouts.roller_for(execution, progress_for(False), tokens), sampled=study.sampled
    )
    price = _Prices(rollouts, session)
    price.add(_passes(rollouts, session, execution))
    many, counts = rollouts.study, price.counts()
    rows = sum(many.draws_of(world) for world in many.worlds) * len(study.pairs)
    latents = spec.steps * price.hidden * torch.finfo(model.dtype).bits // 8 if isinstance(spec, LatentSpec) else 0
    return SweepPlan(
        model=model.name or type(model.module).__name__,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        units=len(study.pairs),
        worlds_asked=asked,
        worlds=len(many.worlds),
        rows=rows,
        null_rows=0,
        passes=MappingProxyType(counts),
        reasons=MappingProxyType({}),
        flops_needed=sum(one.flops for one in counts.values()),
        flops_planned=sum(one.flops for one in counts.values()),
        flops_naive=price.naive,
        weight_bytes=weight_bytes(model.module),
        activation_bytes=latents * price.plain_rows,
        state_bytes=price.cache,
        pass_bytes=max((one.peak_bytes for one in counts.values()), default=0),
        free_bytes=free_bytes(torch.device(model.device)),
        tokens_per_pass=tokens,
        units_at_a_time=len(study.pairs),
        seconds=None,
        new_tokens=settings.max_new_tokens,
        notes=tuple(notes),
    )


def _passes(rollouts: Rollouts, session: Session, execution: Execution) -> Iterable[Pass]:
    """Yield the passes of a run in which every thought opens and closes."""
    planner, told = Planner(rollouts, session, tried=False), _Everything(rollouts)
    yield from chain(planner.plain(), planner.changed())
    if execution.checks and planner.changes:
        yield from chain(planner.own_thoughts(told), planner.sample(told, execution.checks))


@final
class _Everything:
    """Every thought opens and closes."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._units = list(range(len(rollouts.study.pairs)))

    def whole(self, run: str) -> list[int]:
        return self._units

    def finite(self, cells: Cells) -> NDArray[np.bool_]:
        return np.ones(len(cells), dtype=bool)


@final
class _Prices:
    """What batches cost: a prefill of each prompt once, then one position a pass, with a cache."""

    def __init__(self, rollouts: Rollouts, session: Session) -> None:
        self._rollouts, self._session = rollouts, session
        model = rollouts.study.model
        self._cost = model_cost(model)
        self._memory = None if self._cost is None else PassMemory(model, self._cost)
        self._weights = weights_of(model.module)
        self._found: dict[str, list[tuple[int, int, int, int]]] = {}  # by kind: passes, outcomes, FLOPs, bytes
        self.hidden = 0 if self._cost is None else self._cost.hidden
        self.naive = self.cache = self.plain_rows = 0

    def add(self, passes: Iterable[Pass]) -> None:
        """Add the batches of a stream."""
        for one in passes:
            rows = one.cells.rows()
            lengths = [self._rollouts.study.length(row.run, row.unit) for row in rows]
            prompts = {(row.run, row.unit): length for row, length in zip(rows, lengths, strict=True)}
            more = self._session.longest(one.cells)
            first = self._shape("prefill", len(prompts), max(lengths), max(lengths))
            step = self._shape("decode", len(rows), 1, max(lengths))
            last = self._shape("decode", len(rows), 1, max(lengths) + more)
            decoded = more * (self._flops(step) + self._flops(last)) // 2  # FLOPs are linear in the keys
            prefill, kinds = self._flops(first), ("checks", "checks") if one.check else ("prefill", "decode")
            self._note(kinds[0], 1, 0, prefill, self._peak(first))
            self._note(kinds[1], more, 0 if one.check else len(rows), decoded, self._peak(last))
            if self._memory is not None:
                self.cache = max(self.cache, self._memory.states(len(rows), max(lengths) + more, 0))
            if not one.check:
                self.naive += decoded + prefill * len(rows) // len(prompts)
                self.plain_rows += len(rows) if one.kind == "plain" else 0

    def counts(self) -> dict[str, PassCount]:
        """Return the passes by kind."""
        return {
            kind: PassCount(sum(passes), sum(outcomes), sum(flops), max(peaks), None)
            for kind, (passes, outcomes, flops, peaks) in (
                (kind, zip(*some, strict=True)) for kind, some in self._found.items()
            )
        }

    def _note(self, kind: str, *numbers: int) -> None:
        self._found.setdefault(kind, []).append(numbers)  # type: ignore[arg-type]

    def _shape(self, kind: PassKind, rows: int, queries: int, keys: int) -> PassShape:
        blocks = 0 if self._cost is None else len(self._cost.blocks)
        alive = (rows,) * blocks
        return PassShape(
            kind=kind, alive=alive, queries=queries, keys=keys, entered=rows, left=rows, outcomes=0, read=1
        )

    def _flops(self, shape: PassShape) -> int:
        cost: ModelCost | None = self._cost
        return 2 * self._weights * shape.entered * shape.queries if cost is None else flops_of(cost, shape)

    def _peak(self, shape: PassShape) -> int:
        return 0 if self._memory is None else self._memory.peak(shape)
