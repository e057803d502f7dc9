"""Worlds of a rollout study: plain runs first, then runs whose thoughts are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

from ..engine import World
from ..engine.study import run_of
from ..interventions import AbstractIntervention, AbstractRewrite, Assignment, Donor, Moment, Shorten
from ..models import Model
from ..specs import LatentSpec, Spec
from ..units import Encoding, Pairs
from ._edits import Entry, LatentPlan, TextPlan, Where
from ._plan import AbstractPlan, Job
from ._roller import Roller
from ._row import Row
from ._thoughts import Thoughts, thought_of


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question:
    """What a rollout study runs.

    Attributes
    ----------
    model, pairs, encoding
        Who and on what.
    spec
        Of the thoughts; None for none.
    seed, n_draws
        Of noise and donors, and how many draws random worlds have.
    answers
        Token ids that are put after the thought, one tuple a unit, to read the logits there; None to let the model
        answer by itself.
    after, kept
        After how many thoughts, and how many trailing positions are read.
    """

    model: Model
    pairs: Pairs
    encoding: Encoding
    spec: Spec | None
    seed: int
    n_draws: int = 1
    answers: tuple[tuple[int, ...], ...] | None = None
    after: int = 1
    kept: int = 1


@final
@dataclass(slots=True, eq=False)
class Ran:
    """The rows of a study: ``rows[world, unit, draw]``, and the thoughts of plain runs."""

    thoughts: Thoughts
    plain: dict[tuple[str, int, int], Row] = field(default_factory=dict)
    rows: dict[tuple[int, int, int], Row] = field(default_factory=dict)


def run_plain(
    question: Question,
    runs: Sequence[str],
    roller_for: Callable[[Assignment | None], Roller],
    on_rows: Callable[[Sequence[Row]], None] = lambda rows: None,
) -> Ran:
    """Run inputs as they are, and keep their thoughts.

    Parameters
    ----------
    question
        What is asked.
    runs
        "base", "source" or both.
    roller_for
        From interventions inside the model (None for none) to what decodes with them.
    on_rows
        Told the rows of each batch, so that what they hold can be reduced.
    """
    plain = roller_for(None)
    sampled = plain.how.sampling is not None
    ran = Ran(Thoughts(question.pairs, question.seed, sampled=sampled))
    draws = question.n_draws if sampled else 1
    for run in runs:
        jobs = [_job(question, run, unit, draw) for unit in range(len(question.pairs)) for draw in range(draws)]
        rows = plain.run(jobs, on_rows)
        for job, row in zip(jobs, rows, strict=True):
            ran.plain[run, job.unit, job.draw] = row
            prompt = _prompt_ids(question, job)
            ran.thoughts.put(run, job.unit, job.draw, thought_of(row, prompt, question.model, question.spec))
    return ran


def run_worlds(
    question: Question,
    worlds: Sequence[World],
    roller_for: Callable[[Assignment | None], Roller],
    on_rows: Callable[[Sequence[Row]], None],
    ran: Ran,
) -> None:
    """Run every world on every unit and draw, and put the rows into `ran`, which holds the plain runs that they need.

    Parameters
    ----------
    worlds
        Distinct worlds; one without an assignment is the run of an input as it is.
    question, roller_for, on_rows, ran
        As in `run_plain`.
    """
    for inside, numbers in _by_inside(worlds).items():
        _run_changed(question, worlds, numbers, roller_for(inside), ran, on_rows, inside=inside)


def _run_changed(
    question: Question,
    worlds: Sequence[World],
    numbers: Sequence[int],
    roller: Roller,
    ran: Ran,
    on_rows: Callable[[Sequence[Row]], None],
    *,
    inside: Assignment | None,
) -> None:
    sampled = roller.how.sampling is not None
    keys, jobs = [], []
    for unit in range(len(question.pairs)):
        for number in numbers:
            world = worlds[number]
            for draw in range(question.n_draws if world.is_random or sampled else 1):
                if inside is None and not thought_entries(world):
                    ran.rows[number, unit, draw] = ran.plain[world.run, unit, draw]
                    continue
                keys.append((number, unit, draw))
                jobs.append(job_of(question, world, unit, draw, ran.thoughts))
    rows = roller.run(jobs, on_rows) if jobs else []
    ran.rows.update(zip(keys, rows, strict=True))


def thought_entries(world: World) -> tuple[Entry, ...]:
    """Return what a world does to thoughts."""
    return world.assignment.thoughts() if world.assignment is not None else ()


def plain_runs(worlds: Sequence[World]) -> list[str]:
    """Return the inputs whose plain runs are needed: as worlds of their own, or for their thoughts."""
    found: set[str] = set()
    for world in worlds:
        entries = thought_entries(world)
        if not entries and (world.assignment is None or world.assignment.inside() is None):
            found.add(world.run)
        for site, what in entries:
            if isinstance(what, (AbstractRewrite, Shorten)) or site.when == "after-the-fact":
                found.add(world.run)
            if isinstance(what, AbstractIntervention):
                found |= {run_of(need.run, world.run) for need in what.needs() if isinstance(need, (Donor, Moment))}
    return [run for run in ("base", "source") if run in found]


def _by_inside(worlds: Sequence[World]) -> dict[Assignment | None, list[int]]:
    groups: dict[Assignment | None, list[int]] = {}
    for number, world in enumerate(worlds):
        groups.setdefault(world.assignment.inside() if world.assignment is not None else None, []).append(number)
    return groups


def _plan(question: Question, world: World, unit: int, draw: int, thoughts: Thoughts) -> AbstractPlan | None:
    entries = thought_entries(world)
    if not entries or question.spec is None:
        return None
    spec = question.spec
    where = Where(
        run=world.run,
        unit=unit,
        draw=draw,
        thoughts=thoughts,
        steps=spec.steps if isinstance(spec, LatentSpec) else 0,
        spec=spec,
        tokenizer=question.model.tokenizer,
        vocabulary=question.model.vocabulary,
    )
    return LatentPlan(entries, where) if isinstance(spec, LatentSpec) else TextPlan(entries, where)


def job_of(question: Question, world: World, unit: int, draw: int, thoughts: Thoughts) -> Job:
    """Return the row of one world, unit and draw."""
    return _job(question, world.run, unit, draw, _plan(question, world, unit, draw, thoughts))


def _job(question: Question, run: str, unit: int, draw: int, plan: AbstractPlan | None = None) -> Job:
    return Job(
        prompt=unit if run == "base" else len(question.pairs) + unit,
        unit=unit,
        draw=draw,
        plan=plan,
        answer=None if question.answers is None else question.answers[unit],
        after=question.after,
        kept=question.kept,
    )


def _prompt_ids(question: Question, job: Job) -> list[int]:
    n = len(question.pairs)
    run = "base" if job.prompt < n else "source"
    ids = question.encoding.of(run, job.unit).ids
    assert ids is not None
    return [int(i) for i in ids]
