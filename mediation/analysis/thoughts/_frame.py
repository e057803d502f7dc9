"""The unit-level frame of a study of thoughts, and the units that are not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...engine import World
from ...errors import DataError, FlaggedUnitsWarning, warn
from ...interventions import AbstractIntervention, Donor
from ...rollouts import Ran
from .._asked import one_donor
from ._runs import ThoughtStudy

Array = NDArray[np.float64]
_GONE = ("never opened", "never closed", "nan")


def frame_of(
    study: ThoughtStudy,
    labels: Mapping[str, Any],
    named: Mapping[str, World],
    *,
    order: Sequence[World],
    values: Array,
    kept: Sequence[int],
    ran: Ran,
) -> pd.DataFrame:
    """Return the unit-level rows of one mediator or arm, of the units that are kept."""
    pairs, n = study.pairs, len(study.pairs)
    random = study.options.settings.sampling is not None or any(world.is_random for world in named.values())
    draws = study.n_draws if random else 1
    weights = np.ones(n) if pairs.weight is None else pairs.weight
    columns: dict[str, Any] = dict(labels)
    columns["unit"] = np.repeat(kept, draws)
    columns |= {name: np.repeat(label[list(kept)], draws) for name, label in pairs.cluster_columns.items()}
    columns["weight"] = np.repeat(weights[list(kept)], draws)
    columns["draw"] = np.tile(np.arange(draws), len(kept))
    donor = _donor(named)
    if donor is not None:
        who = np.array([[ran.thoughts.donor(donor, unit, draw) for draw in range(draws)] for unit in kept])
        columns["donor"] = np.where(np.isin(who, kept), who, -1).reshape(-1)
    for name, world in named.items():
        columns[name] = values[order.index(world)][list(kept)][:, :draws].reshape(-1)
    return pd.DataFrame(columns)


def _donor(named: Mapping[str, World]) -> Donor | None:
    """Return what says which other unit was the donor, if it is one kind of donor."""
    return one_donor(
        need
        for world in named.values()
        if world.assignment is not None
        for _, what in world.assignment.entries
        if isinstance(what, AbstractIntervention)
        for need in what.needs()
        if isinstance(need, Donor)
    )


def odd_units(study: ThoughtStudy, ran: Ran, values: Array) -> dict[int, str]:
    """Return the units that cannot be compared, and why."""
    found: dict[int, str] = {}
    counts: dict[int, set[int]] = {}
    for (run, unit, _), row in ran.plain.items():
        opened = len(ran.thoughts.get(run, unit, row.job.draw))
        counts.setdefault(unit, set()).add(opened)
        reason = next((flag for flag in row.flags if flag in _GONE), None)
        if reason is None and opened <= (study.segment or 0):
            reason = "never opened" if not opened else f"no thought {study.segment}"
        if reason is not None:
            found.setdefault(unit, reason)
    if study.segment is None and study.prepared.judge is not None:
        for unit, some in counts.items():
            if len(some) > 1:
                found.setdefault(unit, "different numbers of thoughts in the two runs")
    for (_, unit, _), row in sorted(ran.rows.items()):
        if row.stopped in ("flagged", "nan"):
            found.setdefault(unit, row.flags[-1])
    for unit in np.flatnonzero(np.isnan(values).any(axis=(0, 2))).tolist():
        found.setdefault(unit, "the thought of a world never closed, so its outcome was not read")
    return dict(sorted(found.items()))


def tell(flags: Mapping[int, str], n: int, study: ThoughtStudy, ran: Ran) -> None:
    """Warn of the units that are left out; DataError if that is all of them."""
    if not flags:
        return
    if len(flags) == n:
        raise DataError(no_thoughts(study, ran, sorted(set(flags.values()))))
    reasons: dict[str, list[int]] = {}
    for unit, reason in flags.items():
        reasons.setdefault(reason, []).append(unit)
    said = "; ".join(
        f"{reason}: {len(units)} (unit{'s' if len(units) > 1 else ''} {', '.join(map(str, units[:6]))}"
        f"{', ...' if len(units) > 6 else ''})"
        for reason, units in reasons.items()
    )
    warn(
        f"{len(flags)} of {n} units are left out, because their thoughts cannot be compared. {said}. Effects are of "
        "the other units, which may differ from these. med.rollout(model, inputs) shows what they say.",
        FlaggedUnitsWarning,
    )


def no_thoughts(study: ThoughtStudy, ran: Ran, reasons: Sequence[str]) -> str:
    """Return the message of a study in which no thought can be compared."""
    spec = study.options.spec
    start = spec.start if spec is not None else ""
    some = next(iter(ran.plain.values()))
    tokenizer = study.model.tokenizer
    said = repr(tokenizer.decode(some.ids)[:120]) if tokenizer is not None else str(some.ids[:20])
    return (
        f"No unit has a thought that can be compared ({'; '.join(reasons)}). A thought opens where the model says "
        f"{start!r}, or where the prompt ends in it; the first unit says {said}. Check the spec, end the prompts with "
        f"{start!r}, or allow more tokens (max_new_tokens = {study.options.settings.max_new_tokens})."
    )
