"""The worlds of null controls, as studies, and the units frame that they make together."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, NamedTuple, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..engine import Finished, World
from ..engine.study import cycle
from ..errors import DataError
from ..estimate import REAL
from ..interventions import AbstractIntervention, Assignment, Interchange, RandomDirection, Swap
from ..models import Model
from ..outcomes import AbstractOutcome, Cued, CustomOutcome, JudgedOutcome
from ..sites import Site, positions_of, resolve
from ..units import Encoding, Pairs, encode
from ._asked import one_a_step
from ._bound import Bound, How, OneProgress
from ._mediate import Places
from ._outcomes import Asked

Index = NDArray[np.int64]
What = Callable[[int], AbstractIntervention]
Key = tuple[str, str, int]  # site, control, draw (-1: those of the engine)
_STREAM = 4  # tells these draws from the engine's, which are made of the same seed


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question:
    """What all controls share: the question that `mediate` would ask.

    Attributes
    ----------
    mediators
        Sites that are patched together, by the name of the mediator.
    keys
        "pnie", "tnie" or both.
    how
        How it is run.
    """

    model: Model
    pairs: Pairs
    encoding: Encoding
    outcomes: Asked
    mediators: Mapping[str, Places]
    keys: tuple[str, ...]
    n_draws: int
    how: How
    seed: int

    @property
    def without_columns(self) -> list[str]:
        """The outcomes that do not depend on a unit's row of the frame."""
        each = (item for group in self.outcomes.groups for item in group.items())
        return [name for name, outcome in each if not _reads_columns(outcome, self.pairs)]


def _reads_columns(outcome: AbstractOutcome, pairs: Pairs) -> bool:
    """Return True if the outcome of a unit depends on its row of the frame."""
    columns = set(map(str, pairs.table.columns))
    if isinstance(outcome, (CustomOutcome, JudgedOutcome)):
        return bool(columns) and len(inspect.signature(outcome.function).parameters) > 1
    if isinstance(outcome, Cued):
        return _reads_columns(outcome.outcome, pairs)
    if not dataclasses.is_dataclass(outcome):
        return bool(columns)
    values = [getattr(outcome, field.name) for field in dataclasses.fields(outcome)]
    return any(isinstance(value, str) and value in columns for value in values)


class Rows(NamedTuple):
    """Which unit, draw and donor each row of mixed pairs stands for."""

    unit: Index
    draw: Index
    donor: Index


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """Studies of the question, one for each group of outcomes, and what their worlds are called.

    Attributes
    ----------
    worlds
        By site, control and draw, the world of each potential outcome.
    donors
        ``(draws, units)``: the donor of each unit where worlds read another unit; a unit without one is its own.
    rows
        Where pairs were mixed, what each of them stands for; None for the pairs of the question.
    control
        What it is the study of; "" for the effect itself.
    """

    studies: Sequence[Bound]
    worlds: Mapping[Key, Mapping[str, World]]
    donors: Index | None = None
    rows: Rows | None = None
    control: str = ""


def donors_of(groups: Sequence[Hashable], n_draws: int, seed: int) -> Index:
    """Return donors, ``(draws, units)``: within each group a random cycle, so that every unit gives and gets once.

    A unit that is alone in its group is its own donor: it has none.

    Examples
    --------
    >>> donors_of(["a", "b", "a"], 1, seed=0)
    array([[2, 1, 0]])
    """
    members: dict[Hashable, list[int]] = {}
    for unit, group in enumerate(groups):
        members.setdefault(group, []).append(unit)
    found = np.tile(np.arange(len(groups)), (n_draws, 1))
    for draw in range(n_draws):
        rng = np.random.default_rng(np.random.SeedSequence((seed, _STREAM, draw)))
        for units in members.values():
            found[draw, units] = np.array(units)[cycle(len(units), rng)]
    return found


def lengths_at(question: Question) -> list[tuple[int, ...]]:
    """Return, for each unit, how many tokens its inputs have at every site; those of equal ones can be exchanged."""
    mediators = question.mediators.values()
    sites = dict.fromkeys(site for one in mediators for site in one if isinstance(site, Site))
    places = {site: resolve(site, question.model) for site in sites}
    return [
        tuple(
            _tokens(site, places[site].io, question, run, unit) for site in sites for run in ("base", "source")
        )
        for unit in range(len(question.pairs))
    ]  # fmt: skip


def _tokens(site: Site, io: str, question: Question, run: str, unit: int) -> int:
    encoded = question.encoding.of(run, unit)
    if encoded.length is None:
        return 0
    if io == "pattern":
        return encoded.length
    return len(positions_of(site.at, encoded.length, encoded.spans, f"{run} input of unit {unit}"))


def main_part(question: Question, names: Sequence[str], donors: Index | None) -> Part:
    """Return the study of the effect and of the controls that differ from it by the intervention only."""
    worlds: dict[Key, Mapping[str, World]] = {}
    for name, sites in question.mediators.items():
        for control, what in _INTERVENTIONS.items():
            if control == REAL or control in names:
                worlds[(name, control, -1)] = _worlds(sites, question.keys, what)
        for control in ("unrelated unit", "shuffled pairs"):
            if control in names and donors is not None:
                for draw, index in enumerate(donors):
                    swap = Swap("index", index=tuple(int(unit) for unit in index), run="other")
                    worlds[(name, control, draw)] = _worlds(sites, question.keys, _everywhere(swap))
    return Part(studies=_studies(question, worlds), worlds=worlds, donors=donors)


def _everywhere(what: AbstractIntervention) -> What:
    return lambda place: what


def model_part(question: Question, model: Model, control: str) -> Part:
    """Return the study of the same question of another model."""
    worlds = _real_worlds(question, control)
    return Part(studies=_studies(question, worlds, model=model), worlds=worlds, control=control)


