"""A question on its way to a run: single forward passes, or generations where a thought is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from ..engine import Execution, Finished, Progress, Study, World, make_study, run_study
from ..engine.study import Run
from ..models import Model
from ..outcomes import AbstractOutcome
from ..rollouts import Generated, GenerationReader, Rolling, Rollouts, make_rollouts, run_rollouts
from ..units import Encoding, Pairs
from ._options import execution_for, rolling_for


@final
@dataclass(frozen=True, slots=True, eq=False)
class How:
    """How a question is run.

    Attributes
    ----------
    execution, progress
        As in `run_study`.
    rolling
        How its runs are generations, where a thought is asked about or an outcome reads what follows the prompts.
    thought
        True if a thought is asked about.
    given
        Names of the options that the caller gave.
    """

    execution: Execution
    progress: Progress
    rolling: Rolling
    thought: bool
    given: tuple[str, ...] = ()

    def bind(
        self,
        model: Model,
        pairs: Pairs,
        worlds: Sequence[World],
        outcome: AbstractOutcome,
        *,
        seed: int,
        n_draws: int = 1,
        encoding: Encoding | None = None,
    ) -> Bound:
        """Bind worlds to units and model, and check them; see `make_study` and `make_rollouts`."""
        if not self.thought:
            read = Generated(outcome, self.rolling.settings, self.rolling.plain[0], self.given)
            study = make_study(model, pairs, worlds, read, seed=seed, n_draws=n_draws, encoding=encoding)
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


def how_of(
    options: Mapping[str, Any],
    question: Callable[..., Any],
    model: Model,
    seed: int,
    *,
    thought: bool,
    plain: tuple[Run, ...] = ("base", "source"),
) -> How:
    """Return how a question is run.

    Parameters
    ----------
    options
        What the caller gave by name.
    question
        Which has these options.
    model, seed
        Its thoughts, and how they are drawn.
    thought
        True if a thought is asked about.
    plain
        Inputs that are compared; see `Rolling`.

    Raises
    ------
    DesignError
        If there is no such option, or one is not of its kind.
    """
    execution, progress = execution_for(options, question, thought=thought)
    return How(execution, progress, rolling_for(options, model, seed, plain), thought, tuple(options))
