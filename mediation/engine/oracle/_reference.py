"""The naive path: one forward pass per world, unit and draw, one unpadded row, plain hooks.

Slow and obvious on purpose, and written apart from the batched paths: it is their oracle in tests, and
every run recomputes a few of its numbers with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn

from ...interventions import AbstractIntervention, Donor, Moment, Need
from ...models import in_use, own_thread
from ...outcomes import Prepared
from ...sites import CHANNELS, Place, Site, positions_of
from ..backends import call, main_tensor, watch_softmax, with_main_tensor
from ..passes import sees_logits
from ..study import Run, Study, World, noise, run_of

_Edit = Callable[[Tensor], Tensor]


def captures_with_few_logits(study: Study) -> bool:
    """Return True if the naive path computes one token's logits where it wants activations, not an outcome."""
    return "logits_to_keep" in study.model.forward_names and not sees_logits(study)


@final
class Reference:
    """Outcomes of single worlds, computed the slow way.

    Parameters
    ----------
    study
        The study whose worlds are asked for.
    """

    __slots__ = ("_activations", "_few_logits", "_inside", "_moments", "_study")

    def __init__(self, study: Study) -> None:
        self._study = study
        self._few_logits = {"logits_to_keep": 1} if captures_with_few_logits(study) else {}
        self._activations: dict[tuple[Site, str, int], Tensor] = {}
        self._inside: dict[tuple[Site, World, int, int], Tensor] = {}
        self._moments: dict[tuple[Site, str, Moment], Tensor] = {}

    def outcomes(self, world: World, unit: int, draw: int = 0) -> tuple[float, ...]:
        """Return the outcomes of `world` for one unit and draw: as many as the study has."""
        study, reader = self._study, self._study.prepared.reader
        edits = [(study.places[site], self._edit(world, site, what, unit, draw)) for site, what in study.placed(world)]
        if reader is not None:
            return reader.alone(study, world, unit, draw, partial(self._after, world.run, unit, edits))
        output = self._run(world.run, unit, edits)
        plain = self._run("base", unit, []) if study.prepared.uses_reference else None
        return tuple(self._outcome(one, output, plain, world.run, unit) for one in study.prepared.each)

    def _outcome(self, prepared: Prepared, output: Any, plain: Any, run: Run, unit: int) -> float:
        """Return one outcome of an output, and of that of the plain base run where it compares with it."""
        units, reference = torch.tensor([unit]), None
        if prepared.raw and not self._study.model.is_language_model:
            return float(prepared.read(output, units, None))
        if prepared.of_input:
            return self._of_input(prepared, output, run, unit)
        if prepared.uses_reference:
            reference = self._logits(prepared, plain, "base", unit)[:, -1]
        logits = self._logits(prepared, output, run, unit)
        return float(prepared.read(logits[:, -1] if prepared.raw else logits, units, reference))

    def _of_input(self, prepared: Prepared, output: Any, run: Run, unit: int) -> float:
        """Return an outcome of the tokens that an input has at some positions, one after another."""
        encoded = self._study.encoding.of(run, unit)
        where = positions_of(prepared.at, encoded.length or 0, encoded.spans, f"{run} input of unit {unit}")
        assert encoded.ids is not None
        logs = _logits_in(output)[0].double().log_softmax(-1)
        total = sum(logs[at - 1, int(encoded.ids[at])] for at in where)
        sums = torch.tensor([[float(total), len(where)]], dtype=torch.float64)
        return float(prepared.read(sums, torch.tensor([unit]), None))

    def logits(self, run: Run, unit: int) -> Tensor:
        """Return the logits that an outcome compares with in a plain run of one input, ``(vocabulary,)``."""
        return self._logits(self._study.prepared.compared, self._run(run, unit, []), run, unit)[0, -1]

    def logits_after(self, run: Run, unit: int, tokens: Sequence[int]) -> Tensor:
        """Return the logits after an input as it is and after each of some tokens, ``(1 + tokens, vocabulary)``."""
        return self._after(run, unit, [], tokens)

    def activation(self, site: Site, run: str, unit: int) -> Tensor:
        """Return the activation at `site` in a plain run of one input: ``(k, features)``."""
        key = (site, run, unit)
        if key not in self._activations:
            place, positions = self._study.places[site], self._study.positions(site, run, unit)
            keys = self._study.encoding.of(run, unit).length
            seen: list[Tensor] = []

            def look(tensor: Tensor) -> Tensor:
                seen.append(_part(tensor[0], place, positions, keys).clone())
                return tensor

            self._run(run, unit, [(place, look)], (), **self._few_logits)
            self._activations[key] = seen[0]
        return self._activations[key]

    def inside(self, site: Site, world: World, unit: int, draw: int) -> Tensor:
        """Return the activation at `site` in a world, after what is done there: ``(k, features)``."""
        key = (site, world, unit, draw)
        if key not in self._inside:
            place, positions = self._study.places[site], self._study.positions(site, world.run, unit)
            keys = self._study.encoding.of(world.run, unit).length
            seen: list[Tensor] = []

            def look(tensor: Tensor) -> Tensor:
                seen.append(_part(tensor[0], place, positions, keys).clone())
                return tensor

            edits = [
                (self._study.places[one], self._edit(world, one, what, unit, draw))
                for one, what in self._study.placed(world)
            ]
            self._run(world.run, unit, [*edits, (place, look)], (), **self._few_logits)
            self._inside[key] = seen[0]
        return self._inside[key]

    def knows(self, site: Site, run: str, unit: int) -> bool:
        """Return True if an activation is at hand."""
        return (site, run, unit) in self._activations

    def take(self, site: Site, run: str, unit: int, value: Tensor) -> None:
        """Use an activation that was captured elsewhere, and make no pass for it."""
        self._activations[(site, run, unit)] = value

    def _edit(self, world: World, site: Site, what: AbstractIntervention, unit: int, draw: int) -> _Edit:
        place, positions = self._study.places[site], self._study.positions(site, world.run, unit)
        keys = self._study.encoding.of(world.run, unit).length
        given = {need: self._supply(need, site, world, unit, draw) for need in what.needs()}

        def change(tensor: Tensor) -> Tensor:
            row = tensor[0].clone()
            part = _part(row, place, positions, keys)
            new = what(part[None], {need: value[None] if value.ndim else value for need, value in given.items()})[0]
            return _put(row, place, positions, new, keys)[None]

        return change

    def _supply(self, need: Need, site: Site, world: World, unit: int, draw: int) -> Tensor:
        if isinstance(need, Donor) and need.world is not None:
            return self.inside(site, self._study.inner[need.world], unit, draw)
        if isinstance(need, Donor):
            donor = unit if need.unit == "own" else self._study.donors(need, draw)[unit]
            return self.activation(site, run_of(need.run, world.run), donor)
        if isinstance(need, Moment):
            run = run_of(need.run, world.run)
            key = (site, run, need)
            if key not in self._moments:
                every = [self.activation(site, run, i) for i in range(len(self._study.pairs))]
                self._moments[key] = _moment(need, every)
            return self._moments[key]
        shape = tuple(self.activation(site, world.run, unit).shape)
        return noise(shape, seed=self._study.seed, unit=unit, draw=draw, stream=need.stream)

    def _after(self, run: str, unit: int, edits: Sequence[tuple[Place, _Edit]], tokens: Sequence[int]) -> Tensor:
        output = self._run(run, unit, edits, tuple(tokens))
        first = self._study.encoding.of(run, unit).length or 1
        logits: Tensor = output.logits[0, first - 1 :]
        return logits

    def _run(
        self, run: str, unit: int, edits: Sequence[tuple[Place, _Edit]], after: tuple[int, ...] = (), **extra: Any
    ) -> Any:
        study = self._study
        encoded = study.encoding.of(run, unit)
        if encoded.ids is None:
            inputs = {
                name: (value.to(study.model.dtype) if value.is_floating_point() else value)[None].to(study.model.device)
                for name, value in encoded.tensors.items()
            }
        else:
            continuation = study.prepared.continuation
            added = torch.tensor((continuation[unit] if continuation else ()) + after, dtype=torch.long)
            inputs = {"input_ids": torch.cat([encoded.ids, added])[None].to(study.model.device)}
            inputs |= {
                name: (value.to(study.model.dtype) if value.is_floating_point() else value).to(study.model.device)
                for name, value in encoded.features.items()
            }
            for name in encoded.aligned:
                inputs[name] = encoded.entries(name, study.model, len(added))[None].to(study.model.device)
            if encoded.axes is not None:
                more = torch.arange(encoded.next_position, encoded.next_position + len(added))
                axes = torch.cat([encoded.axes, more.expand(len(encoded.axes), -1)], dim=1)
                inputs["position_ids"] = axes[:, None].to(study.model.device)
        with in_use(study.model.module), ExitStack() as stack, torch.no_grad():
            for place, change in _one_a_pattern(edits):
                see = self._unflatten(change, run, unit, len(after))
                stack.callback(_hook(study.model.module.get_submodule(place.path), place, see))
            return call(study.model.module, inputs | extra)

    def _unflatten(self, change: _Edit, run: str, unit: int, more: int) -> _Edit:
        """Give `change` a row axis where a module sees tokens flattened."""
        ids = self._study.encoding.of(run, unit).ids
        added = self._study.prepared.continuation
        length = 0 if ids is None else len(ids) + (len(added[unit]) if added else 0) + more

        def see(tensor: Tensor) -> Tensor:
            flat = length > 1 and tensor.ndim == 2 and tensor.shape[0] == length
            return change(tensor[None])[0] if flat else change(tensor)

        return see

    def _logits(self, prepared: Prepared, output: Any, run: str, unit: int) -> Tensor:
        """Return the logits that one outcome reads, ``(1, kept, vocabulary)``."""
        study, tensor = self._study, _logits_in(output)
        if tensor.ndim == 2:
            return tensor[:, None]
        encoded = study.encoding.of(run, unit)
        if encoded.length is None:
            return tensor
        if prepared.at == "last":
            return (
                tensor[:, encoded.length - 1 :]
                if prepared.continuation
                else tensor[:, encoded.length - 1 : encoded.length]
            )
        where = positions_of(prepared.at, encoded.length, encoded.spans, "input")
        return tensor[:, list(where)]


