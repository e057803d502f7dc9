"""Questions about thoughts: natural effects through one, and what changing one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from ...engine import World
from ...errors import DataError, DesignError
from ...estimands import estimands_from
from ...estimate import SiteInfo
from ...inference import Inference
from ...interventions import Assignment
from ...models import Model
from ...outcomes import AbstractOutcome
from ...provenance import rollout_provenance
from ...results import Effects, summarise
from ...rollouts import Ran, check_site, check_world, plain_runs, questions_of
from ...sites import ThoughtSite
from ...units import Encoding, Pairs
from .._options import ThoughtOptions
from ._checks import check_rollouts, settle
from ._frame import frame_of, no_thoughts, odd_units, tell
from ._runs import ThoughtStudy, unparsed_rates

Named = dict[Any, dict[str, World]]


def mediate_thought(
    model: Model,
    pairs: Pairs,
    site: ThoughtSite,
    outcome: AbstractOutcome,
    plan: Callable[..., tuple[Named, Any]],
    *,
    options: ThoughtOptions,
    settings: Inference,
    encoding: Encoding,
    n_draws: int,
    intervention: str,
) -> Effects:
    """Return direct and indirect effects through a thought; see `mediate`.

    `plan` makes the named worlds and the estimands of mediators by name.
    """
    check_site(site, options.spec)
    study = _study(model, pairs, outcome, options, settings, encoding, n_draws=n_draws, segment=site.segment)
    sweep = not site.is_concrete
    asked, _ = plan({str(site): site.with_(step=0) if sweep else site}, sweep=sweep)
    _check(asked, study)
    ran = _plain(study, ["base", "source"])
    sites = _expanded(site, study, ran)
    worlds, wanted = plan({str(one): one for one in sites}, sweep=sweep)
    labels = {name: {"site": name} for name in worlds}
    units, extra = _run(study, worlds, labels, ran)
    info = {str(one): SiteInfo(None, _step(one)) for one in sites} if sweep else None
    provenance = rollout_provenance(study, str(site), intervention, extra)
    return summarise(units, wanted, settings, sites=info, provenance=provenance)


def ablate_thought(
    model: Model,
    pairs: Pairs,
    arms: Mapping[tuple[str, str, float], Assignment],
    outcome: AbstractOutcome,
    *,
    run: Literal["base", "source"],
    options: ThoughtOptions,
    settings: Inference,
    encoding: Encoding,
    n_draws: int,
) -> Effects:
    """Return what changing a thought does to one input; see `ablate`. Arms are named by site, name and dose."""
    segments = {site.segment for arm in arms.values() for site, _ in arm.thoughts()}
    segment = max((one for one in segments if one is not None), default=None)
    study = _study(model, pairs, outcome, options, settings, encoding, n_draws=n_draws, segment=segment, reference=run)
    worlds = {key: {"y": World(run), "ym": World(run, arm)} for key, arm in arms.items()}
    _check(worlds, study)
    needed = plain_runs([world for named in worlds.values() for world in named.values()])
    ran = _plain(study, needed)
    labels = {key: {"site": key[0], "arm": key[1], "dose": key[2]} for key in worlds}
    units, extra = _run(study, worlds, labels, ran)
    what = "; ".join(dict.fromkeys(repr(arm) for arm in arms.values()))
    where = " & ".join(dict.fromkeys(key[0] for key in arms))
    provenance = rollout_provenance(study, where, what, extra) | {"run": run}
    return summarise(units, estimands_from(("y", "ym"), ["ablation"]), settings, provenance=provenance)


def _study(
    model: Model,
    pairs: Pairs,
    outcome: AbstractOutcome,
    options: ThoughtOptions,
    settings: Inference,
    encoding: Encoding,
    *,
    n_draws: int,
    segment: int | None,
    reference: str = "base",
) -> ThoughtStudy:
    prepared = outcome.prepare(pairs.answered_after(_end(options), strictly=False), model)
    if prepared.judge is None and prepared.at != "last":
        raise DesignError(
            f"{outcome!r} is read at = {prepared.at!r}; in a rollout it is read right after the thought. "
            "Leave `at` out."
        )
    return ThoughtStudy(
        model=model,
        pairs=pairs,
        encoding=encoding,
        prepared=prepared,
        options=options,
        seed=settings.seed,
        n_draws=n_draws,
        segment=segment,
        reference=reference,
        questions=questions_of(options.spec, pairs, encoding, model),
    )


def _end(options: ThoughtOptions) -> str:
    """Return the text after which an outcome of logits is read."""
    return "" if options.spec is None else options.spec.end


def _check(worlds: Named, study: ThoughtStudy) -> None:
    """Check every world before anything runs."""
    for world in dict.fromkeys(world for named in worlds.values() for world in named.values()):
        check_world(world, study.options.spec, len(study.pairs), pairs=study.pairs.source is not None)


def _plain(study: ThoughtStudy, runs: Sequence[str]) -> Ran:
    for run in runs:
        study.pairs.inputs(run)
    needed = list(dict.fromkeys([study.reference, *runs]))
    total = len(study.pairs) * len(needed) * study.options.settings.max_new_tokens
    study.options.progress.start(total, "plain rollouts")
    ran = study.plain(needed)
    study.report["plain_rows"] = len(ran.plain)
    return ran


def _expanded(site: ThoughtSite, study: ThoughtStudy, ran: Ran) -> list[ThoughtSite]:
    """Return the single sites that `site` stands for: the steps that all thoughts have."""
    if site.is_concrete:
        return [site]
    segment = site.segment or 0
    lengths = [
        len(thought.latents[segment])
        for thought in (ran.thoughts.get(run, unit, draw) for run, unit, draw in ran.plain)
        if len(thought.latents) > segment and len(thought.latents[segment])
    ]
    if not lengths:
        raise DataError(no_thoughts(study, ran, ["never opened"]))
    return [site.with_(step=step) for step in range(min(lengths))]


def _run(
    study: ThoughtStudy, worlds: Named, labels: Mapping[Any, Mapping[str, Any]], ran: Ran
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the worlds and return the unit-level frame, without the units that are left out, and what was found."""
    order = list(dict.fromkeys(world for named in worlds.values() for world in named.values()))
    pairs = study.pairs
    study.options.progress.start(len(order) * len(pairs) * study.options.settings.max_new_tokens, "rollouts")
    values = study.run(order, ran)
    checks = check_rollouts(study, order, ran, values)
    study.report |= {"checks": checks, **settle(study, order, ran, values, checks)}
    study.options.progress.close()
    flags = odd_units(study, ran, values)
    kept = [unit for unit in range(len(pairs)) if unit not in flags]
    tell(flags, len(pairs), study, ran)
    frames = []
    for key, named in worlds.items():
        frames.append(frame_of(study, labels[key], named, order=order, values=values, kept=kept, ran=ran))
    names = {
        order.index(world): labels[key].get("arm") or name if name == "ym" else name
        for key, named in worlds.items()
        for name, world in named.items()
    }
    extra = {
        "units_left_out": {str(unit): flag for unit, flag in flags.items()},
        "unparsed": unparsed_rates(study, names, ran, lambda unit: unit not in flags),
        "worlds": len(order),
    }
    return pd.concat(frames, ignore_index=True), extra


def _step(site: ThoughtSite) -> str:
    return str(site.step)
