"""From a site to a module of the tree: path, side, and which features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, final

from .._checks import closest, listed
from ..errors import SiteError
from ..models import Model, input_width, said
from ._abstract import AbstractSite
from ._axis import LAST, axis_of, declared_width
from ._parts import heads_of, path_of, side_of, stack_of


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a site is in a module tree.

    Attributes
    ----------
    path
        Dotted path of the module.
    io
        Side of the module; "pattern" is the attention probabilities inside it.
    features
        ``(start, stop)`` of a head, indices of units, or None for all.
    head
        Head of a pattern site, or None for all.
    axis
        Axis of features, rows included: -1 the last, 1 that of channels; None where only the first run can tell.
    in_decoder
        True if it has the tokens of the decoder of an encoder-decoder model.
    """

    path: str
    io: Literal["output", "input", "pattern"]
    features: tuple[int, ...] | None = None
    head: int | None = None
    axis: int | None = LAST
    in_decoder: bool = False


def resolve(site: AbstractSite, model: Model) -> Place:
    """Return the place of a concrete site in `model`.

    Raises
    ------
    SiteError
        If the module does not exist (with the closest name) or features are out of range.
    """
    if site.kind == "module":
        _require_module(site.module, model)
        place = Place(site.module, site.io)
    elif site.kind == "embedding":
        place = Place(_embedding(site, model), "output")
    else:
        place = _layered(site, model)
    width = width_of(site, model)
    if isinstance(site.units, tuple):
        if width is not None and max(site.units) >= width:
            raise SiteError(
                f"{site}: unit {max(site.units)} is out of range; there are {width} features (0 to {width - 1})."
            )
        start = place.features[0] if place.features is not None else 0
        place = replace(place, features=tuple(start + unit for unit in site.units))
    place = _with_axis(place, site, model)
    return replace(place, in_decoder=True) if side_of(site, model) == "decoder" else place


def _with_axis(place: Place, site: AbstractSite, model: Model) -> Place:
    """Return the place with its axis of features, as far as the kind of module says it."""
    if place.io == "pattern":
        return place
    axis = axis_of(model.module.get_submodule(place.path))
    # Heads lie side by side in the input of a projection.
    by_kind = site.units is None or (site.kind == "attention" and site.head is not None)
    return replace(place, axis=LAST if axis is None and by_kind else axis)


def _layered(site: AbstractSite, model: Model) -> Place:
    path = path_of(site, model)
    if site.kind == "neurons":
        return Place(path, "input")
    if site.kind == "pattern":
        return Place(path, "pattern", None, site.head if isinstance(site.head, int) else None)
    if site.head is None:
        return Place(path, "output")
    width, heads = input_width(model.module.get_submodule(path)), heads_of(site, model)
    if width is None or heads is None:
        raise SiteError(
            f"{site}: the width of {path!r} or the number of heads is not known, so heads cannot be told apart. Give "
            "the number: med.models.Architecture(..., n_heads=...)."
        )
    if width % heads:
        raise SiteError(
            f"{site}: the {width} features of {path!r} do not divide into {heads} heads. Correct it: "
            "med.models.Architecture(..., n_heads=...)."
        )
    size = width // heads
    assert isinstance(site.head, int)
    return Place(path, "input", tuple(range(site.head * size, (site.head + 1) * size)))


def _embedding(site: AbstractSite, model: Model) -> str:
    path = stack_of(site, model)[1].embedding
    if path is None:
        raise SiteError(
            "embedding: no token embedding was found. Give it: med.models.Architecture(..., embedding='path')."
        )
    return path


def _require_module(path: str, model: Model) -> None:
    names = [name for name, _ in model.module.named_modules() if name]
    if path in names:
        return
    near = closest(path, names)
    hint = f"Closest: {near!r}." if near else f"Its modules: {listed(names) or 'none'}."
    raise SiteError(f"No module {path!r} in {type(model.module).__name__}. {hint}")


def width_of(site: AbstractSite, model: Model) -> int | None:
    """Return the number of features at a site, if it can be read off the module tree."""
    if site.kind == "module":
        _require_module(site.module, model)
        module = model.module.get_submodule(site.module)
        return (input_width(module) if site.io == "input" else None) or declared_width(module, site.io)
    if site.kind == "embedding":
        return getattr(model.module.get_submodule(_embedding(site, model)), "embedding_dim", None)
    if site.kind == "pattern":
        return None
    if site.kind == "neurons" or site.head is not None:
        width = input_width(model.module.get_submodule(path_of(site, model)))
        heads = None if site.kind == "neurons" else heads_of(site, model)
        return width if heads is None or width is None else width // heads
    config = getattr(model.module, "config", None)
    text = config.get_text_config() if config is not None and hasattr(type(config), "get_text_config") else config
    size = said(text, "hidden_size")
    return size if isinstance(size, int) else None
