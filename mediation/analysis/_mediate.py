"""Direct and indirect effects of base against source, through a mediator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, Unpack, overload

import numpy as np

from .._checks import called
from ..engine import SweepPlan, World
from ..errors import DesignError
from ..estimands import AbstractEstimand, estimands_from
from ..estimate import SiteInfo, seed_from
from ..inference import Inference, Method
from ..interventions import AbstractIntervention, AbstractRewrite, Assignment, Donor, Interchange, Swap
from ..models import Model, load, runs
from ..outcomes import Outcomes
from ..results import Effects, OutcomeFamily, summarise
from ..sites import InputSite, Joint, Site, SiteSet, ThoughtSite, at_text
from ..units import Encoding, Pairs, encode
from ._asked import check_question, one_a_step
from ._dry_run import dry_run_of
from ._options import MediateChoices, PlanOptions, how_of
from ._outcomes import asked_of, check_family, is_sweep
from ._recheck import check_recheck, rechecked
from ._screen import Screen, check_screen, pick
from ._screening import screening

Mediator = Site | SiteSet | Joint | ThoughtSite
Places = tuple[Site | ThoughtSite, ...]  # that are changed together


@overload
def mediate(
    model: Any,
    pairs: Pairs,
    mediator: Mediator,
    outcome: Outcomes,
    *,
    dry_run: Literal[True],
    calibrate: bool = True,
    **options: Unpack[MediateChoices],
) -> SweepPlan: ...


@overload
def mediate(
    model: Any,
    pairs: Pairs,
    mediator: Mediator,
    outcome: Outcomes,
    *,
    dry_run: Literal[False] = False,
    **options: Unpack[MediateChoices],
) -> Effects: ...


@runs
def mediate(  # noqa: PLR0913
    model: Any,
    pairs: Pairs,
    mediator: Mediator,
    outcome: Outcomes,
    *,
    estimands: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None = None,
    ablation: AbstractIntervention | AbstractRewrite | None = None,
    donor: AbstractIntervention | None = None,
    n_draws: int = 1,
    rng: int | np.random.Generator | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    screen: int | Screen | None = None,
    family: OutcomeFamily = "outcome",
    dry_run: bool = False,
    **execution: Unpack[PlanOptions],
) -> Effects | SweepPlan:
    """Return the direct and indirect effects of base against source through a mediator.

    For every unit the four worlds Y(x, M(m)) are run: x is the input that runs, m the input whose mediator
    activation is put in (0 base, 1 source). All are observed, so no model of the mediator is assumed.

    Parameters
    ----------
    model
        What `load` returns or takes.
    pairs
        Units with base and source inputs.
    mediator
        A site; a `SiteSet` is a sweep, one row a site; ``sites.jointly()`` is one mediator. A thought,
        ``med.latents()`` or ``med.imagination()``, is replayed: Y(x, M(m)) is the answer to input x after the thought
        that the model had on input m.
    outcome
        One number per unit: of the logits after a prompt or, as `AnswerCorrect`, of what the model writes after it.
        Then the pass of the prompt is patched, at the positions of the site; the tokens that follow are decoded by the
        model as it is, with the patched keys and values in its cache. Several, in a list (named by what they are) or a
        mapping from names, are read in the same runs: the result has a column ``outcome``, and its rows are those that
        each would have alone.
    estimands
        Keys such as ``["te", "pnie"]``; None for all that the worlds answer (for a sweep te, pnde, tnde,
        pnie, tnie, int_med). Only the worlds that they need are run.
    ablation
        An intervention m*; adds the worlds Y(0, m*) and Y(1, m*) and with them cde, int_ref and pe.
    donor
        How the mediator of an input is put in. None is ``Interchange()``: all of it, the unit's own.
        ``Subspace(basis, Interchange())`` or ``Masked(Interchange(), mask)`` put in a part of it, which is then
        the mediator. ``Swap(...)`` puts in that of another unit, drawn at random, and asks for the
        interventional effects ide, iie and oe instead.
    n_draws
        Draws of random donors or noise per unit; averaged within the unit.
    rng
        Seed or generator; the same gives the same numbers.
    method, confidence_level, n_resamples
        Of the intervals; see `effects`.
    screen
        For a sweep: patch and report only so many sites, those of the largest `attribution` scores, and a random
        sample of the others to see what that missed. A number, or a `Screen`. The bands then hold for all sites.
    family
        What the bands of a sweep of several outcomes hold for: the sites of one ``"outcome"``, or the sites of
        ``"all"`` outcomes together, estimand by estimand.
    dry_run
        True returns the plan of the run, and runs no more than a few small passes to estimate its time; see
        `plan_sweep`.
    **execution
        ``batch_size``, ``padding_side`` ("left" or "right"), ``backend`` ("nnsight", "hooks", "reference" or
        an object), ``fan_out``, ``checks`` and ``progress``: how it is run, never what comes out. ``out`` is a
        folder that keeps finished pieces: the same call goes on where it was killed.
        ``precision="bfloat16"`` runs on a copy of the model in that type, which changes numbers by rounding:
        ``recheck`` (32) cells are recomputed in float32, and the provenance bounds the error. Where
        the model goes on after a prompt, for a thought or an outcome of what it writes: ``spec`` (by default the
        model's), ``max_new_tokens`` (64), ``stop``, ``sampling``, ``batch_size``, ``backend``, ``checks``, ``out`` and
        ``progress``; see `rollout`.

    Returns
    -------
    Effects
        Or a `SweepPlan`, with ``dry_run=True``.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For a question that cannot be asked, before the model runs on a batch.
    BackendError
        If patching a unit with itself is not neutral, or a recomputed cell does not agree.

    Notes
    -----
    TE = PNDE + TNIE = TNDE + PNIE = PNDE + PNIE + INTmed, unit by unit. A sweep has one row per estimand and
    site, with simultaneous bands over the sites of each estimand.
    """
    loaded = load(model) if not isinstance(model, Model) else model
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    check_question(pairs, outcome, n_draws, settings)
    check_family(family, outcome, mediator, pairs)
    screened, is_thought = check_screen(screen, mediator, donor, outcome), isinstance(mediator, ThoughtSite)
    planned = dry_run_of(dry_run, execution, mediate, screened=screened is not None)
    how = how_of(execution, mediate, loaded, settings.seed, thought=is_thought)
    check_recheck(loaded, how.execution)
    encoding = encode(pairs, loaded)
    mediators = _mediators(mediator, loaded, encoding)
    worlds, wanted = _mediation_worlds(mediators, donor, ablation, estimands, sweep=is_sweep(mediator))
    outcomes = asked_of(outcome, pairs, loaded)
    studies = outcomes.studies(how, loaded, pairs, worlds, n_draws=n_draws, encoding=encoding)
    if planned is not None:
        return planned(studies, worlds)
    picked = pick(studies[0], worlds, wanted, donor=donor, screen=screened)
    if picked is not None:
        mediators, worlds = picked.of(mediators), picked.of(worlds)
        studies = [replace(studies[0], study=picked.study(studies[0].study, outcomes.read[0]))]
    finished = outcomes.run(studies)
    mediators, worlds = one_a_step(mediators, finished[0]), one_a_step(worlds, finished[0])
    labels: dict[Any, dict[str, Any]] = {site: {} for site in worlds}
    units = outcomes.frame(finished, labels, worlds, same_units=family == "all")
    info = {name: _site_info(one) for name, one in mediators.items()} if is_sweep(mediator) else None
    put_in = repr(donor if donor is not None else Interchange())
    provenance = outcomes.provenance(finished, mediator, put_in, how.execution, worlds)
    provenance |= {} if ablation is None else {"ablation": repr(ablation)}
    account = None if picked is None else screening(picked, finished[0], settings, wanted, how.execution)
    provenance |= {} if account is None else {"screen": account}
    found = summarise(units, wanted, settings, sites=info, provenance=provenance, family=family)
    return rechecked(found, finished, worlds, wanted, how.execution, outcomes.groups if outcomes.labels else None)


def _mediators(mediator: object, model: Model, encoding: Encoding) -> dict[str, Places]:
    """Return the mediators by name, each the sites that are patched together."""
    if isinstance(mediator, ThoughtSite):
        return {str(mediator): (mediator,)}
    if isinstance(mediator, Site):
        return _mediators(SiteSet((mediator,)), model, encoding)
    if isinstance(mediator, Joint):
        return {str(mediator): tuple(mediator.sites.expand(model, encoding))}
    if isinstance(mediator, SiteSet):
        return {str(site): (site,) for site in mediator.expand(model, encoding)}
    hint = "Write such as med.residual(12, at='last'), or med.Site('encoder.fc1')."
    if isinstance(mediator, str):
        hint = f"Write med.Site({mediator!r})."
    elif isinstance(mediator, (list, tuple)):
        hint = "Join sites by |: a | b is a sweep, (a | b).jointly() is one mediator."
    elif isinstance(mediator, InputSite):
        hint = "What is done to an input makes the base: med.Pairs(base=med.do(source, ...), source=source)."
    elif isinstance(mediator, Assignment):
        hint = "Give the site alone; med.ablate(model, pairs, assignment, ...) asks what a site does for one input."
    raise DesignError(f"mediator is {called(mediator)}; a site or a set of sites is needed. {hint}")


def _assign(sites: Places, what: AbstractIntervention | AbstractRewrite | None) -> Assignment | None:
    return None if what is None else Assignment(tuple((site, what) for site in sites))


def _mediation_worlds(
    mediators: Mapping[str, Places],
    donor: AbstractIntervention | None,
    ablation: AbstractIntervention | AbstractRewrite | None,
    estimands: Any,
    *,
    sweep: bool,
) -> tuple[dict[Any, dict[str, World]], tuple[AbstractEstimand, ...]]:
    """Return the named worlds of every mediator, and the estimands that they answer."""
    _check_contrast(donor, ablation)
    plan: dict[str, tuple[Literal["base", "source"], AbstractIntervention | AbstractRewrite | None]] = {}
    if isinstance(donor, Swap):
        of_base, of_source = replace(donor, run="base"), replace(donor, run="source")
        plan |= {"g00": ("base", of_base), "g01": ("base", of_source)}
        plan |= {"g10": ("source", of_base), "g11": ("source", of_source)}
    else:
        own = Interchange() if donor is None else donor
        plan |= {"y00": ("base", None), "y01": ("base", own), "y10": ("source", own), "y11": ("source", None)}
    if ablation is not None:
        plan |= {"y0m": ("base", ablation), "y1m": ("source", ablation)}
    wanted = estimands_from(plan, estimands)
    if sweep and estimands is None:
        wanted = tuple(one for one in wanted if one.denominator is None)
    needed = set().union(*(one.needs for one in wanted))
    built: dict[Any, dict[str, World]] = {}
    for name, sites in mediators.items():
        built[name] = {key: World(run, _assign(sites, what)) for key, (run, what) in plan.items() if key in needed}
    return built, wanted


def _check_contrast(donor: object, ablation: object) -> None:
    reads = donor.needs() if isinstance(donor, AbstractIntervention) else frozenset()
    if donor is not None and not isinstance(donor, (Interchange, Swap)) and reads != {Donor()}:
        found = repr(donor) if isinstance(donor, AbstractIntervention) else called(donor)
        raise DesignError(
            f"donor is {found}; an intervention that puts in the other input's mediator, and nothing else, is needed. "
            "Leave it out for each unit's own mediator, or write med.Swap() for random donors, or such as "
            "med.Subspace(basis, med.Interchange()) for a part of it. What ablates the mediator is given as ablation=."
        )
    if isinstance(donor, Interchange) and donor.world is not None:
        raise DesignError(
            f"donor = {donor!r}: whose mediator is put in is what the worlds differ in. Ask what that world's does: "
            f"med.ablate(model, pairs, {donor!r}.at(site), outcome)."
        )
    if isinstance(donor, (Interchange, Swap)) and donor.run != type(donor)().run:
        raise DesignError(
            f"donor = {donor!r}: whose mediator is put in is what the worlds differ in. Leave run={donor.run!r} out."
        )
    if isinstance(ablation, Assignment):
        raise DesignError(
            f"ablation = {ablation!r} is placed at a site already, and ablation is placed at the mediator. Write "
            f"ablation={ablation.entries[0][1]!r}."
        )
    if ablation is not None and not isinstance(ablation, (AbstractIntervention, AbstractRewrite)):
        raise DesignError(f"ablation is {called(ablation)}; an intervention is needed, such as med.Zero().")


def _site_info(sites: Places) -> SiteInfo:
    site = sites[0]
    if isinstance(site, ThoughtSite):
        return SiteInfo(None, str(site.step))
    feature = site.units[0] if isinstance(site.units, tuple) and len(site.units) == 1 else None
    return SiteInfo(site.layer, at_text(site.at), site.head if isinstance(site.head, int) else None, feature)
