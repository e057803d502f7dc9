"""One input, run once before the rest: the order of modules, and whether outcome and interventions fit the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...errors import DataError, DesignError, MediationError, OutcomeError, SiteError
from ...interventions import AbstractIntervention, Interchange, Mean, Swap, Zero, applied
from ...models import Model, own_thread
from ...outcomes import Prepared
from ...sites import Place, Site, at_text, positions_of
from ..backends import execution_order, main_tensor
from ..passes import Batch, Selection, last_logits, make_batch, read, reading, sees_logits
from ..study import Study, Unembedding
from ._feature_axis import with_axes
from ._find_unembedding import find_unembedding

_ALWAYS_FIT = (Interchange, Swap, Mean, Zero)


def first_run(study: Study, stops: Sequence[tuple[str, str]]) -> Study:
    """Run the first unit once, plain; return the study with when each of `stops` is reached, and where features are.

    With what that pass shows, the outcome is read and every intervention is called, so that neither fails after
    an hour of batches.

    Raises
    ------
    DataError
        If the model cannot run the input.
    SiteError, OutcomeError, DesignError, BackendError
        If a module is not called once, or the outcome or an intervention does not fit.
    """
    _check_read_at(study)
    if study.prepared.reader is not None:
        study.prepared.reader.check(study)
    run, continuation = study.worlds[0].run, study.prepared.continuation
    batch = make_batch(study.model, [study.encoding.of(run, 0)], [continuation[0]] if continuation else None)
    outputs: list[Any] = []
    places: set[tuple[str, str]] = {(place.path, place.io) for place in study.places.values()}
    with _kept(study.model, places, outputs) as activations:
        try:
            order = execution_order(study.model, batch.inputs, stops)
        except (MediationError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            tensors = {name or "input": x for name, x in batch.inputs.items() if isinstance(x, Tensor)}
            given = [f"{name} of shape {tuple(tensor.shape)}" for name, tensor in tensors.items()]
            raise DataError(
                f"{type(study.model.module).__name__} cannot run the {run} input of unit 0 ({', '.join(given)}). "
                f"It says: {type(error).__name__}: {error}. Give inputs with which the module runs by itself."
            ) from error
    if study.prepared.reader is None:
        _try_outcome(study, batch, run, outputs[-1])
    study = replace(study, order=order, places=with_axes(study, batch, activations))
    _try_interventions(study, batch, run, activations)
    if any(part.asked is None for part in study.prepared.each) or not study.model.is_language_model:
        return study
    return study if sees_logits(study) else replace(study, unembedding=_unembedding(study, batch, run, outputs[-1]))


def _unembedding(study: Study, batch: Batch, run: str, output: Any) -> Unembedding | None:
    """Return the unembedding, if every outcome can be read from a part of it."""
    found = []
    for part in study.prepared.each:
        alone = replace(study, prepared=part)
        full = last_logits(alone, batch, [(run, 0)])[1](output)[0]
        found.append(find_unembedding(alone, batch, (run, 0), full))
    return None if None in found else found[0]


def _check_read_at(study: Study) -> None:
    """Check that the outcomes are read at one token of every input, or at tokens that have some before them."""
    for part in study.prepared.each:
        if part.at != "last":
            _check_at(study, part)


def _check_at(study: Study, part: Prepared) -> None:
    at = part.at
    for run in dict.fromkeys(world.run for world in study.worlds):
        for unit in range(len(study.pairs)):
            encoded = study.encoding.of(run, unit)
            if encoded.length is None:
                raise OutcomeError(
                    f"The outcome is read at = {at!r}, and the inputs are tensors, which have no tokens. Pick the "
                    "position in a function of the output: @med.outcome."
                )
            try:
                where = positions_of(at, encoded.length, encoded.spans, f"{run} input of unit {unit}")
            except SiteError as error:
                told = f"{part.label}:" if part.of_input else "The outcome is read at one token."
                raise OutcomeError(f"{told} {error}") from None
            if part.of_input:
                _check_before(part, where, f"{run} input of unit {unit}")
            elif len(where) != 1:
                raise OutcomeError(
                    f"The outcome is read at = {at!r}, which is {len(where)} tokens of the {run} input of unit {unit}; "
                    f"one is needed, such as {at + '.last'!r}."
                )


def _check_before(part: Prepared, where: Sequence[int], told: str) -> None:
    if not where or min(where) == 0:
        found = "is no token" if not where else "has the first token"
        raise OutcomeError(
            f"{part.label}: at = {at_text(part.at)} {found} of the {told}, and tokens are scored given those before "
            "them. Name a span that begins later, or such as at=slice(1, None)."
        )


@contextmanager
def _kept(model: Model, places: set[tuple[str, str]], outputs: list[Any]) -> Iterator[dict[tuple[str, str], Tensor]]:
    """Keep what the model puts out and what passes by at `places`, while the context is open."""
    held: dict[tuple[str, str], Tensor] = {}

    def keep(key: tuple[str, str], value: Any) -> None:
        tensor = main_tensor(value)
        if tensor is not None:
            held[key] = tensor

    out = own_thread(lambda _, __, output: outputs.append(output))
    handles: list[Any] = [model.module.register_forward_hook(out)]
    for path, io in places:
        module, key = model.module.get_submodule(path), (path, io)
        if io == "output":
            handles.append(module.register_forward_hook(own_thread(lambda _, __, output, key=key: keep(key, output))))
        elif io == "input":
            handles.append(
                module.register_forward_pre_hook(
                    own_thread(
                        lambda _, args, named, key=key: keep(key, args[0] if args else next(iter(named.values())))
                    ),
                    with_kwargs=True,
                )
            )
    try:
        yield held
    finally:
        for handle in handles:
            handle.remove()


def _try_outcome(study: Study, batch: Batch, run: str, output: Any) -> None:
    for part in study.prepared.each:
        _try_one(replace(study, prepared=part), batch, [(run, 0)], output)


def _try_one(study: Study, batch: Batch, rows: Sequence[tuple[str, int]], output: Any) -> None:
    reference = last_logits(study, batch, rows)[1](output) if study.prepared.uses_reference else None
    finish = reading(study, batch, rows, reference)[1]
    try:
        float(finish(output))
    except (MediationError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise OutcomeError(
            f"The outcome {study.prepared.label!r} cannot be computed from the model's output {_shape(output)}. It "
            f"says: {type(error).__name__}: {error}. Call its function by itself on such an output to see where."
        ) from error


def _shape(output: Any) -> str:
    tensor = main_tensor(output)
    return type(output).__name__ if tensor is None else f"of shape {tuple(tensor.shape)}"


def _try_interventions(study: Study, batch: Batch, run: str, activations: dict[tuple[str, str], Tensor]) -> None:
    tried: set[tuple[Place, AbstractIntervention]] = set()
    for world in study.worlds:
        entries = world.assignment.placed() if world.assignment is not None and world.run == run else ()
        for site, what in entries:
            place = study.places[site]
            if place.io == "pattern" or (place, what) in tried:
                continue
            tried.add((place, what))
            held = activations.get((place.path, place.io))
            if held is None:
                raise SiteError(
                    f"{site}: the {place.io} of {place.path!r} holds no tensor first, so there is no activation. "
                    "Name a module inside it or around it."
                )
            hidden = read(held, _selection(study, place, site, run), batch)
            if not isinstance(what, _ALWAYS_FIT):
                _try(site, what, hidden)


def _selection(study: Study, place: Place, site: Site, run: str) -> Selection:
    positions = study.positions(site, run, 0)
    return Selection(place, (0,), None if positions is None else (positions,))


def _try(site: Site, what: AbstractIntervention, hidden: Tensor) -> None:
    """Call an intervention on an activation, given that activation itself for all that it needs."""
    try:
        with torch.no_grad():
            applied(what, hidden.clone(), {need: hidden.clone() for need in what.needs()})
    except MediationError as error:
        raise type(error)(f"{site}: {error}") from None
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise DesignError(
            f"{site}: {what!r} fails on an activation of shape {tuple(hidden.shape)}. It says: {type(error).__name__}: "
            f"{error}. Call it by itself on a tensor of that shape to see where."
        ) from error
