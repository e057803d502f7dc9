"""A study whose worlds are generations: bound to units and model, and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from ...engine import Execution, Progress, Study, World
from ...engine.study import Run
from ...errors import DesignError
from ...interventions import Assignment
from ...models import Model
from ...outcomes import AbstractOutcome, token_ids
from ...sites import ThoughtSite
from ...specs import Spec
from ...units import Encoding, Pairs, encode
from .._again import questions_of
from .._entries import check_site, check_world
from .._roller import Roller, Settings, check_lengths, check_model, eos_of, make_roller
from .._worlds import Question, plain_runs, thought_entries
from ._session import RollerFor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """How runs of a question are generations.

    Attributes
    ----------
    settings
        Of the thoughts and the generations.
    plain
        Inputs that run as they are, whatever worlds need; outcomes may compare with the first.
    """

    settings: Settings
    plain: tuple[Run, ...] = ("base", "source")

    @property
    def spec(self) -> Spec | None:
        """Of the thoughts; None for none."""
        return self.settings.spec


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rollouts:
    """A study of generations.

    Attributes
    ----------
    study
        Worlds, units, model and outcome; a world at ``step="each"`` stands for one of each step.
    question
        The same as decoding sees it.
    rolling
        How runs are generations.
    segment
        The thought after which outcomes of logits are read; None for the first.
    questions
        Tokens of the questions, where the spec has them read again after a thought.
    """

    study: Study
    question: Question
    rolling: Rolling
    segment: int | None
    questions: tuple[tuple[int, ...], ...] = field(default=())

    @property
    def reference(self) -> Run:
        """The input whose plain run outcomes may compare with."""
        return self.rolling.plain[0]

    @property
    def runs(self) -> tuple[Run, ...]:
        """The inputs that run as they are, the reference first."""
        return tuple(dict.fromkeys((*self.rolling.plain, *plain_runs(self.study.worlds))))  # type: ignore[arg-type]

    def roller_for(self, execution: Execution, progress: Progress, tokens: int) -> RollerFor:
        """Return what makes decoders from interventions inside the model."""
        question, rolling = self.question, self.rolling

        def made(inside: Assignment | None) -> Roller:
            how = (rolling.settings, execution.backend, progress)
            more = {"assignment": inside, "questions": self.questions}
            return replace(make_roller(question.model, question.encoding, *how, **more), tokens=tokens)  # type: ignore[arg-type]

        return made

    def at_steps(self, n: int) -> Rollouts:
        """Return the same of single steps: each world at ``step="each"`` becomes one for each of `n` steps."""
        worlds = dict.fromkeys(at_step(world, step) for step in range(n) for world in self.study.worlds)
        return replace(self, study=replace(self.study, worlds=tuple(worlds)))

    @property
    def sweeps(self) -> bool:
        """True if a world stands for one of each step."""
        return any(not site.is_concrete for world in self.study.worlds for site, _ in thought_entries(world))

    def identity(self) -> Mapping[str, object]:
        """Return what changes numbers beside the study."""
        settings, model = self.rolling.settings, self.study.model
        return {
            "rollout.settings": replace(settings, seed=settings.seed if settings.sampling is not None else 0),
            "rollout.plain": " ".join(self.rolling.plain),
            "rollout.segment": self.segment,
            "rollout.questions": self.questions,
            "rollout.tokenizer": model.tokenizer,
            "rollout.eos": sorted(eos_of(model)),
        }


def make_rollouts(
    model: Model,
    pairs: Pairs,
    worlds: Sequence[World],
    outcome: AbstractOutcome,
    rolling: Rolling,
    *,
    n_draws: int = 1,
    encoding: Encoding | None = None,
) -> Rollouts:
    """Bind worlds of generations to units and model, and check them.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For whatever cannot be run, before the model runs.
    """
    spec, seed = rolling.spec, rolling.settings.seed
    worlds = tuple(dict.fromkeys(worlds))
    encoding = encode(pairs, model) if encoding is None else encoding
    for run in rolling.plain:
        pairs.inputs(run)
    sites = list(dict.fromkeys(site for world in worlds for site, _ in thought_entries(world)))
    for site in sites:
        check_site(site, spec)
    end = "" if spec is None else spec.end
    prepared = outcome.prepare(pairs.answered_after(end, strictly=False), model)
    if not prepared.judged and not prepared.at_last:
        raise DesignError(
            f"{outcome!r} is read at = {prepared.at!r}; in a rollout it is read right after the thought. "
            "Leave `at` out."
        )
    questions = questions_of(spec, pairs, encoding, model)
    for world in worlds:
        check_world(world, spec, len(pairs), pairs=pairs.source is not None)
    answers, kept = None, 1
    if not prepared.judged:
        cue = token_ids(prepared.cue, model, "cue", after=end) if prepared.cue else ()
        answers = tuple(cue + tuple(ids) for ids in prepared.continuation or ((),) * len(pairs))
        kept = prepared.kept
    segment = _segment(sites)
    about = {"model": model, "pairs": pairs, "encoding": encoding, "seed": seed, "n_draws": n_draws}
    after = 1 if segment is None else segment + 1
    question = Question(**about, spec=spec, answers=answers, after=after, kept=kept)  # type: ignore[arg-type]
    sampled = rolling.settings.sampling is not None
    study = Study(**about, prepared=prepared, worlds=worlds, places={}, order={}, sampled=sampled)  # type: ignore[arg-type]
    found = Rollouts(study=study, question=question, rolling=rolling, segment=segment, questions=questions)
    for run in found.runs:
        pairs.inputs(run)
    check_model(model)
    longest = max((len(ids) for ids in answers or ()), default=0)
    for run in found.runs:
        check_lengths(model, encoding.runs[run], rolling.settings.max_new_tokens + longest)
    return found


def _segment(sites: Sequence[ThoughtSite]) -> int | None:
    """Return the last thought that a site names; None if all are meant."""
    return max((site.segment for site in sites if site.segment is not None), default=None)


def at_step(one: Any, step: int) -> Any:
    """Return a site at ``step="each"`` at a single step; so for what holds one: sites, worlds, mappings to them."""
    if isinstance(one, Mapping):
        return {name: at_step(inner, step) for name, inner in one.items()}
    if isinstance(one, tuple):
        return tuple(at_step(inner, step) for inner in one)
    if isinstance(one, World) and one.assignment is not None:
        return World(one.run, Assignment(at_step(one.assignment.entries, step)))
    return one.with_(step=step) if isinstance(one, ThoughtSite) and not one.is_concrete else one
