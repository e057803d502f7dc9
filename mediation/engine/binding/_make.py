"""Binding worlds to units and model: everything is checked before the first batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from ...errors import DesignError, OutcomeError
from ...models import Model
from ...outcomes import AbstractOutcome, Prepared, Several
from ...sites import Site, resolve
from ...units import Encoding, Pairs, encode
from ..study import Study, World
from ._first import first_run
from ._world_checks import check_worlds


def make_study(
    model: Model,
    pairs: Pairs,
    worlds: Sequence[World],
    outcome: AbstractOutcome,
    *,
    seed: int,
    n_draws: int = 1,
    encoding: Encoding | None = None,
) -> Study:
    """Bind worlds to units and model, and check them.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For whatever cannot be run, before the model runs on a batch (one input is run once, to learn the
        order in which modules are called).
    """
    if any(world.run == "source" for world in worlds):
        pairs.inputs("source")
    encoding = encode(pairs, model) if encoding is None else encoding
    prepared = outcome.prepare(pairs, model)
    several = outcome.outcomes if isinstance(outcome, Several) else (outcome,) * len(prepared.each)
    for one, part in zip(several, prepared.each, strict=True):
        _check_outcome(one, part, encoding)
    inner = {world: _expand(world, model, encoding) for world in inside(worlds)}
    if any(world.run == "source" for world in inner):
        pairs.inputs("source")
    expanded = tuple(dict.fromkeys([*(_expand(world, model, encoding) for world in worlds), *inner.values()]))
    sites = {site for world in expanded if world.assignment for site, _ in world.assignment.placed()}
    places = {site: resolve(site, model) for site in sorted(sites, key=str)}
    study = Study(
        model=model,
        pairs=pairs,
        encoding=encoding,
        prepared=prepared,
        worlds=expanded,
        places=places,
        order={},
        seed=seed,
        n_draws=n_draws,
        sampled=prepared.reader is not None and prepared.reader.sampled,
        inner=inner,
    )
    check_worlds(study)
    stops = {(place.path, place.io) for place in places.values()} | _block_ends(model, sites)
    return first_run(study, sorted(stops))


def _check_outcome(outcome: AbstractOutcome, prepared: Prepared, encoding: Encoding) -> None:
    """Raise an error for an outcome that single forward passes, or these inputs, do not have."""
    if prepared.of_rollout and prepared.reader is None:
        raise DesignError(
            f"{outcome!r} is read off a generation, and this question runs single forward passes. Use an outcome of "
            "logits, such as med.LogitDiff('answer', 'foil'), or ask med.mediate or med.ablate, which generate."
        )
    if prepared.continuation and any(one.ids is None for run in encoding.runs.values() for one in run):
        raise OutcomeError(
            f"{outcome!r} has answers of several tokens, which follow the tokens of an input, and the inputs are "
            "tensors. Give texts, med.Prompt(text, images) or token ids; or answers of one token."
        )


def inside(worlds: Iterable[World]) -> tuple[World, ...]:
    """Return the worlds whose activations are put in, to any depth, as they are written."""
    found: dict[World, None] = {}
    todo = [donor for world in worlds for donor in world.donors]
    while todo:
        donor = todo.pop()
        if donor not in found:
            found[donor] = None
            todo += donor.donors
    return tuple(found)


def _block_ends(model: Model, sites: Collection[Site]) -> set[tuple[str, Literal["output"]]]:
    """Return the ends of the blocks before those that hold a site, where a fanned-out batch may grow."""
    inside = {site.layer for site in sites if site.kind in ("attention", "mlp", "neurons") and model.is_causal}
    return {(model.known_architecture().path(layer - 1), "output") for layer in inside if layer}


def expand_world(world: World, model: Model, encoding: Encoding) -> World:
    """Return the world with every site spelled out."""
    return _expand(world, model, encoding)


def _expand(world: World, model: Model, encoding: Encoding) -> World:
    if world.assignment is None:
        return world
    return World(world.run, world.assignment.expand(model, encoding))
