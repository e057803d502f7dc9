"""Run a study of generations: the stream of its passes, one after another, and the checks that come with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, final

import numpy as np
import torch

from ...engine import AbstractExecutor, Execution, Finished, Pass, Progress
from ...engine.checkpoint import Pieces
from ...engine.sizes import tokens_per_pass
from ...models import in_use
from ._executor import RolloutExecutor
from ._ledger import Ledger
from ._odd import odd_units, steps_of, tell
from ._planner import Planner
from ._rollouts import Rollouts
from ._session import Session

Through = Callable[[AbstractExecutor], AbstractExecutor]
_NOTHING = {"cells": 0, "max_abs_difference": 0.0}


def run_rollouts(
    rollouts: Rollouts, execution: Execution, progress: Progress, *, through: Through = lambda inner: inner
) -> Finished:
    """Run every world on every unit and draw; a world at ``step="each"`` at each step that all thoughts have.

    Parameters
    ----------
    rollouts, execution, progress
        What is run, how, and who is told of it.
    through
        From the executor of this process to the one that runs the passes; as in `run_study`.

    Raises
    ------
    BackendError
        If a unit's own thought in its own place changes something, or a row does not agree with itself run alone.
    OutcomeError
        If an outcome of logits is NaN or infinite.
    DataError
        If no unit has a thought that can be compared.
    DesignError, DataError, BackendError
        If the folder ``execution.out`` holds something else, is in use, or cannot be written.

    Warns
    -----
    FlaggedUnitsWarning
        If units are left out.
    """
    study = rollouts.study
    split = {"tokens": tokens_per_pass(study.model)}
    with in_use(study.model), torch.no_grad(), Pieces(study, execution, split, rollouts.identity()) as pieces:
        return _Run(rollouts, execution, progress, pieces, through).all()


@final
class _Run:
    """One run."""

    def __init__(
        self, rollouts: Rollouts, execution: Execution, progress: Progress, pieces: Pieces, through: Through
    ) -> None:
        self._rollouts, self._execution, self._progress, self._pieces = rollouts, execution, progress, pieces
        roller_for = rollouts.roller_for(execution, progress, pieces.split["tokens"])
        session = Session(rollouts.question, roller_for, sampled=rollouts.study.sampled)
        self._planner = Planner(rollouts, session)
        self._local = RolloutExecutor(rollouts, session, pieces)
        self._executor = through(self._local)
        self._ledger = Ledger(self._local)

    def all(self) -> Finished:
        """Run the stream to its end."""
        self._take("plain rollouts", list(self._planner.plain()))
        rollouts, ledger, accounts = self._rollouts, self._ledger, self._local.accounts
        steps = steps_of(rollouts, accounts) if rollouts.sweeps else None
        if steps is not None:
            rollouts = self._planner.rollouts = rollouts.at_steps(steps)
        plain_rows = len(accounts)
        ledger.begin(rollouts)
        self._take("rollouts", list(self._planner.changed()))
        if self._execution.checks and self._planner.changes:
            self._check("consistency", lambda: self._planner.own_thoughts(ledger))
            self._check("sample", lambda: self._planner.sample(ledger, self._execution.checks))
        settled = ledger.settle()
        self._progress.close()
        odd = odd_units(rollouts, accounts, ledger)
        tell(rollouts, accounts, odd)
        report: dict[str, Any] = {"backend": self._execution.backend.name, "plain_rows": plain_rows}
        report |= self._local.report
        report |= {**ledger.checks, **ledger.settle_self_patches(), **settled, **self._pieces.report}
        report["rollout"] = self._account(rollouts, odd) | ({} if steps is None else {"steps": steps})
        return Finished(rollouts.study, ledger.values, report, odd)

    def _take(self, what: str, passes: list[Pass]) -> None:
        left = sum(len(one.cells) for one in passes if not self._local.is_stored(one))
        self._progress.start(left * self._rollouts.rolling.settings.max_new_tokens, what)
        for one in passes:
            self._ledger.take(one, self._executor.outcomes(one))

    def _check(self, name: str, passes: Callable[[], Iterable[Pass]]) -> None:
        """Make a self-check, unless an earlier run of the same folder has made it: how far rounding reaches is kept."""
        checks = self._ledger.checks
        found = self._pieces.note(name)
        if found is None:
            checks[name] = dict(_NOTHING)
            for one in passes():
                self._ledger.take(one, self._executor.outcomes(one))
            self._pieces.keep_note(name, checks[name])
        else:
            checks[name] = found

    def _account(self, rollouts: Rollouts, odd: dict[int, str]) -> dict[str, Any]:
        """Return what provenance keeps of generations."""
        settings, study = rollouts.rolling.settings, rollouts.study
        return {
            "spec": repr(rollouts.rolling.spec),
            "max_new_tokens": settings.max_new_tokens,
            "stop": list(settings.stop),
            "sampling": repr(settings.sampling) if settings.sampling is not None else "greedy",
            "units_asked": len(study.pairs),
            "units_left_out": {str(unit): reason for unit, reason in odd.items()},
            "unparsed": [
                [self._unparsed(part, number, odd) for number in range(len(study.worlds))]
                for part in range(len(study.prepared.each))
            ],
        }

    def _unparsed(self, part: int, number: int, odd: dict[int, str]) -> tuple[int, int]:
        """Return how many generations of a world have no answer that an outcome's rules find, and out of how many."""
        study = self._ledger.study
        cells = np.ndindex(len(study.pairs), study.draws_of(study.worlds[number]))
        accounts = [self._ledger.account(number, unit, draw) for unit, draw in cells if unit not in odd]
        flags = [one.unparsed[part] for one in accounts if one.unparsed and one.unparsed[part] is not None]
        return sum(map(bool, flags)), len(flags)
