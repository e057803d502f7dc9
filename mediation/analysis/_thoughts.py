"""Questions about thoughts: natural effects through one, and what changing one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from .._errors import DataError, DesignError, FlaggedUnitsWarning, warn
from ..engine import World
from ..estimands import estimands_from
from ..estimate import SiteInfo
from ..inference import Inference
from ..interventions import AbstractIntervention, Assignment, Donor
from ..models import Model
from ..outcomes import AbstractOutcome
from ..provenance import rollout_provenance
from ..results import Effects, summarise
from ..rollouts import Ran, check_site, check_world, plain_runs
from ..sites import ThoughtSite
from ..specs import LatentSpec
from ..units import Encoding, Pairs
from ._thought_options import ThoughtOptions
from ._thought_runs import ThoughtStudy, unparsed_rates

_GONE = ("never opened", "never closed", "nan")
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
    ran = _plain(study, ["base", "source"])
    sites = _expanded(site, study, ran)
    sweep = not site.is_concrete
    worlds, wanted = plan({str(one): one for one in sites}, sweep=sweep)
    labels = {name: {"site": name} for name in worlds}
    units, extra = _run(study, worlds, labels, ran)
    info = {str(one): SiteInfo(None, _step(one), None) for one in sites} if sweep else None
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
    study = _study(
        model, pairs, outcome, options, settings, encoding, n_draws=n_draws, segment=segment, reference=run
    )
    worlds = {key: {"y": World(run), "ym": World(run, arm)} for key, arm in arms.items()}
    for named in worlds.values():
        check_world(named["ym"], options.spec, len(pairs), pairs=pairs.source is not None)
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
    prepared = outcome.prepare(pairs, model)
    if prepared.judge is None and prepared.at != "last":
        raise DesignError(
            f"{outcome!r} is read at = {prepared.at!r}; in a rollout it is read right after the thought. Leave `at` out."
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
    )


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
    if not isinstance(study.options.spec, LatentSpec):
        return [site.with_(step="all")]
    segment = site.segment or 0
    lengths = [
        len(thought.latents[segment])
        for thought in (ran.thoughts.get(run, unit, draw) for run, unit, draw in ran.plain)
        if len(thought.latents) > segment and len(thought.latents[segment])
    ]
    if not lengths:
        raise DataError(_no_thoughts(study, ran))
    return [site.with_(step=step) for step in range(min(lengths))]


def _run(
    study: ThoughtStudy, worlds: Named, labels: Mapping[Any, Mapping[str, Any]], ran: Ran
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the worlds and return the unit-level frame, without the units that are left out, and what was found."""
    order = list(dict.fromkeys(world for named in worlds.values() for world in named.values()))
    spec, pairs = study.options.spec, study.pairs
    for world in order:
        check_world(world, spec, len(pairs), pairs=pairs.source is not None)
    study.options.progress.start(len(order) * len(pairs) * study.options.settings.max_new_tokens, "rollouts")
    values = study.run(order, ran)
    study.options.progress.close()
    flags = _flags(study, ran, values, order)
    kept = [unit for unit in range(len(pairs)) if unit not in flags]
    _tell(flags, len(pairs), study, ran)
    frames = []
    for key, named in worlds.items():
        frames.append(_frame(study, labels[key], named, order, values, kept, ran))
    names = {order.index(world): name for named in worlds.values() for name, world in named.items()}
    extra = {
        "units_left_out": {str(unit): flag for unit, flag in flags.items()},
        "unparsed": unparsed_rates(study, names, ran, lambda unit: unit not in flags),
        "worlds": len(order),
    }
    return pd.concat(frames, ignore_index=True), extra


