"""The stack, the blocks and the part of a block that a site by architecture is about."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import SiteError
from ..models import Architecture, Model
from ._abstract import LAYERED, AbstractSite


def stack_of(site: AbstractSite, model: Model) -> tuple[str, Architecture]:
    """Return the stack of a site, by its name and as an architecture.

    Raises
    ------
    SiteError
        If the model has two stacks and the site names none, or the other way around.
    """
    model.known_architecture()
    stacks, kind = model.stacks, type(model.module).__name__
    if site.stack is None and "" not in stacks:
        both = " and ".join(f"the {name} ({one.layers!r})" for name, one in stacks.items())
        either = " or ".join(f"med.{site.with_(stack=name)!r}" for name in stacks)
        raise SiteError(f"{site}: {kind} has two stacks of blocks, {both}. Say which one: {either}.")
    if site.stack is not None and site.stack not in stacks:
        raise SiteError(
            f"{site}: {kind} has one stack of blocks, {stacks[''].layers!r}. Leave `stack` out: "
            f"med.{site.with_(stack=None)!r}."
        )
    return site.stack or "", stacks[site.stack or ""]


def side_of(site: AbstractSite, model: Model) -> str | None:
    """Return the side of an encoder-decoder model whose tokens a site counts; None for models with one stack."""
    if "encoder" not in model.stacks:
        return None
    if site.kind != "module":
        return stack_of(site, model)[0]
    root = model.stacks["encoder"].layers.split(".")
    root = root[: root.index("encoder") + 1]
    return "encoder" if site.module.split(".")[: len(root)] == root else "decoder"


def layers_of(site: AbstractSite, model: Model) -> tuple[int | None, ...]:
    """Return the blocks that a site stands for; without a layer, those that have the part it is about.

    Raises
    ------
    SiteError
        If the layer is out of range, its block has no such part, or no block has.
    """
    if site.kind not in LAYERED:
        return (site.layer,)
    stack, known = stack_of(site, model)
    size = len(list(model.module.get_submodule(known.layers).children()))
    layers = range(size) if site.layer is None else [within(site.layer, size, "layer", site)]
    if site.kind == "residual":
        return tuple(layers)
    part = _part(site)
    found = tuple(layer for layer in layers if model.blocks(stack)[layer].part(part) is not None)
    if not found:
        raise _missing(site.with_(layer=layers[0]), model)
    return found


def path_of(site: AbstractSite, model: Model) -> str:
    """Return the path of the module of a concrete site.

    Raises
    ------
    SiteError
        If its block has no such part.
    """
    stack, known = stack_of(site, model)
    assert site.layer is not None
    if site.kind == "residual":
        return known.path(site.layer)
    found = model.blocks(stack)[site.layer].part(_part(site))
    if found is None:
        raise _missing(site, model)
    return known.path(site.layer, found)


def heads_of(site: AbstractSite, model: Model) -> int | None:
    """Return the number of heads of a concrete site's block; None where it is not known."""
    block = model.blocks(stack_of(site, model)[0])[site.layer or 0]
    return block.pattern_heads if site.kind == "pattern" else block.heads


def within(index: int, size: int, what: str, site: AbstractSite) -> int:
    """Return `index` counted from the start, or raise SiteError if it is out of range."""
    if not -size <= index < size:
        raise SiteError(f"{site}: {what} {index} is out of range; there are {size} ({what}s 0 to {size - 1}).")
    return index % size


def _part(site: AbstractSite) -> str:
    if site.kind == "attention":
        return "attention" if site.head is None else "attention_out"
    return {"neurons": "mlp_out"}.get(site.kind, site.kind)


def _missing(site: AbstractSite, model: Model) -> SiteError:
    """Return the error for a site at a block without the part."""
    stack, known = stack_of(site, model)
    assert site.layer is not None
    part, blocks = _part(site), model.blocks(stack)
    block = blocks[site.layer]
    reason = block.why.get(part)
    if reason is None and getattr(known, "attention_out" if part == "pattern" else part) is None:
        known.part("attention_out" if part == "pattern" else part)
    others = [layer for layer, one in enumerate(blocks) if one.part(part) is not None]
    reason = reason or f"no module {getattr(known, part, None)!r}"
    path = known.path(site.layer)
    advice = (
        f"Blocks that have one: {_ranges(others)}."
        if others
        else f"No block has one. Name a module: med.Site('{path}...'), or the parts: "
        f"med.load(model, architecture=med.models.Architecture(layers={known.layers!r}, ...))."
    )
    return SiteError(
        f"{site}: block {site.layer} ({block.kind!r}) of {type(model.module).__name__} has {reason}. {advice}"
    )


def _ranges(layers: Iterable[int]) -> str:
    """Return numbers in words, runs of them as ranges.

    Examples
    --------
    >>> _ranges([0, 1, 2, 5])
    '0 to 2, 5'
    """
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
