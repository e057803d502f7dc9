"""A tape of one forward pass: which operation made which tensor, and which module took and returned it.

The tape holds no tensors, only their shapes, so that it stays small for large models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

_ADDS = frozenset({"add", "add_"})
_SCALES = frozenset({"mul", "mul_", "div", "div_"})
_MOVES = frozenset(
    (
        *("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "transpose", "permute", "expand", "_to_copy"),
        *("clone", "detach", "alias", "contiguous", "lift_fresh", "to"),
    )
)
_NORMS = frozenset({"native_layer_norm", "layer_norm", "rms_norm", "_fused_rms_norm"})
_SOFTMAX = frozenset({"softmax", "_softmax", "_safe_softmax"})


class Node(NamedTuple):
    """One tensor: the operation that made it, the tensors it was made of, and its shape.

    Parameters and constants made of them are no nodes among `parents`, and a `constant` depends on no input.
    """

    operation: str
    parents: tuple[int, ...]
    shape: tuple[int, ...]
    constant: bool


class Mixing(NamedTuple):
    """An attention operation: its node, heads (0 where rows share their axis), keys, and the module it ran in."""

    node: int
    heads: int
    keys: int
    module: str


class Call(NamedTuple):
    """A module that ran: its path in the block, its first input and its first output."""

    path: str
    module: nn.Module
    taken: int
    given: int


@final
@dataclass(slots=True, eq=False)
class BlockTape:
    """What ran inside one block.

    Attributes
    ----------
    entered, left
        Nodes of the block's first input and first output.
    tokens
        Tokens of a row.
    calls
        Modules that ran, in the order in which they returned.
    mixings
        Attention operations.
    """

    entered: int = -1
    left: int = -1
    tokens: int = 0
    calls: list[Call] = field(default_factory=list)
    mixings: list[Mixing] = field(default_factory=list)


@final
class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every operation on tensors while it is active.

    Attributes
    ----------
    nodes
        One entry a tensor, in the order in which they were made.
    links
        For the output of a module, its input: what opaque operations hide.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.links: dict[int, set[int]] = {}
        self.block: BlockTape | None = None
        self.inside: list[str] = []
        self._index: Any = WeakTensorKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and note what it made of what."""
        given = args, kwargs or {}
        result = func(*args, **given[1])
        taken = [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
        name = func._schema.name.split("::")[-1]
        known = [self._index[one] for one in taken if one in self._index]
        parents = tuple(dict.fromkeys(one for one in known if not self.nodes[one].constant))
        constant = not parents
        for made in tree_leaves(result):
            if isinstance(made, Tensor):
                self._note(made, Node(name, parents, tuple(made.shape), constant))
        if self.block is not None:
            self._mixing(name, taken, result)
        return result

    def of(self, tensor: Tensor) -> int:
        """Return the node of a tensor; a tensor that is not known becomes an input."""
        if tensor not in self._index or self.nodes[self._index[tensor]].constant:
            self._note(tensor, Node("input", (), tuple(tensor.shape), constant=False))
        return int(self._index[tensor])

    def _note(self, tensor: Tensor, node: Node) -> None:
        self.nodes.append(node)
        self._index[tensor] = len(self.nodes) - 1
        base = tensor._base if node.operation.endswith("_") and not node.constant else None
        if base is not None:  # a view that was written to changes what it is a view of
            before = (self._index[base],) if base in self._index else ()
            self._note(base, Node("written", (*before, len(self.nodes) - 1), tuple(base.shape), constant=False))

    def _mixing(self, name: str, taken: Sequence[Tensor], result: Any) -> None:
        assert self.block is not None
        made = next((leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)), None)
        if made is None or made not in self._index:
            return
        where = self.inside[-1] if self.inside else ""
        if "scaled_dot_product" in name and taken[0].ndim == 4:
            self.block.mixings.append(Mixing(self._index[made], taken[0].shape[1], taken[1].shape[2], where))
        elif name in _SOFTMAX and made.ndim in (3, 4) and self.block.tokens in made.shape[-2:-1]:
            heads = made.shape[1] if made.ndim == 4 else 0
            self.block.mixings.append(Mixing(self._index[made], heads, made.shape[-1], where))

    def onward(self, node: int) -> tuple[int, ...]:
        """Return the tensors that `node` is a sum, a scaled copy, a view or a norm of; none for all else."""
        operation, parents, *_ = self.nodes[node]
        if operation in _ADDS:
            return parents
        if operation in _MOVES or operation in _NORMS or (operation in _SCALES and len(parents) == 1):
            return parents[:1]
        return ()


