"""What a question of rollouts is, and which thoughts each of its worlds reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from ..engine import World
from ..engine.passes import Row
from ..engine.study import Run, run_of
from ..interventions import AbstractIntervention, AbstractRewrite, Assignment, Donor, Moment, Shorten
from ..models import Model
from ..specs import LatentSpec, Spec
from ..units import Encoding, Pairs
from ._edits import Entry, LatentPlan, TextPlan, Where
from ._plan import AbstractPlan, Job
from ._thoughts import Thoughts


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

    def prompt_of(self, run: str, unit: int) -> int:
        """Return the number of a prompt; those of the base come first."""
        return unit if run == "base" else len(self.pairs) + unit

    def ids_of(self, run: str, unit: int) -> list[int]:
        """Return the tokens of a prompt."""
        ids = self.encoding.of(run, unit).ids
        assert ids is not None
        return [int(i) for i in ids]


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


def thoughts_read(world: World) -> Iterator[tuple[Run, Donor | None]]:
    """Give the plain runs whose thoughts a world reads: by a donor of its unit, or (None) by all units."""
    for site, what in thought_entries(world):
        needs = what.needs()
        donors = [need for need in needs if isinstance(need, Donor)]
        yield from ((run_of(need.run, world.run), need) for need in donors)
        yield from ((run_of(need.run, world.run), None) for need in needs if isinstance(need, Moment))
        if "pool" in needs:
            yield world.run, None
        whole = isinstance(what, (AbstractRewrite, Shorten)) or site.when == "after-the-fact"
        if whole and not (donors and site.kind == "imagination"):
            yield world.run, Donor("same")


def by_inside(worlds: Sequence[World]) -> dict[Assignment | None, list[int]]:
    """Return the worlds by what is done inside the model: those of one group decode side by side."""
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


def job_of(question: Question, row: Row, worlds: Sequence[World], thoughts: Thoughts) -> Job:
    """Return what is decoded for a row; world -1 is the plain run."""
    plan = _plan(question, worlds[row.world], row.unit, row.draw, thoughts) if row.world >= 0 else None
    return Job(
        prompt=question.prompt_of(row.run, row.unit),
        unit=row.unit,
        draw=row.draw,
        plan=plan,
        answer=None if question.answers is None else question.answers[row.unit],
        after=question.after,
        kept=question.kept,
    )
