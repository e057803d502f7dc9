"""Checks of every question about thoughts: a unit's own thought changes nothing, and cells agree when run alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine import World
from ...engine.backends import HookBackend
from ...engine.study import tolerance
from ...engine.verify import HALF
from ...errors import BackendError
from ...interventions import Assignment, Interchange
from ...rollouts import Question, Ran, Row, Thought, job_of, thought_entries
from ._runs import ThoughtStudy

_MARGIN = 4.0


def check_rollouts(
    study: ThoughtStudy, worlds: Sequence[World], ran: Ran, values: NDArray[np.float64]
) -> dict[str, Any]:
    """Put the thoughts of a few units in their own place, and run a few cells alone through hooks.

    In half precision a tie between two tokens may fall otherwise in another batch, so generations are compared in
    single and double precision only.

    Raises
    ------
    BackendError
        If an outcome changes.
    """
    question = study.question()
    changed = [number for number, world in enumerate(worlds) if thought_entries(world)]
    if not changed or study.options.checks == 0:
        return {}
    return {
        "consistency": _own_thoughts(study, question, worlds[changed[0]], ran),
        "sample": _sample(study, question, worlds, changed, ran, values),
    }


def settle(
    study: ThoughtStudy, worlds: Sequence[World], ran: Ran, values: NDArray[np.float64], report: Mapping[str, Any]
) -> dict[str, Any]:
    """Let outcomes that differ from plain ones of their unit by rounding only be equal to them, in place.

    It is done where the spec hides something from the answer, so that effects that are 0 by construction are 0. How
    far rounding reaches is what the checks of the study have seen, and at least one unit of rounding. Not in half
    precision, where rounding is as large as small effects.
    """
    spec, dtype = study.options.spec, study.model.dtype
    hides = spec is not None and spec.answer_from != "everything"
    if not hides or not report or dtype in HALF or study.prepared.judge is not None:
        return {}
    seen = max(torch.finfo(dtype).eps, *(float(one["max_abs_difference"]) for one in report.values()))
    settled = 0
    for number, unit, draw in ran.rows:
        if worlds[number].assignment is None:
            continue
        for run in (worlds[number].run, "base", "source"):
            row = ran.plain.get((run, unit, draw), ran.plain.get((run, unit, 0)))
            plain = study.value(row, unit, draw, ran) if row is not None else float("nan")
            value = values[number, unit, draw]
            if abs(value - plain) <= _MARGIN * seen:
                settled += int(value != plain)
                values[number, unit, draw if (number, unit, 1) in ran.rows else slice(None)] = plain
                break
    return {"rounding": _MARGIN * seen, "settled_rows": settled}


def _own_thoughts(study: ThoughtStudy, question: Question, world: World, ran: Ran) -> dict[str, Any]:
    site = thought_entries(world)[0][0].with_(step="all")
    jobs, rows = [], []
    for run in dict.fromkeys(run for run, _, _ in ran.plain):
        same = World(run, Assignment(((site, Interchange("same")),)))  # type: ignore[arg-type]
        units = [
            unit
            for (of, unit, draw), row in ran.plain.items()
            if of == run and draw == 0 and _whole(row, ran.thoughts.get(run, unit, 0))
        ]
        for unit in sorted({units[i] for i in (0, len(units) // 2, -1)}) if units else ():
            jobs.append(job_of(question, same, unit, 0, ran.thoughts))
            rows.append(ran.plain[run, unit, 0])
    if not jobs:
        return {"cells": 0, "max_abs_difference": 0.0}
    again = study.roller_for(None).run(jobs)
    study.reduce(again)
    worst = 0.0
    for before, now in zip(rows, again, strict=True):
        worst = max(worst, _compare(study, before, now, "Its own thought in its own place", ran))
    return {"cells": len(jobs), "max_abs_difference": worst}


def _whole(row: Row, thought: Thought) -> bool:
    """Return True if a row has thoughts, all of them closed."""
    closed = len(thought) > 0 and all(thought.bodies)
    return closed and "never closed" not in row.flags and row.stopped not in ("flagged", "nan")


def _sample(
    study: ThoughtStudy,
    question: Question,
    worlds: Sequence[World],
    changed: Sequence[int],
    ran: Ran,
    values: NDArray[np.float64],
) -> dict[str, Any]:
    rng = np.random.default_rng(study.seed)
    cells = [key for key in sorted(ran.rows) if key[0] in changed and np.isfinite(values[key])]
    if not cells:
        return {"cells": 0, "max_abs_difference": 0.0}
    worst, picked = (
        0.0,
        [cells[i] for i in rng.choice(len(cells), min(study.options.checks, len(cells)), replace=False)],
    )
    for number, unit, draw in picked:
        world = worlds[number]
        inside = world.assignment.inside() if world.assignment is not None else None
        roller = study.roller_for(inside).with_(backend=HookBackend(), advance=lambda _: None)
        (alone,) = roller.run([job_of(question, world, unit, draw, ran.thoughts)])
        study.reduce([alone])
        worst = max(worst, _compare(study, ran.rows[number, unit, draw], alone, f"World {world} run alone", ran))
    return {"cells": len(picked), "max_abs_difference": worst}


def _compare(study: ThoughtStudy, before: Row, now: Row, what: str, ran: Ran) -> float:
    """Return how far two outcomes lie apart; BackendError if that is more than rounding."""
    unit, draw = before.job.unit, before.job.draw
    expected, value = study.value(before, unit, draw, ran), study.value(now, unit, draw, ran)
    dtype = study.model.dtype
    limit = tolerance(study.model) * (1 + abs(expected))
    exact = dtype not in HALF
    if exact and study.prepared.judge is not None and before.ids != now.ids:
        raise BackendError(
            f"{what} changed what unit {unit} says: {before.ids[:12]} ... and {now.ids[:12]} .... Nothing is reported. "
            "Try backend='hooks' or batch_size=1, and please report the model."
        )
    if study.prepared.judge is None and not abs(value - expected) <= limit:
        raise BackendError(
            f"{what} changed the outcome of unit {unit} from {expected:.6g} to {value:.6g}. Nothing is reported. Try "
            "backend='hooks' or batch_size=1, and please report the model."
        )
    return abs(value - expected) if np.isfinite(value) and np.isfinite(expected) else 0.0
