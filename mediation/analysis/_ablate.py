"""Ablation effects: what a site does for one input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, Literal, Unpack, overload

import numpy as np
from torch import nn

from .._checks import called, elements, number, one_of, shown
from ..engine import SweepPlan, World
from ..errors import DesignError
from ..estimands import estimands_from
from ..estimate import seed_from
from ..inference import Inference, Method
from ..interventions import AbstractIntervention, AbstractRewrite, Assignment, InterventionFactory
from ..models import Model, load, runs
from ..outcomes import Outcomes
from ..results import Effects, summarise
from ..sites import Site, SiteSet, ThoughtSite
from ..units import Encoding, Pairs, encode
from ._asked import check_question, one_a_step
from ._dry_run import dry_run_of
from ._options import AblateChoices, PlanOptions, how_of
from ._outcomes import asked_of
from ._recheck import check_recheck, rechecked

_EFFECTS = estimands_from(("y", "ym"), ["ablation"])
Arms = Assignment | AbstractIntervention | Mapping[Any, Any]


@overload
def ablate(
    model: Any,
    pairs: Pairs,
    arms: Arms,
    outcome: Outcomes,
    *,
    dry_run: Literal[True],
    calibrate: bool = True,
    **options: Unpack[AblateChoices],
) -> SweepPlan: ...


@overload
def ablate(
    model: Any,
    pairs: Pairs,
    arms: Arms,
    outcome: Outcomes,
    *,
    dry_run: Literal[False] = False,
    **options: Unpack[AblateChoices],
) -> Effects: ...


@runs
def ablate(  # noqa: PLR0913
    model: Any,
    pairs: Pairs,
    arms: Arms,
    outcome: Outcomes,
    *,
    sites: Site | SiteSet | ThoughtSite | None = None,
    run: Literal["base", "source"] | None = None,
    n_draws: int = 1,
    rng: int | np.random.Generator | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    dry_run: bool = False,
    **execution: Unpack[PlanOptions],
) -> Effects | SweepPlan:
    """Return ablation effects, AE(m*) = Y(x, M(x)) - Y(x, m*): what a site does for one input.

    There is no treatment contrast, so these are neither direct nor indirect effects.

    Parameters
    ----------
    model, pairs, outcome
        As in `mediate`. For an outcome of what the model writes, the pass of the prompt is ablated, and no later one.
    arms
        An assignment (``Zero().at(site)``), or a mapping from names to assignments; `doses` makes one for a
        dose-response curve. With `sites`: an intervention, or a mapping from names to interventions.
    sites
        Ablate each of these sites in turn; or a thought, ``med.latents()`` or ``med.imagination()``.
    run
        Which input runs; by default the source where there is one (the intact run), else the base.
    n_draws, rng, method, confidence_level, n_resamples, dry_run, **execution
        As in `mediate`.

    Returns
    -------
    Effects
        With columns ``arm``, ``dose`` and ``n_draws``; or a `SweepPlan`, with ``dry_run=True``.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError, BackendError
        As in `mediate`.
    """
    loaded = load(model) if not isinstance(model, Model) else model
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    check_question(pairs, outcome, n_draws, settings)
    intact: Literal["base", "source"] = "base" if pairs.source is None else "source"
    which = one_of(intact if run is None else run, ("base", "source"), what="run")
    thoughts = _of_thoughts(arms, sites)
    planned = dry_run_of(dry_run, execution, ablate)
    how = how_of(execution, ablate, loaded, settings.seed, thought=thoughts, plain=(which,))
    check_recheck(loaded, how.execution)
    encoding = encode(pairs, loaded)
    named = _thought_arms(arms, sites) if thoughts else _arms(arms, sites, loaded, encoding)
    worlds = {key: {"y": World(which), "ym": World(which, assignment)} for key, (_, assignment) in named.items()}
    outcomes = asked_of(outcome, pairs, loaded)
    studies = outcomes.studies(how, loaded, pairs, worlds, n_draws=n_draws, encoding=encoding)
    if planned is not None:
        return planned(studies, worlds)
    finished = outcomes.run(studies)
    worlds = one_a_step(worlds, finished[0])
    labels = {key: {"site": key[0], "arm": key[1], "dose": key[2]} for key in worlds}
    units = outcomes.frame(finished, labels, worlds)
    where = " & ".join(dict.fromkeys(key[0] for key in named))
    what = "; ".join(dict.fromkeys(label for label, _ in named.values()))
    provenance = outcomes.provenance(finished, where, what, how.execution, worlds) | {"run": which}
    found = summarise(units, _EFFECTS, settings, provenance=provenance)
    return rechecked(found, finished, worlds, _EFFECTS, how.execution, outcomes.groups if outcomes.labels else None)


def doses(
    make: Callable[[float], Assignment], levels: Iterable[float], name: str = ""
) -> dict[tuple[str, float], Assignment]:
    """Return arms for `ablate`, one a dose.

    Parameters
    ----------
    make
        From a dose (a noise scale, a weight) to an assignment.
    levels
        The doses.
    name
        Name of the arm; by default that of the intervention.

    Raises
    ------
    DesignError
        If `make` is no function to assignments, or `levels` no list of numbers.

    Examples
    --------
    >>> from mediation import GaussianNoise, mlp
    >>> list(doses(lambda scale: GaussianNoise(scale).at(mlp(1)), [0.5, 1.0]))
    [('GaussianNoise', 0.5), ('GaussianNoise', 1.0)]
    """
    example = "doses(lambda scale: GaussianNoise(scale).at(site), [0.5, 1.0])"
    if not callable(make) or isinstance(make, (AbstractIntervention, nn.Module, type)):
        raise DesignError(
            f"doses: make is {shown(make)}; a function from a dose to an assignment is needed: {example}."
        )
    doses = elements(levels, what="doses: levels", needed=f"a list of numbers, {example},")
    if not isinstance(name, str):
        raise DesignError(f"doses: name = {shown(name)}; a text is needed, or leave it out.")
    arms: dict[tuple[str, float], Assignment] = {}
    for level in doses:
        dose = number(level, what="doses: a level", needed=f"a number, {example},")
        assignment = make(level)
        if not isinstance(assignment, Assignment):
            raise DesignError(
                f"doses: make({level!r}) returned {shown(assignment)}; an assignment is needed, placed by .at(site): "
                f"{example}."
            )
        arms[(name or type(assignment.entries[0][1]).__name__, dose)] = assignment
    return arms


def _of_thoughts(arms: Any, sites: Any) -> bool:
    """Return True if a thought is ablated."""
    given = arms.values() if isinstance(arms, Mapping) else (arms,)
    return isinstance(sites, ThoughtSite) or any(isinstance(arm, Assignment) and arm.thoughts() for arm in given)


def _thought_arms(arms: Any, sites: Any) -> dict[tuple[str, str, float], tuple[str, Assignment]]:
    """Return arms at thoughts by (site, name, dose), each with how it prints."""
    found: dict[tuple[str, str, float], tuple[str, Assignment]] = {}
    for (name, dose), arm in _named_arms(arms).items():
        if sites is not None and isinstance(arm, (AbstractIntervention, AbstractRewrite)):
            found[(str(sites), name, dose)] = (repr(arm.at(sites)), arm.at(sites))
            continue
        _check_arm(name, arm, alone=sites is not None)
        if not arm.thoughts():
            raise DesignError(f"arm {name!r} is {arm!r}, and other arms change a thought. Ask about them apart.")
        where = " & ".join(dict.fromkeys(str(site) for site, _ in arm.entries))
        found[(where, name, dose)] = (repr(arm), arm)
    return found


def _arms(
    arms: Any, sites: Any, model: Model, encoding: Encoding
) -> dict[tuple[str, str, float], tuple[str, Assignment]]:
    """Return the arms by (site, name, dose)."""
    if sites is not None and not isinstance(sites, (Site, SiteSet)):
        hint = f"med.Site({sites!r})" if isinstance(sites, str) else "med.mlp(8), or med.mlp(8) | med.mlp(9)"
        raise DesignError(
            f"sites is {called(sites)}; a site, or a set of sites to ablate in turn, is needed: {hint}. Several sites "
            "are ablated together by intervention.at(a | b)."
        )
    found: dict[tuple[str, str, float], tuple[str, Assignment]] = {}
    for (name, dose), arm in _named_arms(arms).items():
        _check_arm(name, arm, alone=sites is not None)
        if sites is None:
            where = " & ".join(dict.fromkeys(str(site) for site, _ in arm.entries))
            found[(where, name, dose)] = (repr(arm), arm)
            continue
        several = sites if isinstance(sites, SiteSet) else SiteSet((sites,))
        for site in several.expand(model, encoding):
            found[(str(site), name, dose)] = (repr(arm), arm.at(site))
    return found


def _named_arms(arms: Any) -> dict[tuple[str, float], Any]:
    if isinstance(arms, (AbstractIntervention, AbstractRewrite)):
        return {(repr(arms), np.nan): arms}
    if isinstance(arms, Assignment):
        return {(" | ".join(repr(what) for _, what in arms.entries), np.nan): arms}
    if isinstance(arms, InterventionFactory):
        raise DesignError(
            f"arms is {arms!r}, which makes interventions. Call it, and place it: {arms.name}().at(site)."
        )
    if not isinstance(arms, Mapping) or not arms:
        raise DesignError(
            f"arms is {'empty' if isinstance(arms, Mapping) else called(arms)}; an assignment such as "
            "med.Zero().at(site) is needed, or a mapping from names to assignments, such as "
            "{'zero': med.Zero().at(site)}."
        )
    named: dict[tuple[str, float], Any] = {}
    for key, arm in arms.items():
        parts = key if isinstance(key, tuple) else (key, np.nan)
        if len(parts) != 2 or isinstance(parts[1], bool) or not isinstance(parts[1], Real):
            raise DesignError(
                f"The name of an arm is {key!r}; a name or (name, dose) is needed, such as ('noise', 0.5)."
            )
        named[(str(parts[0]), float(parts[1]))] = arm
    return named


def _check_arm(name: str, arm: object, *, alone: bool) -> None:
    if isinstance(arm, Assignment) and alone:
        raise DesignError(
            f"arm {name!r} is {arm!r}, placed at a site, and sites=... says where already. Give one of them: "
            f"{arm.entries[0][1]!r} with sites=..., or {arm!r} without."
        )
    if isinstance(arm, AbstractIntervention) and not alone:
        raise DesignError(
            f"arm {name!r} is {arm!r}, an intervention without a site. Place it: {arm!r}.at(site), or give sites=..."
        )
    if not isinstance(arm, (Assignment, AbstractIntervention)):
        hint = f" Call it: {arm.name}()." if isinstance(arm, InterventionFactory) else ""
        raise DesignError(
            f"arm {name!r} is {called(arm)}; an assignment is needed, such as med.Zero().at(site), or an intervention "
            f"with sites=....{hint}"
        )
