"""The questions: `mediate` (direct and indirect effects) and `ablate` (what a site does for one input)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from ._checks import one_of, positive_int
from ._errors import DataError, DesignError
from .engine import Execution, Finished, Progress, World, expand_world, make_study, progress_for, run_study
from .engine._choose import backend_for
from .estimands import AbstractEstimand, estimands_from
from .estimate import SiteInfo, seed_from, summarise
from .inference import Inference
from .interventions import AbstractIntervention, Assignment, Interchange, Swap
from .models import Model, load
from .outcomes import AbstractOutcome
from .provenance import position_labels, versions
from .results import Effects
from .sites import Joint, Site, SiteSet
from .sites._positions import at_text
from .units import Encoding, Pairs, encode

Arms = Assignment | AbstractIntervention | Mapping[Any, Any]


def mediate(
    model: Any,
    pairs: Pairs,
    mediator: Site | SiteSet | Joint,
    outcome: AbstractOutcome,
    *,
    estimands: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None = None,
    ablation: AbstractIntervention | None = None,
    donor: Interchange | Swap | None = None,
    n_draws: int = 1,
    rng: int | np.random.Generator | None = None,
    method: Literal["bootstrap-t", "percentile"] = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    **execution: Any,
) -> Effects:
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
        A site; a `SiteSet` is a sweep, one row a site; ``sites.jointly()`` is one mediator.
    outcome
        One number per unit.
    estimands
        Keys such as ``["te", "pnie"]``; None for all that the worlds answer (for a sweep te, pnde, tnde,
        pnie, tnie, int_med). Only the worlds that they need are run.
    ablation
        An intervention m*; adds the worlds Y(0, m*) and Y(1, m*) and with them cde, int_ref and pe.
    donor
        ``Swap(...)`` puts in the mediator of another unit, drawn at random, and asks for the
        interventional effects ide, iie and oe instead; None is each unit's own.
    n_draws
        Draws of random donors or noise per unit; averaged within the unit.
    rng
        Seed or generator; the same gives the same numbers.
    method, confidence_level, n_resamples
        Of the intervals; see `effects`.
    **execution
        ``batch_size``, ``padding_side`` ("left" or "right"), ``backend`` ("nnsight", "hooks", "reference" or
        an object), ``fan_out``, ``checks`` and ``progress``: how it is run, never what comes out.

    Returns
    -------
    Effects

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
    run = _execution(execution)
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    _check_question(pairs, outcome, n_draws)
    encoding = encode(pairs, loaded)
    mediators = _mediators(mediator, loaded, encoding)
    sweep = isinstance(mediator, SiteSet)
    worlds, wanted = _mediation_worlds(mediators, donor, ablation, estimands, sweep=sweep)
    asked = [world for named in worlds.values() for world in named.values()]
    study = make_study(loaded, pairs, asked, outcome, seed=settings.seed, n_draws=n_draws, encoding=encoding)
    finished = run_study(study, run[0], run[1])
    units = _units_frame(finished, {site: {} for site in worlds}, worlds)
    info = {name: _site_info(one) for name, one in mediators.items()} if sweep else None
    intervention = repr(donor if donor is not None else Interchange())
    provenance = _provenance(finished, mediator, intervention, run[0])
    if ablation is not None:
        provenance["ablation"] = repr(ablation)
    return summarise(units, wanted, settings, sites=info, provenance=provenance)


def ablate(
    model: Any,
    pairs: Pairs,
    arms: Arms,
    outcome: AbstractOutcome,
    *,
    sites: Site | SiteSet | None = None,
    run: Literal["base", "source"] | None = None,
    n_draws: int = 1,
    rng: int | np.random.Generator | None = None,
    method: Literal["bootstrap-t", "percentile"] = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    **execution: Any,
) -> Effects:
    """Return ablation effects, AE(m*) = Y(x, M(x)) - Y(x, m*): what a site does for one input.

    There is no treatment contrast, so these are neither direct nor indirect effects.

    Parameters
    ----------
    model, pairs, outcome
        As in `mediate`.
    arms
        An assignment (``Zero().at(site)``), or a mapping from names to assignments; `doses` makes one for a
        dose-response curve. With `sites`: an intervention, or a mapping from names to interventions.
    sites
        Ablate each of these sites in turn.
    run
        Which input runs; by default the source where there is one (the intact run), else the base.
    n_draws, rng, method, confidence_level, n_resamples, **execution
        As in `mediate`.

    Returns
    -------
    Effects
        With columns ``arm``, ``dose`` and ``n_draws``.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError, BackendError
        As in `mediate`.
    """
    loaded = load(model) if not isinstance(model, Model) else model
    options = _execution(execution)
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    _check_question(pairs, outcome, n_draws)
    which = (
        one_of(run, ("base", "source"), what="run")
        if run is not None
        else ("base" if pairs.source is None else "source")
    )
    encoding = encode(pairs, loaded)
    named = _arms(arms, sites, loaded, encoding)
    worlds = {key: {"y": World(which), "ym": World(which, assignment)} for key, (_, assignment) in named.items()}
    asked = [world for pair in worlds.values() for world in pair.values()]
    study = make_study(loaded, pairs, asked, outcome, seed=settings.seed, n_draws=n_draws, encoding=encoding)
    finished = run_study(study, *options)
    labels = {key: {"site": key[0], "arm": key[1], "dose": key[2]} for key in named}
    units = _units_frame(finished, labels, worlds)
    what = "; ".join(dict.fromkeys(label for label, _ in named.values()))
    provenance = _provenance(finished, " & ".join(dict.fromkeys(key[0] for key in named)), what, options[0])
    provenance["run"] = which
    return summarise(units, estimands_from(("y", "ym"), ["ablation"]), settings, provenance=provenance)


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

    Examples
    --------
    >>> from mediation import GaussianNoise, mlp
    >>> list(doses(lambda scale: GaussianNoise(scale).at(mlp(1)), [0.5, 1.0]))
    [('GaussianNoise', 0.5), ('GaussianNoise', 1.0)]
    """
    arms = {}
    for level in levels:
        assignment = make(level)
        if not isinstance(assignment, Assignment):
            raise DesignError(
                f"doses: make({level}) returned {type(assignment).__name__}; an assignment such as GaussianNoise({level}).at(site) is needed."
            )
        arms[(name or type(assignment.entries[0][1]).__name__, float(level))] = assignment
    return arms


