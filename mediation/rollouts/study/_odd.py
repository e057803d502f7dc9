"""Units whose thoughts cannot be compared: which, why, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import DataError, FlaggedUnitsWarning, warn
from ._account import Account
from ._executor import Key
from ._ledger import Ledger
from ._rollouts import Rollouts

_GONE = ("never opened", "never closed", "nan")


def odd_units(rollouts: Rollouts, accounts: Mapping[Key, Account], ledger: Ledger) -> dict[int, str]:
    """Return the units that cannot be compared, and why."""
    found: dict[int, str] = {}
    counts: dict[int, set[int]] = {}
    study, segment = rollouts.study, rollouts.segment
    for (_, _, unit, _), one in _plain(rollouts, accounts):
        opened = len(one.thoughts)
        counts.setdefault(unit, set()).add(opened)
        reason = next((flag for flag in one.flags if flag in _GONE), None)
        if reason is None and opened <= (segment or 0):
            reason = "never opened" if not opened else f"no thought {segment}"
        if reason is not None:
            found.setdefault(unit, reason)
    if segment is None and study.prepared.judged:
        for unit, some in counts.items():
            if len(some) > 1:
                found.setdefault(unit, "different numbers of thoughts in the two runs")
    for unit, one in ledger.rows():
        if not one.is_read:
            found.setdefault(unit, one.flags[-1])
    for unit in np.flatnonzero(np.isnan(ledger.values).any(axis=(0, 2, 3))).tolist():
        found.setdefault(unit, "the thought of a world never closed, so its outcome was not read")
    return dict(sorted(found.items()))


def tell(rollouts: Rollouts, accounts: Mapping[Key, Account], odd: Mapping[int, str]) -> None:
    """Warn of the units that are left out; DataError if that is all of them."""
    n = len(rollouts.study.pairs)
    if not odd:
        return
    if len(odd) == n:
        raise DataError(no_thoughts(rollouts, accounts, sorted(set(odd.values()))))
    reasons: dict[str, list[int]] = {}
    for unit, reason in odd.items():
        reasons.setdefault(reason, []).append(unit)
    said = "; ".join(
        f"{reason}: {len(units)} (unit{'s' if len(units) > 1 else ''} {', '.join(map(str, units[:6]))}"
        f"{', ...' if len(units) > 6 else ''})"
        for reason, units in reasons.items()
    )
    warn(
        f"{len(odd)} of {n} units are left out, because their thoughts cannot be compared. {said}. Effects are of "
        "the other units, which may differ from these. med.rollout(model, inputs) shows what they say.",
        FlaggedUnitsWarning,
    )


def no_thoughts(rollouts: Rollouts, accounts: Mapping[Key, Account], reasons: Sequence[str]) -> str:
    """Return the message of a study in which no thought can be compared."""
    spec = rollouts.rolling.spec
    start = spec.start if spec is not None else ""
    said = next(iter(accounts.values())).said
    return (
        f"No unit has a thought that can be compared ({'; '.join(reasons)}). A thought opens where the model says "
        f"{start!r}, or where the prompt ends in it; the first unit says {said}. Check the spec, end the prompts with "
        f"{start!r}, or allow more tokens (max_new_tokens = {rollouts.rolling.settings.max_new_tokens})."
    )


def steps_of(rollouts: Rollouts, accounts: Mapping[Key, Account]) -> int:
    """Return how many steps all thoughts have; DataError if there are none."""
    segment = rollouts.segment or 0
    lengths = [
        one.thoughts[segment]
        for _, one in _plain(rollouts, accounts)
        if len(one.thoughts) > segment and one.thoughts[segment]
    ]
    if not lengths:
        raise DataError(no_thoughts(rollouts, accounts, ["never opened"]))
    return min(lengths)


def _plain(rollouts: Rollouts, accounts: Mapping[Key, Account]) -> list[tuple[Key, Account]]:
    """Return the plain rows in the order of their inputs, units and draws."""
    runs = list(rollouts.runs)
    plain = [(key, one) for key, one in accounts.items() if key[0] < 0]
    return sorted(plain, key=lambda item: (runs.index(item[0][1]), *item[0][2:]))  # type: ignore[arg-type]
