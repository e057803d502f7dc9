"""First pass by gradient, last word by patching: which sites of a sweep are run, and what that may have missed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .._checks import in_unit_interval, positive_int, shown
from ..engine import (
    Direction,
    Scores,
    Study,
    World,
    attribution_scores,
    expand_world,
    make_study,
)
from ..errors import DesignError
from ..estimands import AbstractEstimand
from ..interventions import AbstractIntervention, Interchange, Swap
from ..outcomes import AbstractOutcome
from ..sites import Joint, Site, ThoughtSite
from ..units import Pairs
from ._asked import need_one_kind_of_cluster
from ._bound import Bound
from ._outcomes import one_outcome

INDIRECT: dict[Direction, str] = {"y01": "pnie", "y10": "tnie"}
_FEW = 2

Worlds = Mapping[str, Mapping[str, World]]


@final
@dataclass(frozen=True, slots=True)
class Screen:
    """How a sweep is screened: by attribution scores, of which the largest are patched.

    Parameters
    ----------
    k
        Number of sites that are patched and reported.
    steps
        Points of integrated gradients; None for the gradients at the two ends. See `attribution`.
    sample
        Number of the other sites, drawn at random, that are patched as well, to see what the screen missed.
    split
        Share of the units that screen, and are then left out of the report; whole clusters go together. None: all
        units do both, and the bands hold for all sites of the sweep instead: by max-t over the scores of all sites,
        unit by unit, which stand for the effects of those that are not run.

    Raises
    ------
    DesignError
        If a number is out of range.

    Examples
    --------
    >>> Screen(20, steps=5)
    Screen(k=20, steps=5, sample=30, split=None)
    """

    k: int
    steps: int | None = None
    sample: int = 30
    split: float | None = None

    def __post_init__(self) -> None:
        positive_int(self.k, what="screen")
        if self.steps is not None:
            positive_int(self.steps, what="Screen: steps")
        positive_int(self.sample, what="Screen: sample", least=0)
        if self.split is not None:
            in_unit_interval(self.split, what="Screen: split")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """What a screen chose.

    Attributes
    ----------
    everything
        The named worlds of every site.
    chosen, sample
        Sites to report, the strongest first, and sites that are run to judge the screen.
    strength
        Largest |mean score| of every site.
    null
        How many other sites cannot matter: base and source read the same up to there.
    screened
        Units that screened.
    report
        Units that are reported; None for all.
    """

    screen: Screen
    everything: Worlds
    chosen: tuple[int, ...]
    sample: tuple[int, ...]
    strength: NDArray[np.float64]
    null: int
    scores: Scores
    screened: tuple[int, ...]
    report: tuple[int, ...] | None

    def of(self, everything: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of the chosen sites, in the order of the sweep."""
        return {self.names[index]: everything[self.names[index]] for index in sorted(self.chosen)}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all sites, in the order of the sweep."""
        return tuple(self.everything)

    def worlds(self) -> list[World]:
        """Return the worlds to run: those of chosen sites and of the sample, and the plain ones."""
        sampled = [self.everything[self.names[index]] for index in self.sample]
        asked = [world for named in self.of(self.everything).values() for world in named.values()]
        asked += [named[one] for named in sampled for one in self.scores.values]
        return [*asked, *(World(_run(one)) for one in self.scores.values)]

    def study(self, study: Study, outcome: AbstractOutcome) -> Study:
        """Return the study of the worlds to run, and of the units that are reported."""
        if self.report is None:
            return narrowed(study, self.worlds())
        pairs = study.pairs.subset(self.report)
        return make_study(study.model, pairs, self.worlds(), outcome, seed=study.seed, n_draws=study.n_draws)


def check_screen(screen: object, mediator: object, donor: object, outcome: object) -> Screen | None:
    """Return how to screen; raise DesignError if this question cannot be screened."""
    if screen is None:
        return None
    one_outcome(outcome, "screen, which ranks sites by scores,")
    if not isinstance(screen, Screen):
        if isinstance(screen, (bool, str, float)) or not hasattr(screen, "__index__"):
            raise DesignError(
                f"screen = {shown(screen)}: the number of sites to patch is needed, such as screen=20, or "
                "med.Screen(20, steps=5)."
            )
        screen = Screen(positive_int(screen, what="screen"))  # type: ignore[arg-type]
    check_scored(mediator, donor, "screen")
    return screen


def check_scored(mediator: object, donor: object, what: str) -> None:
    """Raise DesignError if there are no attribution scores of this mediator or donor."""
    why = ""
    if isinstance(mediator, Joint):
        why = f"{mediator} is one mediator, not a sweep. Give the sites without .jointly()"
    elif isinstance(mediator, ThoughtSite):
        why = f"{mediator} is replayed in a generation, which has no gradient. Leave screen out"
        if what != "screen":
            why = f"{mediator} is replayed in a generation, which has no gradient. Ask med.mediate about it"
    elif isinstance(donor, Swap):
        why = f"{donor!r} puts in another unit's activation, and scores are of the unit's own. Leave donor out"
    if why:
        raise DesignError(f"{what}: scores rank the sites of a sweep, and {why}.")


def pick(
    bound: Bound,
    worlds: Worlds,
    wanted: Sequence[AbstractEstimand],
    *,
    donor: AbstractIntervention | None,
    screen: Screen | None,
) -> Picked | None:
    """Score all sites and choose those to run; None without a screen.

    Sites are ranked by max(|mean score of pnie|, |mean score of tnie|) over the directions whose worlds are asked
    for, so that a site that matters in one direction alone is found.

    Raises
    ------
    DesignError
        If there are no more sites than are asked for, no indirect effect is asked, or too few units.
    """
    if screen is None:
        return None
    study, execution = bound.study, bound.how.execution
    if study.prepared.reader is not None:
        raise DesignError(
            f"screen: scores rank the sites of a sweep, and {study.prepared.label} is read off generations, which have "
            "no gradient. Leave screen out."
        )
    need_one_kind_of_cluster(study.pairs, "screen")
    names = tuple(worlds)
    needed = set().union(*(one.needs for one in wanted))
    directions: list[Direction] = [one for one in INDIRECT if one in needed]
    _check_size(screen, names, directions, wanted)
    screened, report = _split(study.pairs, screen, study.seed)
    first = [expand_world(worlds[name][directions[0]], study.model, study.encoding) for name in names]
    sites = [study.placed(world)[0][0] for world in first]
    scores = attribution_scores(
        study,
        sites,
        Interchange() if donor is None else donor,
        units=screened,
        directions=directions,
        steps=screen.steps,
        side=execution.padding_side,
        batch_size=execution.batch_size,
        progress=bound.how.progress,
    )
    weights = None if study.pairs.weight is None else study.pairs.weight[list(screened)]
    strength = _strongest([np.average(one, axis=1, weights=weights) for one in scores.values.values()])
    order = [int(index) for index in np.argsort(-strength, kind="stable")]
    chosen, others = order[: screen.k], sorted(order[screen.k :])
    same = _shared_tokens(study)
    rest = [index for index in others if not _cannot_matter(study, sites[index], same)]
    rng = np.random.default_rng([study.seed, 0x5C2EE])
    sample = sorted(int(index) for index in rng.choice(rest, min(screen.sample, len(rest)), replace=False))
    null = len(others) - len(rest)
    return Picked(screen, worlds, tuple(chosen), tuple(sample), strength, null, scores, tuple(screened), report)


def narrowed(study: Study, worlds: Sequence[World]) -> Study:
    """Return the study of some of its worlds, or of plain ones."""
    kept = tuple(dict.fromkeys(expand_world(world, study.model, study.encoding) for world in worlds))
    sites = {site for world in kept for site, _ in study.placed(world)}
    return replace(study, worlds=kept, places={site: at for site, at in study.places.items() if site in sites})


def _check_size(
    screen: Screen, names: Sequence[str], directions: Sequence[Direction], wanted: Sequence[AbstractEstimand]
) -> None:
    if screen.k >= len(names):
        raise DesignError(
            f"screen = {screen.k}, and the mediator has {len(names)} site{'' if len(names) == 1 else 's'}: there is "
            "nothing to leave out. Leave screen out, or give more sites, such as med.residual(at='each')."
        )
    if not directions:
        keys = ", ".join(repr(one.key) for one in wanted)
        raise DesignError(
            f"screen ranks sites by what putting in the other input's mediator does, and nothing is put in for {keys} "
            "alone. Ask for 'pnie' or 'tnie', or leave screen out."
        )


def _split(pairs: Pairs, screen: Screen, seed: int) -> tuple[list[int], tuple[int, ...] | None]:
    """Return the units that screen, and those that are reported (None for all)."""
    n = len(pairs)
    if screen.split is None:
        return list(range(n)), None
    clusters = np.arange(n) if pairs.cluster is None else np.unique(pairs.cluster, return_inverse=True)[1].ravel()
    labels = np.random.default_rng([seed, 0x5B117]).permutation(int(clusters.max()) + 1)
    first = labels[: round(screen.split * len(labels))]
    screens = np.isin(clusters, first)
    found, rest = np.flatnonzero(screens).tolist(), np.flatnonzero(~screens).tolist()
    if len(first) < 1 or len(labels) - len(first) < _FEW:
        what = "units" if pairs.cluster is None else "clusters"
        raise DesignError(
            f"Screen(split={screen.split}) of {len(labels)} {what} leaves {len(first)} to screen and "
            f"{len(labels) - len(first)} to report; at least 1 and {_FEW} are needed. Use another share, or give more "
            f"{what}."
        )
    return found, tuple(rest)


def _shared_tokens(study: Study) -> list[int]:
    """Return, for each unit, how many tokens a causal model reads before base and source differ; 0 if it is unknown."""
    found = []
    for unit in range(len(study.pairs)):
        base, source = (study.encoding.of(run, unit) for run in ("base", "source"))
        plain = study.model.is_causal and base.tokens_only and source.tokens_only
        if base.ids is None or source.ids is None or not plain:
            found.append(0)
            continue
        both = zip(base.ids.tolist(), source.ids.tolist(), strict=False)
        found.append(sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both)))
    return found


def _cannot_matter(study: Study, site: Site, same: Sequence[int]) -> bool:
    """Return True if a site lies, in every unit, before the first token in which base and source differ."""
    for unit, shared in enumerate(same):
        there, other = (study.positions(site, run, unit) for run in ("base", "source"))
        if not there or there != other or max(there) >= shared:
            return False
    return True


def _run(direction: Direction) -> Any:
    return "base" if direction == "y01" else "source"


def _strongest(means: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.max(np.abs(means), axis=0)
    return found