def _logits_in(output: Any) -> Tensor:
    logits = getattr(output, "logits", None)
    tensor = logits if isinstance(logits, Tensor) else main_tensor(output)
    assert tensor is not None
    return tensor


def _moment(need: Moment, units: Sequence[Tensor]) -> Tensor:
    """Return a mean or a standard deviation over units: said once more, apart from the batched path, in float64."""
    wide = [one.double() for one in units]
    tokens = torch.cat([one.reshape(-1, one.shape[-1]) if one.ndim > 1 else one.reshape(1, -1) for one in wide])
    if need.kind == "std":
        found = (tokens - tokens.mean(0)).square().mean().sqrt()
    elif need.over == "tokens":
        found = tokens.mean(0).reshape(wide[0].shape[-1:])
    else:
        found = torch.stack(wide).sum(0) / len(wide)
    return found.to(torch.float64 if units[0].dtype == torch.float64 else torch.float32)


def _part(row: Tensor, place: Place, positions: Sequence[int] | None, keys: int | None) -> Tensor:
    """Return what `place` and `positions` select of one row; patterns are cut to the prompt's keys."""
    if place.io == "pattern":
        if positions is None:  # inputs without positions: all queries and all keys
            positions, keys = range(row.shape[1]), None
        heads = range(row.shape[0]) if place.head is None else [place.head]
        return torch.stack([torch.cat([row[head, position, :keys] for head in heads]) for position in positions])
    if place.axis == CHANNELS and row.ndim > 1:  # channels, and no positions: one row has them first
        return row if place.features is None else row.movedim(0, -1)[..., list(place.features)]
    if positions is not None and (row.ndim > 1 or not row.is_floating_point()):
        row = row[list(positions)]
    return row if place.features is None else row[..., list(place.features)]


