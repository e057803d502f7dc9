"""What the blocks of a transformer add to the residual stream, read off its arithmetic instead of its modules' names.

A torch function mode watches one forward pass of one input. Inside a block it follows the stream from the block's input
through every addition; what is added to it is a *branch*. Branches that look at other tokens through a softmax are
attention, those that look at no other token are the MLP. Nothing here reads a module's name or the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Edit = Callable[[Tensor], Tensor]
Where = tuple[Any, ...]
"""Of a number in a pass: ("add", block, index, operand), ("linear", block, index), ("softmax", block, index), ..."""

_IN_PLACE = {"add_", "__iadd__"}
_ADD = {"add", "__add__", "__radd__", *_IN_PLACE}
_SOFTMAX = {"softmax"}
_PRODUCTS = {"matmul", "__matmul__", "bmm", "einsum", "conv1d", "conv2d", "baddbmm", "mm"}


@dataclass
class Known:
    """What is known of one tensor of a block."""

    strong: bool = False  # the stream itself: the block's input, and what additions made of it
    weak: bool = False  # the stream normed or scaled
    soft: bool = False  # a softmax over tokens went into it
    linear: Where | None = None  # the last linear map before it
    parts: tuple[Where, ...] = ()  # operands of additions before the stream that it is the sum of
    kept: Tensor | None = None  # so that no other tensor gets its identity


@dataclass
class Block:
    """What happened in one block."""

    branches: list[tuple[Where, Known]] = field(default_factory=list)
    joins: dict[Where, Where] = field(default_factory=dict)  # branch -> the addition in which it reaches the stream
    linears: list[tuple[Where, bool]] = field(default_factory=list)  # and whether its input saw a softmax
    softmaxes: list[Where] = field(default_factory=list)


class Watch(TorchFunctionMode):
    """One forward pass: the branches of each block, values at places, and edits there.

    `blocks` maps a module to the name of its block. `edits` maps a place to what is done there, and `values` holds what
    was at the places `keep`, before it was edited (None: at all places). `ids` are the tokens whose look-up is a place.
    """

    def __init__(
        self,
        blocks: dict[nn.Module, Where],
        keep: set[Where] | None = None,
        edits: dict[Where, Edit] | None = None,
        ids: dict[Where, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.names, self.keep, self.edits, self.ids = blocks, keep, edits or {}, ids or {}
        self.seen: dict[Where, Block] = {}
        self.values: dict[Where, Tensor] = {}
        self.here: Where | None = None
        self.length, self.width = 0, 0
        self.about: dict[int, Known] = {}
        self.leaves: dict[Where, Known] = {}
        self.counts: dict[Any, int] = {}
        self.looked_up: set[Where] = set()

    # ------------------------------------------------------------------------------------------ hooks on blocks

    def run(self, model: nn.Module, inputs: dict[str, Any]) -> Any:
        handles = []
        for module in self.names:
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave, with_kwargs=True))
        try:
            with torch.no_grad(), self:
                return model(**inputs)
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        name = self.names[module]
        slot = next((i for i, one in enumerate(args) if _is_stream(one)), None)
        key = None if slot is not None else next((k for k, one in kwargs.items() if _is_stream(one)), None)
        self.here, self.about, self.seen[name] = name, {}, Block()
        if slot is None and key is None:
            return None
        stream = args[slot] if slot is not None else kwargs[key]
        new = self._at(("input", *name), stream)
        self.length, self.width = new.shape[-2], new.shape[-1]
        self._tell(new, Known(strong=True))
        if slot is not None:
            return (*args[:slot], new, *args[slot + 1 :]), kwargs
        return args, {**kwargs, key: new}

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        name, self.here, self.about = self.names[module], None, {}
        first = output[0] if isinstance(output, (tuple, list)) else output
        if not isinstance(first, Tensor):
            return None
        new = self._at(("output", *name), first)
        if new is first:
            return None
        if isinstance(output, list):
            return [new, *output[1:]]
        return (new, *output[1:]) if isinstance(output, tuple) else new

    def _at(self, where: Where, value: Tensor) -> Tensor:
        if self.keep is None or where in self.keep:
            self.values[where] = value.detach().clone()
        edit = self.edits.get(where)
        return value if edit is None else edit(value.detach().clone())

    def _tell(self, tensor: Tensor, known: Known) -> Tensor:
        known.kept = tensor
        self.about[id(tensor)] = known
        return tensor

    def _ask(self, tensor: Any) -> Known | None:
        return self.about.get(id(tensor)) if isinstance(tensor, Tensor) else None

    # ------------------------------------------------------------------------------------------ functions

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.here is None:
            out = func(*args, **kwargs)
            return self._embedding(args, out) if name == "embedding" else out
        block = self.seen[self.here]
        if name in _ADD and len(args) == 2 and self._hidden(args[0]) and self._hidden(args[1]):
            return self._add(block, func, args, kwargs)
        slot = self._of_linear(name, args)
        if slot is not None:
            return self._linear(block, func, slot, args, kwargs)
        out = func(*args, **kwargs)
        if not isinstance(out, Tensor):
            return self._several(name, args, kwargs, out)
        return self._other(block, name, args, kwargs, out)

    def _hidden(self, value: Any) -> bool:
        size = (self.length, self.width)
        return isinstance(value, Tensor) and value.shape in ((1, *size), size) and value.is_floating_point()

    def _of_linear(self, name: str, args: Any) -> int | None:
        """Return which argument goes through a linear map with weights, or None."""
        if name == "linear":
            return 0
        if name == "addmm":
            return 1
        weights = name in ("matmul", "__matmul__") and args[1].ndim == 2 and self._ask(args[1]) is None
        return 0 if weights and self._ask(args[0]) is not None else None

    def _count(self, kind: str) -> Where:
        assert self.here is not None
        self.counts[kind, self.here] = self.counts.get((kind, self.here), -1) + 1
        return (kind, *self.here, self.counts[kind, self.here])

    def _embedding(self, args: Any, out: Tensor) -> Tensor:
        """The first look-up of the tokens of an input; of later ones, such as those of each layer, nothing is kept."""
        for where, ids in self.ids.items():
            if where not in self.looked_up and any(_same_tokens(one, ids) for one in _tensors(args)):
                self.looked_up.add(where)
                return self._at(where, out)
        return out

    def _add(self, block: Block, func: Any, args: Any, kwargs: Any) -> Tensor:
        where = self._count("add")
        places = [(*where, 0), (*where, 1)]
        known = [self._ask(one) or Known() for one in args]
        new = [self._at(place, one) for place, one in zip(places, args, strict=True)]
        if func.__name__ in _IN_PLACE and new[0] is not args[0]:  # others hold the tensor that is added to
            new[0] = args[0].copy_(new[0])
        args = new
        strength = [2 * one.strong + one.weak for one in known]
        out = func(*args, **kwargs)
        if strength[0] == strength[1]:
            both = bool(strength[0])
            for place, one in zip(places, known, strict=True):
                self.leaves[place] = one
            parts = tuple(leaf for place, one in zip(places, known, strict=True) for leaf in (one.parts or (place,)))
            lasts = [one.linear for one in known if one.linear is not None]
            about = Known(
                weak=both,
                soft=any(one.soft for one in known),
                linear=lasts[-1] if lasts else None,
                parts=() if both else parts,
            )
            return self._tell(out, about)
        branch = strength[1] > strength[0]
        which = 0 if branch else 1
        for leaf in known[which].parts or (places[which],):
            block.branches.append((leaf, self.leaves.get(leaf, known[which])))
            block.joins[leaf] = where
        return self._tell(out, Known(strong=True))

    def _linear(self, block: Block, func: Any, slot: int, args: Any, kwargs: Any) -> Tensor:
        where = self._count("linear")
        known = self._ask(args[slot]) or Known()
        given = self._at(where, args[slot])
        out = self._at(("after", *where), func(*args[:slot], given, *args[slot + 1 :], **kwargs))
        block.linears.append((where, known.soft))
        return self._tell(out, Known(soft=known.soft, linear=where))

    def _other(self, block: Block, name: str, args: Any, kwargs: Any, out: Tensor) -> Tensor:
        given = [known for one in _tensors((args, kwargs)) if (known := self._ask(one)) is not None]
        if name in _SOFTMAX and _over_tokens(out, self.length):
            where = self._count("softmax")
            block.softmaxes.append(where)
            return self._tell(self._at(where, out), Known(soft=True))
        if not given:
            return out
        soft = any(one.soft for one in given) or name == "scaled_dot_product_attention"
        linear = max((one.linear for one in given if one.linear is not None), default=None)
        pure = name not in _PRODUCTS and all(one.strong or one.weak for one in given)
        if pure:  # a norm, a mean, a scale: the stream still, or a number of it
            same = len(given) == 1 and given[0].strong and name in _SAME
            return self._tell(out, Known(strong=same, weak=not same))
        if name in _PRODUCTS or not self._hidden(out) or any(one.strong or one.weak for one in given):
            return self._tell(out, Known(soft=soft, linear=linear))
        parts = next((one.parts for one in given if one.parts), ())
        return self._tell(out, Known(soft=soft, linear=linear, parts=parts))

    def _several(self, name: str, args: Any, kwargs: Any, out: Any) -> Any:
        given = [known for one in _tensors((args, kwargs)) if (known := self._ask(one)) is not None]
        if given and isinstance(out, (tuple, list)):
            soft = any(one.soft for one in given)
            linear = max((one.linear for one in given if one.linear is not None), default=None)
            for one in out:
                if isinstance(one, Tensor):
                    self._tell(one, Known(soft=soft, linear=linear))
        return out


_SAME = {"dropout", "to", "float", "contiguous", "clone", "type", "type_as", "view", "reshape", "half", "bfloat16"}


def _is_stream(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.ndim == 3 and value.shape[0] == 1


def _same_tokens(one: Tensor, ids: Tensor) -> bool:
    return not one.is_floating_point() and one.numel() == ids.numel() and bool((one.flatten() == ids.flatten()).all())


def _over_tokens(out: Tensor, length: int) -> bool:
    """Whether a softmax is over tokens, and not over experts."""
    return out.ndim in (4, 5) or (out.ndim == 3 and out.shape[0] > 1 and out.shape[-2] == length)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [one for item in value for one in _tensors(item)]
    return []


def stacks(model: nn.Module, inputs: dict[str, Any]) -> dict[str, list[nn.Module]]:
    """Return path -> blocks, of the outermost lists of modules each of which takes what the one before it gave."""
    lists = {name: list(one) for name, one in model.named_modules() if isinstance(one, nn.ModuleList) and len(one)}
    streams: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def seen(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        given = next((one for one in _tensors((args, kwargs)) if one.is_floating_point() and one.ndim > 2), None)
        gives = next((one for one in _tensors(output) if one.is_floating_point() and one.ndim > 2), None)
        streams.setdefault(module, []).append((given, gives))

    handles = [one.register_forward_hook(seen, with_kwargs=True) for blocks in lists.values() for one in blocks]
    try:
        with torch.no_grad():
            model(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    found: dict[str, list[nn.Module]] = {}
    for name, blocks in lists.items():
        calls = [streams.get(block, []) for block in blocks]
        inside = any(name.startswith(f"{other}.") for other in found)
        if not inside and all(len(one) == 1 for one in calls) and _chained([one[0] for one in calls]):
            found[name] = blocks
    return found


def _chained(calls: list[tuple[Tensor | None, Tensor | None]]) -> bool:
    if any(given is None or gives is None or given.shape != gives.shape for given, gives in calls):
        return False
    links = pairwise(calls)
    return all(torch.allclose(one[1], other[0]) for one, other in links) and not torch.allclose(*calls[0])  # type: ignore[arg-type]
