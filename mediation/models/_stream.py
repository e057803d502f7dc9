"""What a block adds to its residual stream, read off a tape of one forward pass.

The stream is whatever leads from the block's input to its output through sums, scalings, views and norms alone. What is
summed into it on the way are the block's parts, whatever the form: serial, parallel, normed before or after, scaled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, final

from torch import nn

from ._tape import BlockTape, Call, Mixing, Tape

Role = Literal["attention", "cross-attention", "mlp", "other"]
_NORM = re.compile(r"norm(alization)?(\dd)?$", re.IGNORECASE)
_MLP = re.compile(r"mlp|ffn|feed_?forward|moe|expert|(^|\.)(fc_?\d?|ffw?)(\.|$)|lin2|dense", re.IGNORECASE)
_MIXER = re.compile(r"(mixer|mamba\d?|attention|attn|net|conv(olution)?(\dd)?|recurrent(block|layer)?)$", re.IGNORECASE)
_CONVOLUTIONS = frozenset({"convolution", "conv1d", "mkldnn_convolution", "_fft_r2c", "_fft_c2c"})
_FAR = 16


@final
@dataclass(frozen=True, slots=True)
class Part:
    """One module whose output is added to the residual stream.

    Attributes
    ----------
    path
        Path in the block; empty where no module has that output.
    role
        What it computes.
    kind
        Name of its class.
    last
        Path of the linear map that makes the output, or None: its input holds the heads, or the neurons.
    heads
        Heads side by side in the input of `last`, or None where they do not lie so.
    pattern, pattern_heads
        Module in which the attention probabilities are computed, once and with an axis of heads, and their heads.
    experts
        True if tokens are routed to experts.
    """

    path: str
    role: Role
    kind: str = ""
    last: str | None = None
    heads: int | None = None
    pattern: str | None = None
    pattern_heads: int | None = None
    experts: bool = False


@final
class Stream:
    """The residual stream of one block.

    Parameters
    ----------
    tape, block
        The tape of the pass, and of this block.
    """

    __slots__ = ("_block", "_calls", "_known", "_norms", "_tape")

    def __init__(self, tape: Tape, block: BlockTape) -> None:
        self._tape, self._block = tape, block
        self._calls: dict[int, list[Call]] = {}
        self._norms: dict[int, int] = {}
        self._known: dict[int, bool] = {}
        for call in block.calls:
            if call.path and call.given != call.taken:
                self._calls.setdefault(call.given, []).append(call)
                if _NORM.search(type(call.module).__name__) and call.taken >= 0:
                    self._norms.setdefault(call.given, call.taken)

    @property
    def is_whole(self) -> bool:
        """True if the block's output is its input with something added."""
        return self._block.left > self._block.entered >= 0 and self.carries(self._block.left)

    def carries(self, node: int) -> bool:
        """Return True if a tensor is the block's input with something added."""
        if node not in self._known:
            start = self._block.entered
            self._known[node] = node == start or (
                node > start and any(self.carries(before) for before in self._onward(node))
            )
        return self._known[node]

    def parts(self) -> list[Part]:
        """Return what is added, in order of execution."""
        found: dict[int, None] = {}
        self._collect(self._block.left, found)
        return list(dict.fromkeys(part for node in sorted(found) for part in self._of(node)))

    def holds_stream(self, path: str) -> bool:
        """Return True if the output of a module is the block's input with something added."""
        return any(self.carries(call.given) for call in self._block.calls if call.path == path)

    def _onward(self, node: int) -> tuple[int, ...]:
        return (self._norms[node],) if node in self._norms else self._tape.onward(node)

    def _collect(self, node: int, found: dict[int, None]) -> None:
        if node == self._block.entered:
            return
        for before in self._onward(node):
            if self.carries(before):
                self._collect(before, found)
            else:
                found[before] = None

    def _of(self, node: int) -> list[Part]:
        """Return the parts that one summand is made of."""
        for _ in range(_FAR):
            calls = [call for call in self._calls.get(node, ()) if not self._wraps(call)]
            if calls:
                return [self._part(min(calls, key=lambda call: call.path.count(".")), node)]
            before = self._onward(node)
            if len(before) != 1:
                return [part for one in before for part in self._of(one)] if before else [self._nameless(node)]
            node = before[0]
        return [self._nameless(node)]

    def _wraps(self, call: Call) -> bool:
        """Return True for a norm, a scale or a dropout: its output is its input but for size."""
        node = call.given
        for _ in range(_FAR):
            if node == call.taken:
                return True
            before = self._onward(node)
            if len(before) != 1:
                return False
            node = before[0]
        return False

    def _nameless(self, node: int) -> Part:
        return Part("", "attention" if self._mixings(node) else "other")

    def _part(self, call: Call, node: int) -> Part:
        ancestors = self._behind(node)
        top = call.path.split(".")[0]
        mixings = [one for one in self._mixings(node) if one.module.split(".")[0] in ("", top)]
        last, kind = self._last(node), type(call.module).__name__
        if mixings:
            own = [one for one in mixings if one.keys in (self._block.tokens, self._block.tokens + 1)]
            one = (own or mixings)[0]
            single = len(own or mixings) == 1 and one.heads > 0
            heads = None if last is None else self._side_by_side(last.taken)
            if single and heads != one.heads:  # what lies side by side is not one head each
                last = heads = None
            return Part(
                call.path,
                "attention" if own else "cross-attention",
                kind,
                None if last is None else last.path,
                heads,
                one.module if single else None,
                one.heads if single else None,
            )
        if self._mixings(node) or any(self._tape.nodes[one].operation in _CONVOLUTIONS for one in ancestors):
            return Part(call.path, "other", kind)
        mixer = _MIXER.search(kind) or any(_MIXER.search(piece) for piece in call.path.split(".")[:-1])
        if mixer or not (_MLP.search(call.path) or _MLP.search(kind)):
            return Part(call.path, "other", kind)
        routed = any(self._tape.nodes[one].operation in ("topk", "sort") for one in ancestors) or has_experts(
            call.module
        )
        return Part(call.path, "mlp", kind, None if last is None or routed else last.path, experts=routed)

    def _mixings(self, node: int) -> list[Mixing]:
        behind = self._behind(node)
        return [one for one in self._block.mixings if one.node in behind and not self._is_router(one)]

    def _is_router(self, one: Mixing) -> bool:
        shape = self._tape.nodes[one.node].shape
        return len(shape) == 3 and one.heads == 0 and one.keys != self._block.tokens

    def _behind(self, node: int) -> set[int]:
        """Return what a summand is computed from, back to the stream."""
        found, todo = {node}, [node]
        while todo:
            one = todo.pop()
            for before in (*self._tape.nodes[one].parents, *self._tape.links.get(one, ())):
                if before > self._block.entered and before not in found and not self.carries(before):
                    found.add(before)
                    todo.append(before)
        return found

    def _last(self, node: int) -> Call | None:
        """Return the linear map behind a summand, past norms and scales."""
        for _ in range(_FAR):
            for call in self._calls.get(node, ()):
                if input_width(call.module) is not None:
                    return call
            before = self._onward(node)
            if len(before) != 1:
                return None
            node = before[0]
        return None

    def _side_by_side(self, node: int, far: int = _FAR) -> int | None:
        """Return how many heads lie side by side in a tensor ``(..., heads x features)``."""
        operation, parents, shape, _ = self._tape.nodes[node]
        if not far or not parents:
            return None
        before = self._tape.nodes[parents[0]].shape
        if (
            operation in ("view", "_unsafe_view", "reshape")
            and len(before) > 3
            and before[-2] * before[-1] == shape[-1]
        ):
            return before[-2]
        if operation in ("mul", "mul_", *_SPLITS) or self._onward(node):
            onward = parents if operation in ("mul", "mul_") else (self._onward(node) or parents[:1])
            return next((found for one in onward if (found := self._side_by_side(one, far - 1)) is not None), None)
        return None


_SPLITS = ("slice", "native_dropout", "dropout")


def input_width(module: nn.Module) -> int | None:
    """Return the number of input features of a linear-like module, if it says so."""
    found = getattr(module, "in_features", None)
    if found is None and getattr(module, "nf", None) is not None:  # Conv1D of transformers keeps (in, out)
        found = module.weight.shape[0]  # type: ignore[index]
    return int(found) if isinstance(found, int) else None


def has_experts(module: nn.Module) -> bool:
    """Return True if a module says that it holds experts."""
    return any(re.search("expert", name, re.IGNORECASE) for name, _ in module.named_modules())