def mixed_part(question: Question, control: str, donors: Index, *, what: Literal["source", "answers"]) -> Part:
    """Return the study of pairs in which a unit has the source input, or the frame's row, of its donor."""
    draw, unit = np.nonzero(donors != np.arange(donors.shape[1]))
    rows = Rows(unit, draw, donors[draw, unit])
    own, other = (question.pairs.subset(units.tolist()) for units in (rows.unit, rows.donor))
    source, answers = (other, own) if what == "source" else (own, other)
    pairs = Pairs(
        base=own.base,
        source=source.source,
        frame=answers.table,
        spans={name: (list(base), _listed(source.spans[name][1])) for name, (base, _) in own.spans.items()},
        columns=own.columns,
    )
    worlds = _real_worlds(question, control)
    return Part(studies=_studies(question, worlds, pairs=pairs), worlds=worlds, rows=rows, control=control)


def _listed(span: Any) -> list[Any] | None:
    return None if span is None else list(span)


_INTERVENTIONS: Mapping[str, What] = {
    REAL: lambda place: Interchange(),
    "self-patch": lambda place: Interchange("same"),
    "random direction": lambda place: RandomDirection(stream=place),
}


def _real_worlds(question: Question, control: str) -> dict[Key, Mapping[str, World]]:
    return {
        (name, control, -1): _worlds(sites, question.keys, _INTERVENTIONS[REAL])
        for name, sites in question.mediators.items()
    }


def _worlds(sites: Places, keys: Sequence[str], what: What) -> dict[str, World]:
    """Return the worlds of PNIE, TNIE or both; `what` is asked for each site of a joint mediator by its place."""
    put_in = Assignment(tuple((site, what(place)) for place, site in enumerate(sites)))
    found: dict[str, World] = {}
    if "pnie" in keys:
        found |= {"y00": World("base"), "y01": World("base", put_in)}
    if "tnie" in keys:
        found |= {"y10": World("source", put_in), "y11": World("source")}
    return found


def _studies(
    question: Question,
    worlds: Mapping[Key, Mapping[str, World]],
    *,
    model: Model | None = None,
    pairs: Pairs | None = None,
) -> list[Bound]:
    whole = question.pairs if pairs is None else pairs
    encoding = question.encoding if pairs is None else encode(pairs, question.model)
    n_draws = question.n_draws if pairs is None and model is None else 1
    return question.outcomes.studies(
        question.how, model or question.model, whole, worlds, n_draws=n_draws, encoding=encoding
    )


def run_parts(
    question: Question, parts: Sequence[Part], left_out: dict[str, str] | None
) -> tuple[pd.DataFrame, list[list[Finished]]]:
    """Run the studies, and return the units frame of all of them, and the runs of each part.

    A control of which no unit can be compared is added to `left_out`, or is an error if that is None.
    """
    progress, folders = question.how.progress, count()
    together = OneProgress(progress, [study for part in parts for study in part.studies])
    frames, done = list[pd.DataFrame](), []
    for index, part in enumerate(parts):
        numbers = [next(folders) for _ in part.studies]
        try:
            finished = [study.run(number, together) for study, number in zip(part.studies, numbers, strict=True)]
        except DataError as error:
            if not index or left_out is None:
                raise
            left_out[part.control] = str(error).split(". ")[0]
            continue
        frame = _frame(question, part, finished)
        # A control may lack units; those that the effect itself lacks cannot be compared with it.
        frames.append(frame if not index else frame[frame["unit"].isin(frames[0]["unit"].unique())])
        done.append(finished)
    progress.close()
    return pd.concat(frames, ignore_index=True), done


def _frame(question: Question, part: Part, finished: Sequence[Finished]) -> pd.DataFrame:
    worlds = one_a_step(part.worlds, finished[0])
    labels = {key: {"site": key[0], "control": key[1], "index": key[2]} for key in worlds}
    frame = question.outcomes.frame(finished, labels, worlds, same_units=True)
    frame["donor"] = -1
    if part.rows is not None:
        lacking = part.rows.unit[sorted({unit for one in finished for unit in one.left_out})]
        row = frame["unit"].to_numpy()
        frame["unit"], frame["draw"], frame["donor"] = (column[row] for column in part.rows)
        pairs = question.pairs
        clusters = np.arange(len(pairs)) if pairs.cluster is None else pairs.cluster
        weights = np.ones(len(pairs)) if pairs.weight is None else pairs.weight
        frame["cluster"], frame["weight"] = clusters[frame["unit"]], weights[frame["unit"]]
        frame = frame[~frame["unit"].isin(lacking)]
    elif part.donors is not None:
        # Of samples, each donor has the one of its draw; what is not sampled has one for all.
        by = [name for name in ("site", "control", "index", "outcome") if name in frame]
        sampled = frame.groupby(by)["draw"].transform("max") > 0
        frame = frame[(frame["index"] < 0) | ~sampled | (frame["draw"] == frame["index"])].reset_index(drop=True)
        given = frame["index"].to_numpy() >= 0
        draw, unit = frame.loc[given, "index"].to_numpy(), frame.loc[given, "unit"].to_numpy()
        frame.loc[given, "draw"] = draw
        frame.loc[given, "donor"] = part.donors[draw, unit]
        frame = frame[~given | (frame["donor"] != frame["unit"])]
    return frame.drop(columns="index")


def unmatched(donors: Index) -> list[int]:
    """Return the units that have no donor.

    Examples
    --------
    >>> unmatched(donors_of(["a", "b", "a"], 1, seed=0))
    [1]
    """
    alone: list[int] = np.flatnonzero(donors[0] == np.arange(donors.shape[1])).tolist()
    return alone