def record(module: nn.Module, stacks: Mapping[str, nn.Module], run: Callable[[], Any]) -> tuple[Tape, dict[str, Any]]:
    """Return the tape of one pass, and the tapes of the blocks of each stack by path.

    Parameters
    ----------
    stacks
        Lists of blocks by path.
    run
        Calls the module once.
    """
    tape, found = Tape(), {path: [BlockTape() for _ in blocks.children()] for path, blocks in stacks.items()}
    handles: list[Any] = []
    try:
        for path, blocks in stacks.items():
            for block, mine in zip(blocks.children(), found[path], strict=True):
                handles += _watch(tape, block, mine)
        with evaluated(module), torch.no_grad(), tape:
            run()
    finally:
        for handle in handles:
            handle.remove()
    return tape, found


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """Keep a module in evaluation mode, its blocks in steps of their own, and random generators where they are."""
    training = [inner for inner in module.modules() if inner.training]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    for inner in training:
        inner.training = False
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for inner in training:
            inner.training = True


def _watch(tape: Tape, block: nn.Module, mine: BlockTape) -> list[Any]:
    """Note the modules of one block while it runs for the first time."""
    handles: list[Any] = []
    for path, inner in block.named_modules():
        watcher = _Watcher(tape, mine, path)
        handles.append(inner.register_forward_pre_hook(watcher.enter, with_kwargs=True))
        handles.append(inner.register_forward_hook(watcher.leave))
    return handles


@final
class _Watcher:
    """Notes what one module of a block takes and gives."""

    __slots__ = ("_mine", "_path", "_taken", "_tape")

    def __init__(self, tape: Tape, mine: BlockTape, path: str) -> None:
        self._tape, self._mine, self._path = tape, mine, path
        self._taken: list[int] = []

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Note the first input."""
        tape, mine, tensor = self._tape, self._mine, first_tensor(args, kwargs)
        if self._path == "" and mine.left < 0 and tensor is not None:
            tape.block, mine.entered = mine, tape.of(tensor)
            mine.tokens = tensor.shape[1] if tensor.ndim > 2 else tensor.shape[0]
        if tape.block is mine:
            tape.inside.append(self._path.rpartition(".")[0] if isinstance(module, nn.Softmax) else self._path)
            self._taken.append(-1 if tensor is None else tape.of(tensor))

    def leave(self, module: nn.Module, _: Any, output: Any) -> None:
        """Note the first output."""
        tape, mine = self._tape, self._mine
        if tape.block is not mine:
            return
        tape.inside.pop()
        start, tensor = self._taken.pop(), main_tensor(output)
        end = -1 if tensor is None else tape.of(tensor)
        if end >= 0:
            mine.calls.append(Call(self._path, module, start, end))
        if 0 <= start < end:
            tape.links.setdefault(end, set()).add(start)
        if self._path == "":
            tape.block, mine.left = None, end


def first_tensor(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Return the first input of a module."""
    given = args[0] if args else next(iter(kwargs.values()), None)
    return given if isinstance(given, Tensor) else main_tensor(given)


def main_tensor(value: Any) -> Tensor | None:
    """Return the tensor of a module's output: itself, or the first item."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, dict) and value:
        value = tuple(value.values())
    return value[0] if isinstance(value, (tuple, list)) and value and isinstance(value[0], Tensor) else None
