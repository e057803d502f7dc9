"""The parts of each block of a model, found by experiments on one input; and the numbers of plain hooks there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .stream import Block, Edit, Watch, Where, stacks

HEAD, NEURONS = 1, (0, 3)
KINDS = ("residual", "attention", "head", "pattern", "mlp", "neurons")
Inputs = dict[str, Any]


@dataclass
class Parts:
    """Places of the parts of one block; a kind that is missing is not there, or was not understood."""

    places: dict[str, tuple[Where, ...]] = field(default_factory=dict)
    heads: int = 0
    others: tuple[Where, ...] = ()  # what mixes tokens without a softmax, or attends to another sequence
    followed: bool = False  # the stream was followed from the input of the block to its output


@dataclass
class Anatomy:
    """A model whose blocks are known."""

    model: nn.Module
    names: dict[nn.Module, Where]
    parts: dict[Where, Parts]
    embedding: bool

    def number(self, inputs: Inputs, edits: dict[Where, Edit] | None = None, outcome: Any = None) -> float:
        """Return the outcome of one pass of one input."""
        return float(outcome(Watch(self.names, set(), edits, inputs["input_ids"]).run(self.model, inputs)))

    def exchanged(self, kind: str, block: Where, base: Inputs, source: Inputs, outcome: Any) -> float:
        """Return Y(base, M(source)), of the mediator `kind` in `block`, at the last token."""
        places = (("embedding",),) if kind == "embedding" else self.parts[block].places[kind]
        theirs = Watch(self.names, set(places), None, source["input_ids"])
        theirs.run(self.model, source)
        edits = {one: _exchange(kind, theirs.values[one], self.parts.get(block)) for one in places}
        return self.number(base, edits, outcome)


def _exchange(kind: str, theirs: Tensor, parts: Parts | None) -> Edit:
    def put(mine: Tensor) -> Tensor:
        if kind == "pattern":
            (mine if mine.ndim == 3 else mine[0])[HEAD, -1] = (theirs if theirs.ndim == 3 else theirs[0])[HEAD, -1]
        else:
            features = _features(kind, mine.shape[-1], parts)
            mine[..., -1, features] = theirs[..., -1, features]
        return mine

    return put


def _features(kind: str, width: int, parts: Parts | None) -> list[int]:
    if kind == "neurons":
        return list(NEURONS)
    if kind == "head":
        assert parts is not None
        size = width // parts.heads
        return list(range(HEAD * size, (HEAD + 1) * size))
    return list(range(width))


def anatomy(model: nn.Module, inputs: Inputs) -> Anatomy:
    """Return the parts of the blocks of `model`, found with one input."""
    names = {block: (path, layer) for path, blocks in stacks(model, inputs).items() for layer, block in enumerate(blocks)}
    plain = Watch(names, None, None, inputs["input_ids"])
    plain.run(model, inputs)
    found = {name: _Experiment(model, names, inputs, plain, name).parts() for name in names.values()}
    return Anatomy(model, names, found, ("embedding",) in plain.values)


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

    def parts(self) -> Parts:
        found = Parts({"residual": (("output", *self.name),)})
        leaves = dict(self.block.branches)
        if not leaves or ("input", *self.name) not in self.plain.values:
            return found
        moved = self._moved(list(leaves))
        kinds = {leaf: "attention" if known.soft and moved[leaf] else "other" if moved[leaf] or known.soft else "mlp" for leaf, known in leaves.items()}
        found.others = tuple(leaf for leaf in leaves if kinds[leaf] == "other")
        for kind in ("attention", "mlp"):
            here = tuple(leaf for leaf in leaves if kinds[leaf] == kind)
            if here:
                found.places[kind] = here
        self._attention(found)
        self._neurons(found, leaves)
        return found

    def _run(self, edits: dict[Where, Edit], keep: set[Where]) -> dict[Where, Tensor]:
        watch = Watch(self.names, keep, edits, self.inputs["input_ids"])
        watch.run(self.model, self.inputs)
        return watch.values

    def _frozen(self, places: Any) -> dict[Where, Edit]:
        return {one: (lambda _, value=self.plain.values[one]: value.clone()) for one in places}

    def _moved(self, leaves: list[Where]) -> dict[Where, bool]:
        """Whether each branch, the others held, changes at other tokens if the block's input changes at the first."""

        def first(x: Tensor) -> Tensor:
            x[..., 0, :] = x[..., 0, :].flip(-1) * 1.5 + 0.3
            return x

        after = self._run({("input", *self.name): first, **self._frozen(leaves)}, set(leaves))
        return {leaf: bool((after[leaf] - self.plain.values[leaf])[..., 1:, :].abs().max() > 1e-6) for leaf in leaves}

    def _carries(self, linear: Where, leaves: tuple[Where, ...]) -> bool:
        """Whether all that the branch has of the block's input comes through the input of one linear map."""

        def other(x: Tensor) -> Tensor:
            return x.flip(-1) * 1.5 + 0.3

        everything = [leaf for leaf, _ in self.block.branches]
        after = self._run({("input", *self.name): other, **self._frozen([linear, *everything])}, set(leaves))
        return all(bool((after[leaf] - self.plain.values[leaf]).abs().max() < 1e-6) for leaf in leaves)

    def _attention(self, found: Parts) -> None:
        if "attention" not in found.places or not self.block.softmaxes:
            return
        softmax = self.block.softmaxes[0]
        shape = self.plain.values[softmax].shape
        if len(shape) == 5 or shape[-1] < self.plain.values["input", *self.name].shape[-2]:
            return
        found.heads = shape[0] if len(shape) == 3 else shape[1]
        found.places["pattern"] = (softmax,)
        for linear, soft in self.block.linears:
            if soft and self._is_projection(linear, softmax, found):
                found.places["head"] = (linear,)
                return

    def _is_projection(self, linear: Where, softmax: Where, found: Parts) -> bool:
        """Whether the heads lie side by side in the input of a linear map that carries all of the attention."""
        width = self.plain.values[linear].shape[-1]
        if width % found.heads:
            return False

        def silence(x: Tensor) -> Tensor:
            (x if x.ndim == 3 else x[0])[HEAD] = 0
            return x

        change = (self._run({softmax: silence}, {linear})[linear] - self.plain.values[linear]).abs().reshape(-1, width).amax(0)
        mine = _features("head", width, found)
        others = torch.ones(width, dtype=torch.bool)
        others[mine] = False
        return bool(change[mine].max() > 1e-6 and change[others].max() < 1e-6) and self._carries(linear, found.places["attention"])

    def _neurons(self, found: Parts, leaves: dict[Where, Any]) -> None:
        here = found.places.get("mlp", ())
        if len(here) != 1 or leaves[here[0]].linear is None:
            return
        linear = leaves[here[0]].linear
        tokens = self.plain.values["input", *self.name].shape[-2]
        if self.plain.values[linear].shape[-2] == tokens and self._carries(linear, here):
            found.places["neurons"] = (linear,)
