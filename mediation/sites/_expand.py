"""From "every layer, each position" to single sites."""

from __future__ import annotations

from typing import TypeVar

from ..errors import AlignmentWarning, SiteError, warn
from ..models import Model
from ..units import Encoding
from ._abstract import AbstractSite
from ._parts import heads_of, layers_of, within
from ._positions import Position
from ._resolve import width_of

S = TypeVar("S", bound=AbstractSite)


def expand_site(site: S, model: Model, encoding: Encoding) -> tuple[S, ...]:
    """Return the concrete sites that `site` stands for, in order of layer, position, head, unit.

    Raises
    ------
    SiteError
        If a layer or head is out of range, or positions cannot be listed.
    """
    found: list[S] = []
    positions = _positions(site, encoding)
    for layer in layers_of(site, model):
        for at in positions:
            for head in _heads(site, layer, model):
                one = site.with_(layer=layer, at=at, head=head)
                found.extend(_units(one, model))
    return tuple(found)


def _heads(site: AbstractSite, layer: int | None, model: Model) -> tuple[int | None, ...]:
    if site.head is None:
        return (None,)
    size = heads_of(site.with_(layer=layer), model)
    if size is None:
        raise SiteError(
            f"{site}: the number of heads is not known. Give it: med.models.Architecture(..., n_heads=...)."
        )
    return tuple(range(size)) if site.head == "each" else (within(site.head, size, "head", site),)


def _positions(site: AbstractSite, encoding: Encoding) -> tuple[Position, ...]:
    if site.at not in ("each", "spans"):
        return (site.at,)
    inputs = [encoded for run in encoding.runs.values() for encoded in run]
    if site.at == "spans":
        names = tuple(inputs[0].spans)
        if not names:
            raise SiteError(f"{site}: at='spans', and these units have no named spans. Give Pairs(..., spans={{...}}).")
        return names
    lengths = sorted({length for encoded in inputs if (length := encoded.length) is not None})
    if not lengths:
        raise SiteError(
            f"{site}: at='each' needs texts or token ids, and the inputs are tensors. Name the positions as indices, "
            "or leave `at` out to act on the whole activation."
        )
    if len(lengths) == 1:
        return tuple(range(lengths[0]))
    warn(
        f"at='each' over inputs of {lengths[0]} to {lengths[-1]} tokens: positions are counted from the end "
        f"(-{lengths[0]} to -1) and mean different words in different units. Named spans compare like with like: "
        "Pairs(..., spans={...}) and at='spans'.",
        AlignmentWarning,
    )
    return tuple(range(-lengths[0], 0))


def _units(site: S, model: Model) -> tuple[S, ...]:
    if site.units != "each":
        return (site,)
    width = width_of(site, model)
    if width is None:
        raise SiteError(f"{site}: the number of features is not known before a run; list them: units=range(...).")
    return tuple(site.with_(units=(unit,)) for unit in range(width))
