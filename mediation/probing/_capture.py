"""Activations of plain runs, as states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from .._checks import called, listed, one_of, positive_int, shown
from ..engine import AbstractBackend, World, backend_for, main_tensor, make_study
from ..engine.captured import Activations
from ..engine.passes import Row, capture_rows
from ..engine.sizes import halving, split, tokens_per_pass
from ..engine.study import Layout
from ..engine.verify import check_captured, lay_out_rows
from ..errors import DataError, DesignError, SiteError
from ..interventions import Identity
from ..models import Model, load, runs
from ..outcomes import outcome
from ..rollouts import Trajectory, rollout
from ..sites import InputSite, Site, SiteSet, ThoughtSite
from ..specs import LatentSpec, Spec, TextSpec
from ..units import Encoded, Encoding, Pairs
from ._places import Layer, captured_site, input_tokens, latents_of, stacked, with_thoughts
from ._states import States


@runs
def capture(
    model: Any,
    inputs: Any,
    site: Site | SiteSet | ThoughtSite | InputSite,
    run: Literal["base", "source"] = "base",
    *,
    spec: Spec | None = None,
    layer: Layer = None,
    max_new_tokens: int = 64,
    batch_size: int | None = None,
    backend: str | AbstractBackend = "nnsight",
) -> States:
    """Return the states of plain runs at `site`, one row a unit.

    Parameters
    ----------
    model
        What `load` returns or takes.
    inputs
        `Pairs`, or what its `base` takes: prompts, texts, lists of token ids, a tensor. For ``latents()`` a
        `Trajectory` is enough: nothing is run again.
    site
        Where:

        - one site in the model, such as ``med.residual(12, at="last")``: activations of a forward pass;
        - ``med.latents()``: the vectors that a rollout feeds back, step by step;
        - ``med.imagination()``: hidden states at the tokens of the thought that the model writes, in one pass over the
          input and what was written;
        - ``med.image()`` (of an index, in a box), ``med.question()`` and ``med.prompt()``: hidden states at the tokens
          of that part of the input.
    run
        "base" or "source": the inputs that are run.
    spec, max_new_tokens
        Of the rollout, for thoughts; see `rollout`. Decoding is greedy.
    layer
        For parts of an input and written thoughts: a block, whose output is taken; "input", what the first block reads
        (embeddings, with the features of images in place); None, the last hidden state, after the final norm.
    batch_size, backend
        How it is run; see `mediate`.

    Returns
    -------
    States
        ``(units, steps, features)``, float32 (float64 for models in double precision). Units may differ in steps, and
        have none where they have no such thought. At plain modules, an activation of one row of features a unit is one
        step; other shapes are kept as they are.

    Raises
    ------
    SiteError
        If the site does not exist or stands for several.
    DataError
        If no unit has such a thought, or an input has no such part.
    DesignError
        If `layer` or `spec` does not go with `site`.
    BackendError
        If the model is random, or an activation of a row in a batch is not the one that the row has alone.

    Warns
    -----
    BatchDependenceWarning
        If rows depend on each other, so that fewer of them share a pass.

    Examples
    --------
    >>> import torch
    >>> import mediation as med
    >>> model = med.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)))
    >>> capture(model, torch.zeros(5, 3), med.Site("0"), backend="hooks")
    <States '0': 5 units, 1 step, 4 features>
    """
    _check(site, layer)
    if batch_size is not None:
        positive_int(batch_size, what="capture: batch_size")
    one_of(run, ("base", "source"), what="capture: run")
    if isinstance(inputs, Trajectory):
        if not (isinstance(site, ThoughtSite) and site.kind == "latents"):
            raise DesignError(
                f"capture: {site}: a Trajectory holds latents only. Give the inputs: capture(model, prompts, {site})."
            )
        return latents_of(inputs, site)
    loaded = model if isinstance(model, Model) else load(model)
    pairs = inputs if isinstance(inputs, Pairs) else Pairs(base=inputs)
    how: _How = (loaded, backend_for(backend), batch_size)
    if isinstance(site, (Site, SiteSet)):
        return _filled(_activations(how, pairs, site, run), str(site))
    encoded: Sequence[Encoded | None]
    if isinstance(site, InputSite):
        encoded = input_tokens(loaded, pairs, run, site)
    else:
        wanted = spec if spec is not None else loaded.spec
        _check_spec(site, wanted)
        trajectory = rollout(
            loaded, pairs.inputs(run), wanted, max_new_tokens=max_new_tokens, batch_size=batch_size, backend=how[1]
        )
        if site.kind == "latents":
            return latents_of(trajectory, site)
        encoded = with_thoughts(loaded, pairs, run, site, trajectory)
    place, where = captured_site(loaded, layer)
    kept = [one for one in encoded if one is not None]
    found = iter(_activations(how, Pairs(base=[[0]] * len(kept)), place, "base", Encoding({"base": tuple(kept)})))
    parts = [None if one is None else next(found) for one in encoded]
    empty = next(part for part in parts if part is not None)[:0]
    return _filled([empty if part is None else part for part in parts], f"{site}, {where}")


_How = tuple[Model, AbstractBackend, int | None]


def _activations(
    how: _How, pairs: Pairs, site: Site | SiteSet, run: Literal["base", "source"], encoding: Encoding | None = None
) -> list[Tensor]:
    """Return the activation of every unit at one site."""
    model, runner, batch_size = how
    study = make_study(model, pairs, [World(run, Identity().at(site))], _nothing(), seed=0, encoding=encoding)
    if len(study.places) != 1:
        raise SiteError(
            f"capture: {site} stands for {len(study.places)} sites here ({listed(map(str, study.places))}); one at a "
            "time is captured. Name one layer and one position, such as med.residual(12, at='last')."
        )
    held = Activations(study)
    (where,) = study.places

    def keep(rows: Sequence[Row]) -> None:
        capture_rows(study, runner, rows, [where], held)

    rows = [Row(-1, run, unit, 0) for unit in range(len(pairs))]
    tokens = tokens_per_pass(study.model)

    def batches_of(layout: Layout) -> list[list[Row]]:
        return list(split(rows, lambda row: study.length(run, row.unit), tokens=tokens, rows=batch_size, layout=layout))

    laid = lay_out_rows(study, "left", batches_of)
    laid.warn(type(model.module).__name__)
    batches = batches_of(laid.layout)
    for batch in batches:
        halving(keep, batch, lambda first, second: None)
    check_captured(study, where, batches, held)
    return [held.get(where, run, unit).cpu() for unit in range(len(pairs))]


def _filled(found: Sequence[Tensor], name: str) -> States:
    parts = [(one if one.dtype == torch.float64 else one.float()).numpy() for one in found]
    parts = [part[None] if part.ndim == 1 else part for part in parts]
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        raise DataError(
            f"capture: activations of {name} have shapes {listed(shapes)} after the first axis, depending on the unit, "
            "so they do not stack. Give inputs of one shape."
        )
    return stacked(parts, name)


def _check(site: Any, layer: Layer) -> None:
    if not isinstance(site, (Site, SiteSet, ThoughtSite, InputSite)):
        raise SiteError(
            f"capture: site is {called(site)}; a site is needed, such as med.residual(12, at='last'), med.latents(), "
            "med.imagination() or med.image()."
        )
    if layer is not None and isinstance(site, (Site, SiteSet)):
        raise DesignError(f"capture: layer = {shown(layer)}, and {site} says itself where it is. Leave layer out.")
    if layer is not None and isinstance(site, ThoughtSite) and site.kind == "latents":
        raise DesignError(
            f"capture: layer = {shown(layer)}: latents are the vectors that are fed, which have no layer; which hidden "
            "state they are is said by the spec (LatentSpec(hidden=...)). Leave layer out."
        )


def _check_spec(site: ThoughtSite, spec: Spec | None) -> None:
    kind, name = (LatentSpec, "LatentSpec, such as med.specs.MONET") if site.kind == "latents" else (
        TextSpec,
        "TextSpec, such as med.specs.CAPIMAGINE",
    )  # fmt: skip
    if not isinstance(spec, kind):
        found = "none is given" if spec is None else f"the spec is a {type(spec).__name__}"
        raise DesignError(f"capture: {site} needs a {name}, and {found}: capture(..., spec=...).")


def _nothing() -> Any:
    """Return an outcome that is 0: nothing but activations is asked for."""

    def nothing(output: Any) -> Any:
        tensor = main_tensor(output)
        assert tensor is not None
        return tensor.new_zeros(tensor.shape[0])

    return outcome(nothing)
