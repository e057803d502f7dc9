"""What plain runs leave for growing passes: keys and values, and hidden states at the ends of blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from ...errors import BackendError
from ..backends import AbstractBackend, Visit
from ..study import Study, remembers
from ._births import births

Lane = tuple[str, int]


@final
class SharedPrefix(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer whose rows are repeated to fit the batch that asks.

    Parameters
    ----------
    keys, values
        ``(lanes, heads, prefix, head features)``. A batch holds whole copies of the lanes, in order, or the first
        alone.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys, values
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return the prefix, repeated, followed by the new keys and values."""
        assert self.keys is not None
        assert self.values is not None
        return _joined(self.keys, key_states), _joined(self.values, value_states)


def _joined(prefix: Tensor, new: Tensor) -> Tensor:
    if new.shape[0] % prefix.shape[0]:
        prefix = prefix[: new.shape[0]]
    joined = new.new_empty(new.shape[0], new.shape[1], prefix.shape[2] + new.shape[2], new.shape[3])
    joined.view(-1, *prefix.shape[:2], *joined.shape[2:])[..., : prefix.shape[2], :] = prefix
    joined[:, :, prefix.shape[2] :] = new
    return joined


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """One batch of plain runs: its cache, hidden states by block, and the row and first token of each lane there."""

    cache: DynamicCache
    hidden: Mapping[int, Tensor]
    where: Mapping[Lane, tuple[int, int]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """What plain runs of some lanes left, in the order of the lanes."""

    runs: Sequence[tuple[_Held, int, int, int]]

    @classmethod
    def of(cls, rows: Sequence[tuple[_Held, int, int]]) -> Lanes:
        """Join lanes that lie together: a batch of plain runs, the first row, its first token, and how many rows."""
        runs: list[tuple[_Held, int, int, int]] = []
        for held, row, offset in rows:
            if runs and runs[-1][0] is held and runs[-1][2] == offset and runs[-1][1] + runs[-1][3] == row:
                runs[-1] = (*runs[-1][:3], runs[-1][3] + 1)
            else:
                runs.append((held, row, offset, 1))
        return cls(runs)

    def prefix(self, start: int) -> DynamicCache:
        """Return a cache of the first `start` tokens that serves any whole number of copies of the rows."""
        shared = DynamicCache()
        shared.layers = [
            SharedPrefix(*(self._slice(self._layer(index, name), 2, 0, start) for name in ("keys", "values")))
            for index in range(len(self.runs[0][0].cache.layers))
        ]
        return shared

    def hidden(self, block: int, start: int, length: int) -> Tensor:
        """Return the output of a block at tokens `start` to `length`, ``(lanes, tokens, features)``."""
        return self._slice(lambda held: held.hidden[block], 1, start, length)

    def _layer(self, index: int, name: str) -> Callable[[_Held], Tensor]:
        return lambda held: getattr(held.cache.layers[index], name)

    def _slice(self, find: Callable[[_Held], Tensor], axis: int, start: int, stop: int) -> Tensor:
        """Return tokens, counted along `axis`, of each lane; a view where the lanes lie together."""
        parts = [
            find(held)[row : row + n].narrow(axis, offset + start, stop - start) for held, row, offset, n in self.runs
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


@final
class PlainStates:
    """What plain runs leave, by lane: a run's input and a unit.

    A plan says after which pass what an earlier one left is dropped, so that no more is kept than memory has room for.

    Parameters
    ----------
    study, backend
        What is run, and by what.
    """

    __slots__ = ("_backend", "_held", "_study")

    def __init__(self, study: Study, backend: AbstractBackend) -> None:
        self._study, self._backend = study, backend
        self._held: list[tuple[int, _Held]] = []

    def watch(self, hidden: dict[int, Tensor], tokens: int) -> list[Visit]:
        """Return the visits that put the outputs of blocks, at which rows are born, into `hidden`.

        Parameters
        ----------
        tokens
            Width of the batch: some modules see it flattened.
        """
        known = self._study.model.known_architecture()

        def keep(block: int) -> Callable[[Tensor], None]:
            def see(output: Tensor) -> None:
                hidden[block] = output if output.ndim > 2 else output.reshape(-1, tokens, output.shape[-1])

            return see

        return [Visit(known.path(block), "output", keep(block)) for block in births(self._study)]

    def keep(
        self,
        number: int,
        cache: DynamicCache,
        hidden: Mapping[int, Tensor],
        lanes: Sequence[Lane],
        starts: Sequence[int],
    ) -> None:
        """Keep what a batch of plain runs left, whose rows begin with `starts` tokens of padding.

        Parameters
        ----------
        number
            Of the pass; `drop` takes it.
        """
        where = {lane: (row, start) for row, (lane, start) in enumerate(zip(lanes, starts, strict=True))}
        self._held.append((number, _Held(cache, hidden, where)))

    def drop(self, numbers: Collection[int]) -> None:
        """Drop what some passes left."""
        self._held = [(number, held) for number, held in self._held if number not in numbers]

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()

    def of(self, lanes: Sequence[Lane]) -> Lanes:
        """Return what plain runs of `lanes` left."""
        found = {lane: held for lane in lanes for _, held in self._held if lane in held.where}
        return Lanes.of([(found[lane], *found[lane].where[lane]) for lane in lanes])

    def run(self, number: int, lanes: Sequence[Lane]) -> None:
        """Run lanes of one length plain, for what they leave alone."""
        ids = torch.stack([lane_ids(self._study, lane) for lane in lanes]).to(self._study.model.device)
        cache, hidden = DynamicCache(), dict[int, Tensor]()
        inputs: dict[str, Any] = {"input_ids": ids, "past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
        if remembers(self._study.model):
            inputs["position_ids"] = torch.arange(ids.shape[1], device=ids.device)[None]
        self._backend.forward(self._study.model, inputs, self.watch(hidden, ids.shape[1]), lambda output: None)
        check_cache(cache, ids.shape[1])
        self.keep(number, cache, hidden, lanes, [0] * len(lanes))


def check_cache(cache: DynamicCache, length: int) -> None:
    """Raise BackendError unless every layer keeps one key and one value a token."""
    for index, layer in enumerate(cache.layers):
        keys = getattr(layer, "keys", None)
        if type(layer) is not DynamicLayer or keys is None or keys.ndim != 4 or keys.shape[2] != length:
            raise BackendError(f"layer {index} keeps {type(layer).__name__}, not one key and one value a token")


def lane_ids(study: Study, lane: Lane) -> Tensor:
    """Return the tokens of an input with what is appended to it."""
    run, unit = lane
    ids = study.encoding.of(run, unit).ids
    assert ids is not None
    continuation = study.prepared.continuation
    return torch.cat([ids, torch.tensor(continuation[unit], dtype=torch.long)]) if continuation else ids
