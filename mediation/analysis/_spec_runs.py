"""The runs of a specification table: for each corruption one study, in which all outcomes are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pandas as pd

from .._checks import listed, positive_int
from ..engine import Finished, World
from ..errors import DesignError
from ..estimands import AbstractEstimand
from ..interventions import Assignment, Interchange
from ..models import Model
from ..outcomes import AbstractOutcome, AnswerFlipped, grouped
from ..sites import ThoughtSite
from ..units import Encoding, Pairs, encode
from ._asked import units_frame
from ._bound import Bound, How
from ._choices import Arm, Choices
from ._mediate import Places, _assign, _mediation_worlds, _mediators
from ._outcomes import Asked

Worlds = dict[str, World]
_NATURAL: Arm = ("", float("nan"))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One corruption: its studies, as many as the outcomes need, and the named worlds of natural effects and arms."""

    outcomes: Asked
    corruption: str
    site: str
    studies: list[Bound]
    worlds: dict[Arm, Worlds]


def plan_of(
    model: Model,
    choices: Choices,
    mediator: object,
    wanted: Sequence[AbstractEstimand],
    how: How,
    *,
    n_draws: int,
) -> list[Cell]:
    """Return the studies, all of them checked before the first is run.

    Parameters
    ----------
    model
        The model.
    choices
        What varies.
    mediator
        One site, or sites together.
    wanted
        Natural effects; empty where there are no source inputs.
    how
        How they are run.
    n_draws
        Of the noise and of random donors.
    """
    positive_int(n_draws, what="n_draws")
    if not wanted and not choices.arms:
        raise DesignError(
            "The pairs have only base inputs and there are no arms, so there is nothing to ask. Give source inputs, or "
            "arms={'zero': med.Zero()}."
        )
    for corruption, what in choices.corruptions.items():
        if isinstance(what, Assignment) and how.rolling is not None:
            raise DesignError(
                f"corruption {corruption!r} is {what!r}, made inside the source run, and a thought is of an input as "
                "it is. Give other inputs: med.Pairs(base=med.do(source, ...), source=source)."
            )
        for name, outcome in choices.outcomes.items():
            if isinstance(what, Assignment) and _compares(outcome, choices.pairs, model):
                raise DesignError(
                    f"outcome {name!r} compares with the plain base run, and under corruption {corruption!r} the "
                    "base is the source run with something done to it. Ask for that outcome without that corruption."
                )
    cells = []
    for corruption, what in choices.corruptions.items():
        pairs = what if isinstance(what, Pairs) else choices.pairs
        encoding = encode(pairs, model)
        site, sites = _one_mediator(mediator, model, encoding)
        worlds = _worlds(choices, corruption, site, sites, wanted)
        outcomes = Asked(choices.labels, grouped(choices.outcomes, pairs, model))
        studies = outcomes.studies(how, model, pairs, worlds, n_draws=n_draws, encoding=encoding)
        cells.append(Cell(outcomes, corruption, site, studies, worlds))
    return cells


def _compares(outcome: AbstractOutcome, pairs: Pairs, model: Model) -> bool:
    """Return True if an outcome compares with the plain base run, in logits or in what is said."""
    return isinstance(outcome, AnswerFlipped) or outcome.prepare(pairs, model).uses_reference


def run_plan(cells: Sequence[Cell]) -> tuple[pd.DataFrame, list[Finished]]:
    """Run every study, and return the units of all with what names their specification."""
    frames: list[pd.DataFrame] = []
    finished: list[Finished] = []
    for cell in cells:
        done = [study.run(len(finished) + at) for at, study in enumerate(cell.studies)]
        labels = {
            key: {"site": cell.site, "corruption": cell.corruption, "arm": key[0], "dose": key[1]}
            for key in cell.worlds
        }
        frames += [units_frame({name: one}, labels, cell.worlds) for name, one in cell.outcomes.apart(done).items()]
        finished += done
    units = pd.concat(frames, ignore_index=True)
    first = ["site", "outcome", "corruption", "arm", "dose", "unit", "cluster", "weight", "draw"]
    return units[[*first, *(name for name in units.columns if name not in first)]], finished


def _one_mediator(mediator: object, model: Model, encoding: Encoding) -> tuple[str, Places]:
    found = _mediators(mediator, model, encoding)
    if isinstance(mediator, ThoughtSite) and not mediator.is_concrete:
        raise DesignError(f"mediator is {mediator!r}: every step, and a specification table is about one. Name it.")
    if len(found) > 1:
        raise DesignError(
            f"mediator stands for {len(found)} sites, {listed(found, most=3)}; a specification table is about one. "
            "Name one, or join them: sites.jointly()."
        )
    return next(iter(found.items()))


def _worlds(
    choices: Choices, corruption: str, name: str, sites: Places, wanted: Sequence[AbstractEstimand]
) -> dict[Arm, Worlds]:
    """Return the worlds of the natural effects and of the arms under one corruption."""
    how = choices.corruptions[corruption]
    found: dict[Arm, Worlds] = {}
    if isinstance(how, Assignment):
        found[_NATURAL] = _noised_worlds(how, corruption, sites, wanted)
    elif wanted:
        found[_NATURAL] = _mediation_worlds({name: sites}, None, None, wanted, sweep=False)[0][name]
    for key, arm in choices.arms_of(corruption).items():
        plain = World(choices.run)
        found[key] = {"y": plain, "ym": World(choices.run, _assign(sites, arm))}
        if wanted:
            found[key] |= {"y00": World("base"), "y11": World("source")}
    return found


def _noised_worlds(what: Assignment, corruption: str, sites: Places, wanted: Sequence[AbstractEstimand]) -> Worlds:
    """Return the worlds in which the base is the source run with `what` done to it."""
    restored = what | Assignment(tuple((site, Interchange("source")) for site in sites))
    plan = {"y00": World("source", what), "y01": World("source", restored), "y11": World("source")}
    for one in wanted:
        missing = sorted(one.needs - set(plan))
        if missing:
            raise DesignError(
                f"estimand {one.key!r} needs {listed(missing)}, and under corruption {corruption!r}, which is made in "
                "the source run, there are y00, y01 and y11 only: the mediator of such a base is in no plain run. Ask "
                "for 'te' and 'pnie', or give that corruption as Pairs."
            )
    needed = set().union(*(one.needs for one in wanted))
    return {name: world for name, world in plan.items() if name in needed}
