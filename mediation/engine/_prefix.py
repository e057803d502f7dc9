"""Keys and values of plain runs: kept where they were computed, and shared by every copy of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from .._errors import BackendError
from ._backend import AbstractBackend

if TYPE_CHECKING:
    from ._study import Study

Lane = tuple[str, int]
_HELD = 2**29  # bytes


@final
class SharedPrefix(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer whose rows are repeated to fit the batch that asks.

    Parameters
    ----------
    keys, values
        ``(lanes, heads, prefix, head features)``. A batch holds whole copies of the lanes, in order.
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
    joined = new.new_empty(new.shape[0], new.shape[1], prefix.shape[2] + new.shape[2], new.shape[3])
    joined.view(-1, *prefix.shape[:2], *joined.shape[2:])[..., : prefix.shape[2], :] = prefix
    joined[:, :, prefix.shape[2] :] = new
    return joined


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """One batch of plain runs: its cache, the row of each lane, and the first of its own tokens there."""

    cache: DynamicCache
    where: Mapping[Lane, tuple[int, int]]

    @property
    def bytes(self) -> int:
        layers: list[Any] = list(self.cache.layers)
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)


@final
class Prefixes:
    """Keys and values of plain runs, by lane: a run's input and a unit.

    They are kept from the plain runs that are made anyway, up to 512 MiB; what is not there is run again.

    Parameters
    ----------
    study, backend
        What is run, and by what.
    """

    __slots__ = ("_backend", "_held", "_study")

    def __init__(self, study: Study, backend: AbstractBackend) -> None:
        self._study, self._backend = study, backend
        self._held: list[_Held] = []

    def keep(self, cache: DynamicCache, lanes: Sequence[Lane], starts: Sequence[int]) -> None:
        """Keep the cache of a batch of plain runs, whose rows begin with `starts` tokens of padding."""
        where = {lane: (row, start) for row, (lane, start) in enumerate(zip(lanes, starts, strict=True))}
        self._held.append(_Held(cache, where))
        # What a group needs next is the last one: it stays, however large.
        while len(self._held) > 1 and sum(one.bytes for one in self._held) > _HELD:
            del self._held[0]

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()

    def of(self, lanes: Sequence[Lane], start: int) -> DynamicCache:
        """Return a cache of the first `start` tokens of `lanes` that serves any whole number of copies of its rows."""
        missing = [lane for lane in lanes if self._find(lane) is None]
        if missing:
            self._run(missing)
        found = [self._find(lane) for lane in lanes]
        rows = [(held, *held.where[lane]) for held, lane in zip(found, lanes, strict=True) if held is not None]
        shared = DynamicCache()
        shared.layers = [
            SharedPrefix(_slice(rows, index, "keys", start), _slice(rows, index, "values", start))
            for index in range(len(rows[0][0].cache.layers))
        ]
        return shared

    def _find(self, lane: Lane) -> _Held | None:
        return next((held for held in reversed(self._held) if lane in held.where), None)

    def _run(self, lanes: Sequence[Lane]) -> None:
        """Run lanes of one length plain, to have their keys and values."""
        ids = torch.stack([lane_ids(self._study, lane) for lane in lanes]).to(self._study.model.device)
        cache = DynamicCache()
        inputs = {"input_ids": ids, "past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
        self._backend.forward(self._study.model, inputs, [], lambda output: None)
        check_cache(cache, ids.shape[1])
        self.keep(cache, lanes, [0] * len(lanes))


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


def _slice(rows: Sequence[tuple[_Held, int, int]], index: int, name: str, start: int) -> Tensor:
    """Return keys or values of one layer, ``(lanes, heads, start, head features)``; a view where rows lie together."""
    first, row, offset = rows[0]
    if all(one == (first, row + i, offset) for i, one in enumerate(rows)):
        together: Tensor = getattr(first.cache.layers[index], name)
        return together[row : row + len(rows), :, offset : offset + start]
    parts = [getattr(held.cache.layers[index], name)[r : r + 1, :, o : o + start] for held, r, o in rows]
    return torch.cat(parts)