def _frame(
    study: ThoughtStudy,
    labels: Mapping[str, Any],
    named: Mapping[str, World],
    order: Sequence[World],
    values: np.ndarray[Any, np.dtype[np.float64]],
    kept: Sequence[int],
    ran: Ran,
) -> pd.DataFrame:
    pairs, n = study.pairs, len(study.pairs)
    random = study.options.settings.sampling is not None or any(world.is_random for world in named.values())
    draws = study.n_draws if random else 1
    clusters = np.arange(n) if pairs.cluster is None else pairs.cluster
    weights = np.ones(n) if pairs.weight is None else pairs.weight
    columns: dict[str, Any] = dict(labels)
    columns["unit"] = np.repeat(kept, draws)
    columns["cluster"] = np.repeat(clusters[list(kept)], draws)
    columns["weight"] = np.repeat(weights[list(kept)], draws)
    columns["draw"] = np.tile(np.arange(draws), len(kept))
    donor = _donor(named)
    if donor is not None:
        who = np.array([[ran.thoughts.donor(donor, unit, draw) for draw in range(draws)] for unit in kept])
        columns["donor"] = who.reshape(-1)
    for name, world in named.items():
        columns[name] = values[order.index(world)][list(kept)][:, :draws].reshape(-1)
    return pd.DataFrame(columns)


def _donor(named: Mapping[str, World]) -> Donor | None:
    """Return what says which other unit was drawn as donor, if it is one kind of donor."""
    needs = {
        (need.unit, need.column): need
        for world in named.values()
        if world.assignment is not None
        for _, what in world.assignment.entries
        if isinstance(what, AbstractIntervention)
        for need in what.needs()
        if isinstance(need, Donor) and need.unit in ("derangement", "random", "matched")
    }
    return next(iter(needs.values())) if len(needs) == 1 else None


def _flags(
    study: ThoughtStudy, ran: Ran, values: np.ndarray[Any, np.dtype[np.float64]], order: Sequence[World]
) -> dict[int, str]:
    """Return the units that cannot be compared, and why."""
    found: dict[int, str] = {}
    counts: dict[int, set[int]] = {}
    for (run, unit, _), row in ran.plain.items():
        opened = len(ran.thoughts.get(run, unit, row.job.draw))
        counts.setdefault(unit, set()).add(opened)
        reason = next((flag for flag in row.flags if flag in _GONE), None)
        if reason is None and not opened:
            reason = "never opened"
        if reason is not None:
            found.setdefault(unit, reason)
    if study.segment is None and study.prepared.judge is not None:
        for unit, some in counts.items():
            if len(some) > 1:
                found.setdefault(unit, "different numbers of thoughts in the two runs")
    for (_, unit, _), row in sorted(ran.rows.items()):
        if row.stopped in ("flagged", "nan"):
            found.setdefault(unit, row.flags[-1])
    for unit in np.flatnonzero(np.isnan(values).any(axis=(0, 2))).tolist():
        found.setdefault(unit, "the thought of a world never closed, so its outcome was not read")
    return dict(sorted(found.items()))


def _tell(flags: Mapping[int, str], n: int, study: ThoughtStudy, ran: Ran) -> None:
    if not flags:
        return
    if len(flags) == n:
        raise DataError(_no_thoughts(study, ran))
    reasons: dict[str, list[int]] = {}
    for unit, reason in flags.items():
        reasons.setdefault(reason, []).append(unit)
    said = "; ".join(
        f"{reason}: {len(units)} (unit{'s' if len(units) > 1 else ''} {', '.join(map(str, units[:6]))}"
        f"{', ...' if len(units) > 6 else ''})"
        for reason, units in reasons.items()
    )
    warn(
        f"{len(flags)} of {n} units are left out, because their thoughts cannot be compared. {said}. Effects are of the "
        "other units, which may differ from these. med.rollout(model, inputs) shows what they say.",
        FlaggedUnitsWarning,
    )


def _no_thoughts(study: ThoughtStudy, ran: Ran) -> str:
    spec = study.options.spec
    start = spec.start if spec is not None else ""
    some = next(iter(ran.plain.values()))
    tokenizer = study.model.tokenizer
    said = repr(tokenizer.decode(some.ids)[:120]) if tokenizer is not None else str(some.ids[:20])
    flags = sorted({flag for row in ran.plain.values() for flag in row.flags}) or ["never opened"]
    return (
        f"No unit has a thought that can be compared (flags: {', '.join(flags)}). A thought opens where the model says "
        f"{start!r}, or where the prompt ends in it; the first unit says {said}. Check the spec, end the prompts with "
        f"{start!r}, or allow more tokens (max_new_tokens = {study.options.settings.max_new_tokens})."
    )


def _step(site: ThoughtSite) -> str:
    return str(site.step)