def _execution(options: dict[str, Any]) -> tuple[Execution, Progress]:
    known = ("backend", "batch_size", "checks", "fan_out", "padding_side", "progress")
    for name in options:
        one_of(name, known, what="argument")
    progress = progress_for(options.pop("progress", None))
    if options.get("batch_size") is not None:
        positive_int(options["batch_size"], what="batch_size")
    one_of(options.get("padding_side", "left"), ("left", "right"), what="padding_side")
    backend = backend_for(options.pop("backend", "nnsight"))
    return Execution(backend=backend, **options), progress


def _check_question(pairs: object, outcome: object, n_draws: int) -> None:
    if not isinstance(pairs, Pairs):
        raise DataError(
            f"pairs is {type(pairs).__name__}; mediation.Pairs(base=..., source=...) or Pairs.from_frame(...) is needed."
        )
    if not isinstance(outcome, AbstractOutcome):
        raise DesignError(
            f"outcome is {type(outcome).__name__}; one such as med.LogitDiff('answer', 'foil') is needed, or a function "
            "decorated with @med.outcome."
        )
    positive_int(n_draws, what="n_draws")


def _mediators(mediator: Site | SiteSet | Joint, model: Model, encoding: Encoding) -> dict[str, SiteSet]:
    """Return the mediators by name, each the sites that are patched together."""
    if isinstance(mediator, Site):
        return (
            {str(mediator): SiteSet((mediator,)).expand(model, encoding)}
            if mediator.is_concrete
            else _mediators(SiteSet((mediator,)), model, encoding)
        )
    if isinstance(mediator, Joint):
        sites = mediator.sites.expand(model, encoding)
        return {str(mediator): sites}
    if isinstance(mediator, SiteSet):
        return {str(site): SiteSet((site,)) for site in mediator.expand(model, encoding)}
    raise DesignError(
        f"mediator is {type(mediator).__name__}; a site is needed, such as med.residual(12, at='last') or med.Site('encoder.fc1')."
    )


def _assign(sites: SiteSet, what: AbstractIntervention) -> Assignment:
    return Assignment(tuple((site, what) for site in sites))


def _mediation_worlds(
    mediators: Mapping[str, SiteSet],
    donor: Interchange | Swap | None,
    ablation: AbstractIntervention | None,
    estimands: Any,
    *,
    sweep: bool,
) -> tuple[dict[Any, dict[str, World]], tuple[AbstractEstimand, ...]]:
    """Return the named worlds of every mediator, and the estimands that they answer."""
    random = isinstance(donor, Swap)
    if donor is not None and not isinstance(donor, (Interchange, Swap)):
        raise DesignError(
            f"donor is {type(donor).__name__}; Swap(...) for random donors, or None for each unit's own, is needed."
        )
    if ablation is not None and not isinstance(ablation, AbstractIntervention):
        raise DesignError(
            f"ablation is {type(ablation).__name__}; an intervention such as med.Zero() is needed, without a site."
        )
    plain = ["g00", "g01", "g10", "g11"] if random else ["y00", "y01", "y10", "y11"]
    possible = [*plain, "y0m", "y1m"] if ablation is not None else plain
    wanted = estimands_from(possible, estimands)
    if sweep and estimands is None:
        wanted = tuple(one for one in wanted if one.denominator is None)
    needed = set().union(*(one.needs for one in wanted))
    built: dict[Any, dict[str, World]] = {}
    for name, sites in mediators.items():
        made = {
            "y00": lambda: World("base"),
            "y11": lambda: World("source"),
            "y01": lambda s=sites: World("base", _assign(s, Interchange())),
            "y10": lambda s=sites: World("source", _assign(s, Interchange())),
        }
        if isinstance(donor, Swap):
            from_base, from_source = (_swap(donor, side) for side in ("base", "source"))
            made["g00"] = lambda s=sites, w=from_base: World("base", _assign(s, w))
            made["g01"] = lambda s=sites, w=from_source: World("base", _assign(s, w))
            made["g10"] = lambda s=sites, w=from_base: World("source", _assign(s, w))
            made["g11"] = lambda s=sites, w=from_source: World("source", _assign(s, w))
        if ablation is not None:
            made["y0m"] = lambda s=sites, w=ablation: World("base", _assign(s, w))
            made["y1m"] = lambda s=sites, w=ablation: World("source", _assign(s, w))
        built[name] = {key: made[key]() for key in made if key in needed}
    return built, wanted


