"""Sites by architecture: `residual`, `mlp`, `attention`, `pattern`, `neurons`, `embedding`."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal, overload

from .._checks import shown
from ..errors import SiteError
from ._abstract import Kind
from ._positions import plain
from ._site import Site, SiteSet

Layers = int | Iterable[int] | None
Stack = Literal["encoder", "decoder"] | None
At = int | str | slice | Iterable[int]  # one site: "all", "last", indices, a span
Each = Literal["each", "spans"] | list[str]  # a site each
Head = int | None
Units = int | Iterable[int] | None

# The overloads tell one site from a sweep: "each" is a text like the name of a span, hence the ignored overlaps.


def _build(kind: Kind, layer: Layers, at: Any, **fields: Any) -> Site | SiteSet:
    layers: list[int | None]
    layer, head = plain(layer), plain(fields.get("head"))
    if layer is None or isinstance(layer, Integral):
        layers = [layer]
    elif isinstance(layer, str) or not isinstance(layer, Iterable):
        raise SiteError(f"{kind}({shown(layer)}): a layer is a whole number, a list or range of them, or None for all.")
    else:
        layers = list(layer)
        if not layers:
            raise SiteError(f"{kind}({layer!r}): no layer is named; leave it out for all layers.")
    heads = list(head) if isinstance(head, (list, tuple, range)) else [head]
    if not heads:
        raise SiteError(f"{kind}(head={head!r}): no head is named; 'each' stands for one site a head.")
    ats = at if isinstance(at, list) and at and all(isinstance(one, str) for one in at) else [at]
    sites = tuple(
        Site(kind=kind, layer=one, at=where, **{**fields, "head": h}) for one in layers for where in ats for h in heads
    )
    if len(sites) == 1 and sites[0].is_concrete:
        return sites[0]
    return SiteSet(sites)


@overload
def residual(layer: int, *, at: Each, units: Any = ..., stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def residual(layer: int, *, at: At = ..., units: Units = ..., stack: Stack = ...) -> Site: ...  # type: ignore[overload-overlap]
@overload
def residual(layer: Layers = ..., *, at: Any = ..., units: Any = ..., stack: Stack = ...) -> SiteSet: ...
def residual(layer: Layers = None, *, at: Any = "all", units: Any = None, stack: Stack = None) -> Site | SiteSet:
    """Residual stream after block `layer` (the block's output).

    Parameters
    ----------
    layer
        Block, several blocks, or None for every block; negative counts from the end.
    at
        Positions (see `Site`); a list of span names makes one site each.
    units
        Features to act on; None for all, "each" for one site a feature.
    stack
        "encoder" or "decoder" in models that have both; None where there is one stack.

    Returns
    -------
    Site or SiteSet
        One `Site` if one layer and one position are named, else a `SiteSet` (a sweep).

    Examples
    --------
    >>> residual(12, at="last")
    residual(12, at='last')
    >>> residual(at="each")
    SiteSet((residual(None, at='each'),))
    """
    return _build("residual", layer, at, units=units, stack=stack)


@overload
def mlp(layer: int, *, at: Each, units: Any = ..., stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def mlp(layer: int, *, at: At = ..., units: Units = ..., stack: Stack = ...) -> Site: ...  # type: ignore[overload-overlap]
@overload
def mlp(layer: Layers = ..., *, at: Any = ..., units: Any = ..., stack: Stack = ...) -> SiteSet: ...
def mlp(layer: Layers = None, *, at: Any = "all", units: Any = None, stack: Stack = None) -> Site | SiteSet:
    """Output of the MLP of block `layer`, before it is added to the residual stream.

    Parameters and result are those of `residual`.

    Examples
    --------
    >>> mlp(8)
    mlp(8)
    """
    return _build("mlp", layer, at, units=units, stack=stack)


@overload
def attention(layer: int, *, head: Any = ..., at: Each, units: Any = ..., stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def attention(layer: int, *, head: Head = ..., at: At = ..., units: Units = ..., stack: Stack = ...) -> Site: ...  # type: ignore[overload-overlap]
@overload
def attention(
    layer: Layers = ..., *, head: Any = ..., at: Any = ..., units: Any = ..., stack: Stack = ...
) -> SiteSet: ...
def attention(
    layer: Layers = None, *, head: Any = None, at: Any = "all", units: Any = None, stack: Stack = None
) -> Site | SiteSet:
    """Output of the attention of block `layer`, or what single heads write (before the output projection).

    In the decoder of an encoder-decoder model, that is the self-attention of the block, not its cross-attention.

    Parameters
    ----------
    layer, at, units, stack
        As in `residual`.
    head
        A head, a list of heads, "each" for one site a head, or None for the whole attention output.

    Returns
    -------
    Site or SiteSet

    Examples
    --------
    >>> attention(9, head=3)
    attention(9, head=3)
    """
    return _build("attention", layer, at, head=head, units=units, stack=stack)


@overload
def pattern(layer: int, *, head: Any = ..., at: Each, stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def pattern(layer: int, *, head: Head = ..., at: At = ..., stack: Stack = ...) -> Site: ...  # type: ignore[overload-overlap]
@overload
def pattern(layer: Layers = ..., *, head: Any = ..., at: Any = ..., stack: Stack = ...) -> SiteSet: ...
def pattern(layer: Layers = None, *, head: Any = None, at: Any = "all", stack: Stack = None) -> Site | SiteSet:
    """Attention probabilities of block `layer`: rows of queries `at`, over all keys.

    Needs a model that computes them openly: ``med.load(..., attn_implementation="eager")``.

    Parameters
    ----------
    layer, head, stack
        As in `attention`; None is all heads together.
    at
        Positions of the queries.

    Returns
    -------
    Site or SiteSet

    Examples
    --------
    >>> pattern(2, head=0, at="last")
    pattern(2, head=0, at='last')
    """
    return _build("pattern", layer, at, head=head, stack=stack)


@overload
def neurons(layer: int, units: Any = ..., *, at: Each, stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def neurons(layer: int, units: Units = ..., *, at: At = ..., stack: Stack = ...) -> Site: ...  # type: ignore[overload-overlap]
@overload
def neurons(layer: Layers = ..., units: Any = ..., *, at: Any = ..., stack: Stack = ...) -> SiteSet: ...
def neurons(layer: Layers = None, units: Any = None, *, at: Any = "all", stack: Stack = None) -> Site | SiteSet:
    """Neurons of the MLP of block `layer`: the input of its last linear map.

    Parameters
    ----------
    layer, at, stack
        As in `residual`.
    units
        Indices of neurons, "each" for one site a neuron, or None for all.

    Returns
    -------
    Site or SiteSet

    Examples
    --------
    >>> neurons(3, [0, 7], at=-1)
    neurons(3, units=(0, 7), at=-1)
    """
    return _build("neurons", layer, at, units=units, stack=stack)


@overload
def embedding(*, at: Each, units: Any = ..., stack: Stack = ...) -> SiteSet: ...  # type: ignore[overload-overlap]
@overload
def embedding(*, at: At = ..., units: Units = ..., stack: Stack = ...) -> Site: ...
@overload
def embedding(*, at: Any = ..., units: Any = ..., stack: Stack = ...) -> SiteSet: ...
def embedding(*, at: Any = "all", units: Any = None, stack: Stack = None) -> Site | SiteSet:
    """Token embeddings, before the first block.

    Parameters and result are those of `residual`.

    Examples
    --------
    >>> embedding(at="subject")
    embedding(at='subject')
    """
    return _build("embedding", None, at, units=units, stack=stack)