def _put(row: Tensor, place: Place, positions: Sequence[int] | None, new: Tensor, keys: int | None) -> Tensor:
    """Return `row` with `new` where `place` and `positions` select."""
    new = new.to(row.dtype)
    if place.io == "pattern":
        return _put_pattern(row, place, positions, new, keys)
    features = slice(None) if place.features is None else list(place.features)
    if place.axis == CHANNELS and row.ndim > 1:
        if place.features is None:
            row[...] = new
        for i, channel in enumerate(place.features or ()):
            row[channel] = new[..., i]
        return row
    if positions is not None and not row.is_floating_point() and row.ndim == 1:
        row[list(positions)] = new
        return row
    if positions is None or row.ndim == 1:
        row[..., features] = new
        return row
    for i, position in enumerate(positions):
        row[position][features] = new[i]
    return row


def _put_pattern(row: Tensor, place: Place, positions: Sequence[int] | None, new: Tensor, keys: int | None) -> Tensor:
    """Return attention probabilities ``(heads, queries, keys)`` with `new` at a head, or all, and some queries."""
    if positions is None:  # inputs without positions: all queries and all keys
        positions, keys = range(row.shape[1]), None
    heads = range(row.shape[0]) if place.head is None else [place.head]
    for i, position in enumerate(positions):
        for head, probabilities in zip(heads, new[i].chunk(len(heads)), strict=True):
            row[head, position, :keys] = probabilities
    return row


