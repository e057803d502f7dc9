"""Which axis of an activation holds features, where the kind of module does not say it: seen in one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn

from ...errors import SiteError
from ...sites import ELEMENTWISE, LAST, Place, Site, axis_of, declared_width
from ..backends import call, main_tensor
from ..passes import Batch
from ..study import Study


def with_axes(study: Study, batch: Batch, activations: Mapping[tuple[str, str], Tensor]) -> dict[Site, Place]:
    """Return the places of a study, each with its axis of features.

    Tokens come before features, so activations of texts need no more than their shape. Elsewhere a tensor of more than
    two axes is that of a convolution, a linear map or a norm: the very tensor, perhaps after an activation function, or
    one of the same shape whose number of features is that of no other axis.

    Parameters
    ----------
    batch, activations
        Of the first run: what passed by each side of each module.

    Raises
    ------
    SiteError
        If units are named and the axis that holds them cannot be told, or has not as many as the module says.
    """
    found, flow = dict(study.places), None
    for site, place in study.places.items():
        seen = activations.get((place.path, place.io))
        if place.features is None or seen is None:
            continue
        if place.axis is not None:
            _check_width(site, place, seen, study.model.module)
            continue
        axis = _by_shape(seen, batch)
        if axis is None:
            flow = _watch(study.model.module, batch) if flow is None else flow
            axis = flow.axis(place, seen)
        if axis is None:
            raise SiteError(
                f"{site}: the {place.io} of {place.path!r} has shape {tuple(seen.shape)}, and which of its axes holds "
                "features (channels) cannot be told. Name units of a convolution, a linear map or a norm, or leave "
                "units out."
            )
        found[site] = replace(place, axis=axis)
    return found


def _check_width(site: Site, place: Place, seen: Tensor, module: nn.Module) -> None:
    """Check that the axis of features has as many as the module says."""
    inner = module.get_submodule(place.path)
    declared = declared_width(inner, place.io) if axis_of(inner) is not None else None
    found = seen.shape[place.axis if place.axis is not None and seen.ndim > 2 else LAST]
    if declared is not None and declared != found:
        raise SiteError(
            f"{site}: the {place.io} of {place.path!r} has shape {tuple(seen.shape)}, with {found} features on axis "
            f"{place.axis}, and {type(inner).__name__} says {declared}. Leave units out, or "
            "name units of a module whose activation has them there."
        )


def _by_shape(tensor: Tensor, batch: Batch) -> int | None:
    if tensor.ndim <= 2:
        return LAST
    tokens = batch.width > 0 and tensor.ndim == 3 and tensor.shape[1] == batch.width
    return LAST if tokens else None


@final
class _Flow:
    """What passed the modules of one forward pass, and which axes their kinds claim for it."""

    def __init__(self) -> None:
        self._of_tensor: dict[int, set[int]] = {}
        self._of_shape: dict[tuple[int, ...], set[int]] = {}
        self._passed: dict[tuple[str, str], Tensor] = {}
        self._links: list[tuple[Tensor, Tensor]] = []
        self._kept: list[Tensor] = []  # a tensor that is gone may leave its identity to another

    def axis(self, place: Place, seen: Tensor) -> int | None:
        """Return the axis of features at a place, or None if it cannot be told."""
        tensor, shape = self._passed.get((place.path, place.io)), tuple(seen.shape)
        if tensor is not None and (own := self._of_tensor.get(id(tensor))):
            return next(iter(own)) if len(own) == 1 else None
        claims = self._of_shape.get(shape, set())
        if len(claims) != 1:
            return None
        axis = next(iter(claims))
        return axis if shape[1:].count(shape[axis]) == 1 else None

    def see(self, path: str, module: nn.Module, into: Tensor | None, out: Tensor | None) -> None:
        """Note one call of a module."""
        axis = axis_of(module)
        for io, tensor in (("input", into), ("output", out)):
            if tensor is not None:
                self._kept.append(tensor)
                self._passed.setdefault((path, io), tensor)
                if axis is not None:
                    self._claim(tensor, axis)
        if isinstance(module, ELEMENTWISE) and into is not None and out is not None:
            self._links.append((into, out))

    def spread(self) -> None:
        """Pass claims on through functions of single numbers, forwards and backwards."""
        for into, out in (*self._links, *reversed(self._links)):
            for one, other in ((into, out), (out, into)):
                for axis in tuple(self._of_tensor.get(id(one), ())):
                    self._claim(other, axis)

    def _claim(self, tensor: Tensor, axis: int) -> None:
        if tensor.ndim > 2:
            self._of_tensor.setdefault(id(tensor), set()).add(axis)
            self._of_shape.setdefault(tuple(tensor.shape), set()).add(axis)


def _watch(module: nn.Module, batch: Batch) -> _Flow:
    """Run one batch and note what passes."""
    flow = _Flow()

    def see(path: str, inner: nn.Module, args: Any, named: Any, output: Any) -> None:
        into = args[0] if args else next(iter(named.values()), None)
        flow.see(path, inner, main_tensor(into), main_tensor(output))

    handles = [
        inner.register_forward_hook(
            lambda inner, args, named, output, path=path: see(path, inner, args, named, output), with_kwargs=True
        )
        for path, inner in module.named_modules()
    ]
    try:
        with torch.no_grad():
            call(module, batch.inputs)
    finally:
        for handle in handles:
            handle.remove()
    flow.spread()
    return flow
