"""The parts of each block of a model, found by experiments on one input; and the numbers of plain exchanges there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .stream import Block, Edit, Watch, Where, stacks

HEAD, NEURONS = 1, (0, 3, 5, 6)
OF_TOKENS = ("residual", "embedding")  # whose tokens may be on any axis
Inputs = dict[str, Any]


@dataclass
class Parts:
    """Places of the parts of one block; a kind that is missing is not there, or was not understood."""

    places: dict[str, tuple[Where, ...]] = field(default_factory=dict)
    heads: int = 0
    head: tuple[int, ...] = ()  # the features of head HEAD in the input of the output projection
    others: tuple[Where, ...] = ()  # what mixes tokens without a softmax, or attends to another sequence
    shape: tuple[int, ...] = ()  # of the block's output
    followed: bool = False  # something was seen that is added to the stream


@dataclass
class Anatomy:
    """A model whose blocks are known."""

    model: nn.Module
    names: dict[nn.Module, Where]
    parts: dict[Where, Parts]
    embeddings: set[Where]
    lengths: set[int]

    def output(self, inputs: Inputs, edits: dict[Where, Edit] | None = None) -> Any:
        """Return what one pass of one input gives."""
        return Watch(self.names, set(), edits, ids_of(inputs)).run(self.model, inputs)

    def values(self, inputs: Inputs) -> dict[Where, Tensor]:
        """Return what is at every place in one pass of one input."""
        watch = Watch(self.names, None, None, ids_of(inputs))
        watch.run(self.model, inputs)
        return watch.values

    def exchanged(self, kind: str, block: Where, base: Inputs, theirs: dict[Where, Tensor], everywhere: bool) -> Any:
        """Return the output of base with the values `theirs` put in: at the last token, or at all tokens."""
        rows = slice(None) if everywhere else slice(-1, None)
        lengths = _lengths(base)
        parts = self.parts.get(block)
        return self.output(base, {one: _exchange(kind, value, parts, lengths, rows) for one, value in theirs.items()})


def _exchange(kind: str, theirs: Tensor, parts: Parts | None, lengths: set[int], rows: slice) -> Edit:
    of_tokens = [i for i, size in enumerate(theirs.shape) if size in lengths] if kind in OF_TOKENS else []
    axis = of_tokens[0] if of_tokens else theirs.ndim - 2

    def put(mine: Tensor) -> Tensor:
        if kind == "pattern":
            (mine if mine.ndim == 3 else mine[0])[HEAD, rows] = (theirs if theirs.ndim == 3 else theirs[0])[HEAD, rows]
        elif kind in ("head", "neurons"):
            for one in NEURONS if kind == "neurons" or parts is None else parts.head:
                mine[..., rows, one] = theirs[..., rows, one]
        else:
            index = (slice(None),) * axis + (rows,)
            mine[index] = theirs[index]
        return mine

    return put


def anatomy(model: nn.Module, inputs: Inputs) -> Anatomy:
    """Return the parts of the blocks of `model`, found with one input."""
    named = stacks(model, inputs).items()
    names = {block: (path, layer) for path, blocks in named for layer, block in enumerate(blocks)}
    plain = Watch(names, None, None, ids_of(inputs))
    plain.run(model, inputs)
    found = {name: _Experiment(model, names, inputs, plain, name).parts() for name in names.values()}
    return Anatomy(model, names, found, set(ids_of(inputs)) & set(plain.values), _lengths(inputs))


def ids_of(inputs: Inputs) -> dict[Where, Tensor]:
    """Return place -> tokens, of the look-ups of tokens in one stack or two."""
    both = {"input_ids": ("embedding", "encoder"), "decoder_input_ids": ("embedding", "decoder")}
    return {where: inputs[name] for name, where in both.items() if name in inputs}


def _lengths(inputs: Inputs) -> set[int]:
    """Return the numbers of tokens of an input, in one stack or two."""
    return {one.shape[1] for name, one in inputs.items() if name.endswith("input_ids")}


@dataclass
class _Experiment:
    model: nn.Module
    names: dict[nn.Module, Where]
    inputs: Inputs
    plain: Watch
    name: Where

    @property
    def block(self) -> Block:
        return self.plain.seen.get(self.name, Block())

    @property
    def tokens(self) -> int:
        return self.plain.values["input", *self.name].shape[-2]

    def parts(self) -> Parts:
        end = ("output", *self.name)
        found = Parts({"residual": (end,)}, shape=tuple(self.plain.values[end].shape))
        leaves = dict(self.block.branches)
        if not leaves or ("input", *self.name) not in self.plain.values:
            return found
        found.followed = True
        moved = self._moved(list(leaves))
        found.others = tuple(leaf for leaf, known in leaves.items() if moved[leaf] != known.soft)
        for kind, is_soft in (("attention", True), ("mlp", False)):
            here = tuple(one for one, known in leaves.items() if known.soft == moved[one] == is_soft)
            if here:  # the first, if several are added one after the other
                first = self.block.joins[here[0]]
                found.places[kind] = tuple(one for one in here if self.block.joins[one] == first)
        self._attention(found)
        self._neurons(found, leaves)
        return found

    def _run(self, edits: dict[Where, Edit], keep: set[Where]) -> dict[Where, Tensor]:
        """Return what is at `keep` in a pass with `edits`; experts that are sent other tokens may not fit together."""
        watch = Watch(self.names, keep, edits, ids_of(self.inputs))
        with suppress(RuntimeError, IndexError):
            watch.run(self.model, self.inputs)
        return watch.values

    def _frozen(self, places: Any) -> dict[Where, Edit]:
        def hold(value: Tensor) -> Callable[[Tensor], Tensor]:
            return lambda _: value.clone()

        return {one: hold(self.plain.values[one]) for one in places}

    def _moved(self, leaves: list[Where]) -> dict[Where, bool]:
        """Whether each branch, the others held, changes at other tokens if the block's input changes at the first."""

        def first(x: Tensor) -> Tensor:
            x[..., 0, :] = x[..., 0, :].flip(-1) * 1.5 + 0.3
            return x

        after = self._run({("input", *self.name): first, **self._frozen(leaves)}, set(leaves))
        return {leaf: bool((after[leaf] - self.plain.values[leaf])[..., 1:, :].abs().max() > 1e-6) for leaf in leaves}

    def _carries(self, linear: Where, leaves: tuple[Where, ...]) -> bool:
        """Whether all that a branch has of the block's input comes through the input of one linear map."""

        def other(x: Tensor) -> Tensor:
            return x.flip(-1) * 1.5 + 0.3

        everything = [leaf for leaf, _ in self.block.branches]
        after = self._run({("input", *self.name): other, **self._frozen([linear, *everything])}, set(leaves))
        return all(
            leaf in after and bool((after[leaf] - self.plain.values[leaf]).abs().max() < 1e-6) for leaf in leaves
        )

    def _attention(self, found: Parts) -> None:
        if "attention" not in found.places or not self.block.softmaxes:
            return
        softmax = self.block.softmaxes[0]
        shape = self.plain.values[softmax].shape
        if len(shape) == 5 or shape[-2] != self.tokens or shape[-1] < self.tokens:
            return
        found.heads = shape[0] if len(shape) == 3 else shape[1]
        found.places["pattern"] = (softmax,)
        for linear, soft in self.block.linears:
            if soft and self._is_projection(linear, softmax, found):
                found.places["head"] = (linear,)
                return

    def _is_projection(self, linear: Where, softmax: Where, found: Parts) -> bool:
        """Whether a head is a part of the input of a linear map that carries all of the attention."""

        def silence(x: Tensor) -> Tensor:
            (x if x.ndim == 3 else x[0])[HEAD] = 0
            return x

        before, after = self.plain.values[linear], self._run({softmax: silence}, {linear}).get(linear)
        width = before.shape[-1]
        if after is None or before.shape != after.shape or before.numel() == 0:
            return False
        changed = ((after - before).abs().reshape(-1, width).amax(0) > 1e-6).nonzero()[:, 0].tolist()
        silent = (after.abs().reshape(-1, width).amax(0) < 1e-9).nonzero()[:, 0].tolist()
        found.head = tuple(silent if len(changed) == width else changed)  # a norm over all heads changes them all
        return bool(found.head) and self._carries(linear, found.places["attention"])

    def _neurons(self, found: Parts, leaves: dict[Where, Any]) -> None:
        here = found.places.get("mlp", ())
        if len(here) != 1 or leaves[here[0]].linear is None:
            return
        linear = leaves[here[0]].linear
        if self.plain.values[linear].shape[-2] == self.tokens and self._carries(linear, here):
            found.places["neurons"] = (linear,)