def _swap(donor: Swap, run: str) -> Swap:
    from dataclasses import replace

    return replace(donor, run=run)  # type: ignore[arg-type]


def _units_frame(
    finished: Finished, labels: Mapping[Any, Mapping[str, Any]], worlds: Mapping[Any, Mapping[str, World]]
) -> pd.DataFrame:
    """Return the unit-level frame: one row a site (or arm), unit and draw."""
    study = finished.study
    pairs, n = study.pairs, len(study.pairs)
    index = {world: i for i, world in enumerate(study.worlds)}
    clusters = np.arange(n) if pairs.cluster is None else pairs.cluster
    weights = np.ones(n) if pairs.weight is None else pairs.weight
    frames = []
    for key, named in worlds.items():
        expanded = {name: expand_world(world, study.model, study.encoding) for name, world in named.items()}
        draws = max(study.draws_of(world) for world in expanded.values())
        columns: dict[str, Any] = dict(labels[key]) or {"site": key}
        columns["unit"] = np.repeat(np.arange(n), draws)
        columns["cluster"] = np.repeat(np.asarray(clusters, dtype=object if pairs.cluster is not None else None), draws)
        columns["weight"] = np.repeat(weights, draws)
        columns["draw"] = np.tile(np.arange(draws), n)
        for name, world in expanded.items():
            columns[name] = finished.values[index[world], :, :draws].reshape(-1)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _site_info(sites: SiteSet) -> SiteInfo:
    site = sites.sites[0]
    unit = (
        site.head
        if isinstance(site.head, int)
        else site.units[0]
        if isinstance(site.units, tuple) and len(site.units) == 1
        else None
    )
    return SiteInfo(site.layer, at_text(site.at), unit)


def _arms(
    arms: Any, sites: Any, model: Model, encoding: Encoding
) -> dict[tuple[str, str, float], tuple[str, Assignment]]:
    """Return the arms by (site, name, dose)."""
    if isinstance(arms, (Assignment, AbstractIntervention)):
        arms = {
            repr(arms)
            if isinstance(arms, AbstractIntervention)
            else " | ".join(repr(what) for _, what in arms.entries): arms
        }
    if not isinstance(arms, Mapping) or not arms:
        raise DesignError(
            f"arms is {type(arms).__name__}; an assignment such as med.Zero().at(site), or a mapping from names to assignments, is needed."
        )
    found = {}
    for key, arm in arms.items():
        name, dose = (str(key[0]), float(key[1])) if isinstance(key, tuple) else (str(key), np.nan)
        if sites is None:
            if not isinstance(arm, Assignment):
                raise DesignError(
                    f"arm {name!r} is {arm!r}, an intervention without a site. Place it: {arm!r}.at(site), or give sites=..."
                )
            where = " & ".join(
                dict.fromkeys(
                    str(site) if isinstance(site, Site) else " & ".join(map(str, site)) for site, _ in arm.entries
                )
            )
            found[(where, name, dose)] = (repr(arm), arm)
            continue
        if not isinstance(arm, AbstractIntervention):
            raise DesignError(
                f"arm {name!r} is {type(arm).__name__}; with sites=... an intervention without a site is needed."
            )
        several = sites if isinstance(sites, SiteSet) else SiteSet((sites,))
        for site in several.expand(model, encoding):
            found[(str(site), name, dose)] = (repr(arm), arm.at(site))
    return found


def _provenance(finished: Finished, mediator: object, intervention: str, execution: Execution) -> dict[str, Any]:
    study = finished.study
    pairs = study.pairs
    report = dict(finished.report)
    checks = {name: report.pop(name) for name in ("consistency", "sample")}
    return {
        "model": study.model.describe(),
        "outcome": study.prepared.label,
        "mediator": str(mediator) if not isinstance(mediator, SiteSet) else _short(mediator),
        "intervention": intervention,
        "pairs": {
            "n": len(pairs),
            "base": pairs.columns[0],
            "source": pairs.columns[1],
            "cluster": pairs.cluster_name or ("given" if pairs.cluster is not None else ""),
        },
        "seed": study.seed,
        "plan": {
            "worlds": len(study.worlds),
            "n_draws": study.n_draws,
            "padding_side": execution.padding_side,
            **report,
        },
        "checks": checks,
        "versions": versions(),
        "position_labels": position_labels(study.encoding),
    }


def _short(sites: SiteSet) -> str:
    return (
        " | ".join(map(str, sites)) if len(sites) < 4 else f"{len(sites)} sites: {sites.sites[0]} ... {sites.sites[-1]}"
    )
