"""A question on its way to a run: single forward passes, or generations where a thought is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from ..engine import Execution, Finished, Progress, Study, SweepPlan, World, make_study, plan_study, run_study
from ..errors import DesignError
from ..models import Model
from ..outcomes import AbstractOutcome
from ..rollouts import Generated, GenerationReader, Rolling, Rollouts, make_rollouts, plan_rollouts, run_rollouts
from ..units import Encoding, Pairs


@final
@dataclass(frozen=True, slots=True, eq=False)
class How:
    """How a question is run.

    Attributes
    ----------
    execution, progress
        As in `run_study`.
    seed
        Of random worlds.
    rolling
        How its runs are generations; None for single forward passes.
    after
        How models go on after the prompts, where an outcome of single passes reads that.
    given
        Names of the options that the caller gave.
    """

    execution: Execution
    progress: Progress
    seed: int
    rolling: Rolling | None = None
    after: Rolling | None = None
    given: tuple[str, ...] = ()

    def bind(
        self,
        model: Model,
        pairs: Pairs,
        worlds: Sequence[World],
        outcome: AbstractOutcome,
        *,
        n_draws: int = 1,
        encoding: Encoding | None = None,
    ) -> Bound:
        """Bind worlds to units and model, and check them; see `make_study` and `make_rollouts`."""
        if self.rolling is None:
            if self.after is not None:
                outcome = Generated(outcome, self.after.settings, self.after.plain[0], self.given)
            study = make_study(model, pairs, worlds, outcome, seed=self.seed, n_draws=n_draws, encoding=encoding)
            return Bound(study, self)
        rollouts = make_rollouts(model, pairs, worlds, outcome, self.rolling, n_draws=n_draws, encoding=encoding)
        return Bound(rollouts.study, self, rollouts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A study, and how it is run."""

    study: Study
    how: How
    rollouts: Rollouts | None = None

    @property
    def steps(self) -> int:
        """What progress counts: rows of all worlds, units and draws, of generations their positions."""
        study = self.study
        each = 1 if self.rollouts is None else self.rollouts.rolling.settings.max_new_tokens
        return sum(study.draws_of(world) for world in study.worlds) * len(study.pairs) * each

    def plan(self, asked: int, *, calibrate: bool) -> SweepPlan:
        """Return what it would cost; `asked` is the number of its worlds before equal ones were joined."""
        if self.rollouts is not None:
            return plan_rollouts(self.rollouts, self.how.execution, asked=asked)
        if self.study.prepared.reader is not None:
            raise DesignError(
                f"dry_run plans forward passes, and {self.study.prepared.label} is read off generations: how long they "
                "get is not known before. Run it on a few pairs, and look at provenance['plan'] of the result."
            )
        return plan_study(self.study, self.how.execution, asked=asked, calibrate=calibrate)

    def run(self, part: int | None = None, progress: Progress | None = None) -> Finished:
        """Run it; as one of several parts of a question, that keeps its pieces in a folder of its own."""
        execution = self.how.execution if part is None else self.how.execution.part(part)
        told = self.how.progress if progress is None else progress
        if self.rollouts is not None:
            return run_rollouts(self.rollouts, execution, told)
        finished, reader = run_study(self.study, execution, told), self.study.prepared.reader
        if not isinstance(reader, GenerationReader):
            return finished
        return replace(finished, report={**finished.report, "rollout": reader.account(finished.study)})


@final
class OneProgress:
    """One progress for several studies."""

    __slots__ = ("_progress",)

    def __init__(self, progress: Progress, studies: Sequence[Bound]) -> None:
        self._progress = progress
        progress.start(sum(study.steps for study in studies), "runs")

    def start(self, total: int, what: str) -> None:
        """Begin one of the studies."""

    def advance(self, n: int) -> None:
        """Say that `n` more steps are done."""
        self._progress.advance(n)

    def close(self) -> None:
        """End one of the studies."""