def _one_a_pattern(edits: Sequence[tuple[Place, _Edit]]) -> list[tuple[Place, _Edit]]:
    """Join the edits inside one attention module: its softmax is replaced once, while it runs."""
    inside: dict[str, list[tuple[Place, _Edit]]] = {}
    for place, change in edits:
        if place.io == "pattern":
            inside.setdefault(place.path, []).append((place, change))

    def all_of(some: Sequence[tuple[Place, _Edit]]) -> _Edit:
        def change(tensor: Tensor) -> Tensor:
            for _, one in some:
                tensor = one(tensor)
            return tensor

        return change

    joined = [(some[0][0], all_of(some)) for some in inside.values()]
    return [(place, change) for place, change in edits if place.io != "pattern"] + joined


def _hook(module: nn.Module, place: Place, change: _Edit) -> Callable[[], None]:
    """Attach `change` to one side of `module`; return what removes it."""
    if place.io == "output":
        after = own_thread(lambda _, __, out: with_main_tensor(out, change(_tensor(out))))
        return module.register_forward_hook(after).remove
    if place.io == "input":

        def before(_: nn.Module, args: Any, kwargs: Any) -> Any:
            if args:
                return ((change(args[0]), *args[1:]), kwargs)
            name = next(iter(kwargs))
            return args, {**kwargs, name: change(kwargs[name])}

        return module.register_forward_pre_hook(own_thread(before), with_kwargs=True).remove
    ends: list[Callable[[], None]] = []
    first = module.register_forward_pre_hook(own_thread(lambda _, __: ends.append(watch_softmax(change))))
    second = module.register_forward_hook(own_thread(lambda _, __, ___: ends.pop()()))

    def remove() -> None:
        first.remove()
        second.remove()
        while ends:
            ends.pop()()

    return remove


def _tensor(value: Any) -> Tensor:
    tensor = main_tensor(value)
    assert tensor is not None
    return tensor
