"""The parts of each block: what attention and MLP add to the residual stream, and why a block has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

import torch
from torch import nn

from ._architecture import Architecture
from ._find import parts_by_name, text_config
from ._probe_input import probe_input
from ._stream import Part, Stream
from ._tape import BlockTape, Tape, record

PARTS = ("attention", "attention_out", "mlp", "mlp_out", "pattern")
_FAILURES = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError, ImportError)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where one block keeps its parts; paths are relative to the block, None where there is no such part.

    Attributes
    ----------
    kind
        What the configuration or the class calls it.
    attention, attention_out, mlp, mlp_out
        As in `Architecture`.
    pattern
        Module in which the attention probabilities are computed.
    heads, pattern_heads
        Query heads in the input of `attention_out`, and of the probabilities.
    why
        For each part that is None, what is there instead.
    names
        Modules of the block when it was looked at.
    """

    kind: str = ""
    attention: str | None = None
    attention_out: str | None = None
    mlp: str | None = None
    mlp_out: str | None = None
    pattern: str | None = None
    heads: int | None = None
    pattern_heads: int | None = None
    why: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    names: frozenset[str] = frozenset()

    def is_of(self, block: nn.Module) -> bool:
        """Return True if `block` still has the modules that it had."""
        return self.names == _names(block)

    def part(self, name: str) -> str | None:
        """Return the path of a part, or None."""
        found: str | None = getattr(self, name)
        return found


def blocks_of(module: nn.Module, stacks: Mapping[str, Architecture], *, given: bool) -> dict[str, tuple[Block, ...]]:
    """Return the parts of every block of every stack.

    One forward pass of a few tokens shows what is added to the residual stream. A model that cannot be run on tokens,
    or on a picture, is read by the names of its modules.

    Parameters
    ----------
    given
        True if the user named the parts; they are taken as they are, unless they hold the residual stream.
    """
    modules = {one.layers: module.get_submodule(one.layers) for one in stacks.values()}
    tape, taped = _recorded(module, modules)
    found = {}
    for side, known in stacks.items():
        blocks = list(modules[known.layers].children())
        kinds = _kinds(module, blocks)
        streams = [None if tape is None else Stream(tape, one) for one in taped.get(known.layers, [])] or [None] * len(
            blocks
        )
        make = _given if given else _found
        found[side] = tuple(
            make(block, kind, stream, known) for block, kind, stream in zip(blocks, kinds, streams, strict=True)
        )
    return found


def _recorded(module: nn.Module, stacks: Mapping[str, nn.Module]) -> tuple[Tape | None, dict[str, list[BlockTape]]]:
    inputs = probe_input(module)
    if inputs is None:
        return None, {}
    try:
        tape, found = record(module, stacks, lambda: module(**inputs))
    except torch.OutOfMemoryError:
        raise
    except _FAILURES:
        return None, {}
    return tape, found


def _kinds(module: nn.Module, blocks: Sequence[nn.Module]) -> list[str]:
    config = text_config(module)
    for name in ("layer_types", "layers_block_type", "block_types"):
        kinds = getattr(config, name, None)
        if isinstance(kinds, (list, tuple)) and len(kinds) == len(blocks) and all(isinstance(k, str) for k in kinds):
            return list(kinds)
    return [type(block).__name__ for block in blocks]


def _names(block: nn.Module) -> frozenset[str]:
    return frozenset(name for name, _ in block.named_modules() if name)


def _given(block: nn.Module, kind: str, stream: Stream | None, known: Architecture) -> Block:
    names = _names(block)
    paths: dict[str, Any] = {name: path if (path := getattr(known, name)) in names else None for name in PARTS[:4]}
    why = {}
    for name in ("attention", "mlp"):
        path = paths[name]
        if path is not None and stream is not None and stream.is_whole and stream.holds_stream(path):
            paths[name] = None
            adding = [part.path for part in stream.parts() if part.path.startswith(f"{path}.")]
            why[name] = f"no such {name}: the output of {path!r} holds the residual stream already" + (
                f", and {_quoted(adding)} adds to it" if adding else ""
            )
    out = paths["attention_out"]
    pattern = None if out is None else _around(out, names)
    return Block(
        kind=kind,
        **paths,
        pattern=pattern,
        heads=known.n_heads,
        pattern_heads=known.n_heads,
        why=MappingProxyType(why),
        names=names,
    )


def _found(block: nn.Module, kind: str, stream: Stream | None, known: Architecture) -> Block:
    names = _names(block)
    if stream is None:
        paths = parts_by_name(block)
        out = paths["attention_out"]
        pattern = None if out is None else _around(out, names)
        return Block(
            kind=kind,
            **paths,
            pattern=pattern,
            heads=known.n_heads if out is not None else None,
            pattern_heads=known.n_heads if pattern is not None else None,
            names=names,
        )
    if not stream.is_whole:
        reason = "an output that is not its input with something added, so its {} is not known"
        return Block(
            kind=kind, why=MappingProxyType({name: reason.format(_CALLED[name]) for name in PARTS}), names=names
        )
    parts = stream.parts()
    why: dict[str, str] = {}
    attention = _one(parts, "attention", why)
    mlp = _one(parts, "mlp", why)
    values: dict[str, str | None] = {
        "attention": attention and attention.path,
        "attention_out": attention and attention.last,
        "pattern": attention and attention.pattern,
        "mlp": mlp and mlp.path,
        "mlp_out": mlp and mlp.last,
    }
    _explain(why, values, attention, mlp)
    return Block(
        kind=kind,
        **values,
        heads=attention.heads if attention else None,
        pattern_heads=attention.pattern_heads if attention else None,
        why=MappingProxyType(why),
        names=names,
    )


_CALLED = {
    "attention": "attention",
    "attention_out": "attention",
    "pattern": "attention",
    "mlp": "MLP",
    "mlp_out": "MLP",
}


def _one(parts: Sequence[Part], role: str, why: dict[str, str]) -> Part | None:
    """Return the one part of a role; say in `why` what there is instead."""
    mine = [part for part in parts if part.role == role]
    if len(mine) == 1 and mine[0].path:
        return mine[0]
    called = _CALLED[role]
    if any(part.path for part in mine):
        reason = f"several modules that are its {called}, {_quoted(part.path for part in mine)}"
    elif mine:
        reason = f"no module whose output is what its {called} adds"
    else:
        others = [f"{part.path} ({part.kind})" for part in parts if part.path]
        reason = f"no {called}" + (f"; it adds {' and '.join(others)}" if others else "")
    for name in PARTS:
        if _CALLED[name] == called:
            why[name] = reason
    return None


def _explain(why: dict[str, str], values: Mapping[str, str | None], attention: Part | None, mlp: Part | None) -> None:
    if attention is not None and values["attention_out"] is None:
        why["attention_out"] = f"no linear map whose input is the heads of {attention.path!r} ({attention.kind})"
    if mlp is not None and values["mlp_out"] is None:
        why["mlp_out"] = (
            f"no neurons of its own: {mlp.path!r} ({mlp.kind}) routes tokens to experts, and each has its own neurons"
            if mlp.experts
            else f"no linear map whose input is the neurons of {mlp.path!r} ({mlp.kind})"
        )


def _around(out: str, names: frozenset[str]) -> str | None:
    """Return the module that computes the probabilities: the parent of the output projection, as names have it."""
    parent = out.rpartition(".")[0]
    inner = {"attention.output": "attention.self"}.get(parent, parent)
    return inner if inner in names else parent


def _quoted(paths: Iterable[Any]) -> str:
    return " and ".join(repr(path) for path in paths)
