"""How many rows fit in one pass, and what happens when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BackendError
from ...models import Model
from ..study import Layout, Study
from ._cost import PassShape, model_cost
from ._memory import PassMemory, free_bytes

T = TypeVar("T")
R = TypeVar("R")

_CPU_TOKENS, _CUDA_TOKENS = 2**11, 2**16  # beyond these, larger matrix products gain nothing
_CPU_ROWS = 256
_SHARE_OF_FREE = 0.4
_LEAST_TOKENS = 64


@final
class Room:
    """How many tokens fit in one pass, as far as is known: a pass that runs out of memory lowers it for all later ones.

    Attributes
    ----------
    tokens
        Rows x tokens that may be tried; infinite until a pass fails.
    times
        How often memory ran out.
    """

    __slots__ = ("times", "tokens")

    def __init__(self) -> None:
        self.tokens, self.times = float("inf"), 0

    def holds(self, tokens: float) -> bool:
        """Return True if a pass of `tokens` may be tried."""
        return tokens <= self.tokens

    def shrink(self, tokens: float) -> None:
        """Say that `tokens` did not fit."""
        self.tokens, self.times = min(self.tokens, tokens / 2), self.times + 1


def tokens_per_pass(model: Model, longest: int = 1) -> int:
    """Return how many tokens one forward pass should hold: one number, chosen before the run.

    What fits in 40% of the memory that is free, by the memory of a row of `longest` tokens (see `PassMemory`), and no
    more than fills the matrix products: 2,048 on a CPU, 65,536 on CUDA. It is a power of two, so that a little more or
    less free memory does not change how rows are joined.

    Parameters
    ----------
    longest
        Tokens of the longest input; eager attention takes memory by their square.
    """
    most = _CUDA_TOKENS if model.device.type == "cuda" else _CPU_TOKENS
    fits = _SHARE_OF_FREE * free_bytes(model.device) / _bytes_of_a_token(model, max(1, longest))
    return min(most, max(_LEAST_TOKENS, 1 << (max(1, int(fits)).bit_length() - 1)))


def tokens_for(study: Study) -> int:
    """Return how many tokens one pass of a study should hold; see `tokens_per_pass`."""
    continuation = study.prepared.continuation
    added = max(map(len, continuation)) if continuation else 0
    lengths = [one.length or 1 for inputs in study.encoding.runs.values() for one in inputs]
    return tokens_per_pass(study.model, max(lengths) + added)


def _bytes_of_a_token(model: Model, longest: int) -> float:
    cost = model_cost(model)
    if cost is None or not cost.blocks:  # a plain module: as if its widest parameter axis were its activation
        widest = max((max(one.shape, default=1) for one in model.module.parameters()), default=1)
        return float(4 * widest * torch.finfo(model.dtype).bits // 8)
    row = PassShape(
        kind="rows",
        alive=(1,) * len(cost.blocks),
        queries=longest,
        keys=longest,
        entered=1,
        left=1,
        outcomes=1,
        read=1,
    )
    return PassMemory(model, cost).peak(row) / longest


def split(
    items: Sequence[T],
    size_of: Callable[[T], int],
    *,
    tokens: int,
    rows: int | None,
    layout: Layout = "padded",
) -> Iterator[list[T]]:
    """Yield runs of items, sorted by size, that hold at most `tokens` when padded to the longest.

    In the layout "equal length" a run is of one size, and in "alone" it is one item.

    Examples
    --------
    >>> [len(batch) for batch in split(["aa", "b", "cc"], len, tokens=4, rows=None)]
    [2, 1]
    >>> [len(batch) for batch in split(["aa", "b", "cc"], len, tokens=9, rows=None, layout="equal length")]
    [2, 1]
    """
    sizes = np.array([size_of(item) for item in items], dtype=np.int64)
    for some in splits(sizes, tokens=tokens, rows=rows, layout=layout):
        yield [items[index] for index in some.tolist()]


def splits(
    sizes: NDArray[np.int64], *, tokens: int, rows: int | None, layout: Layout = "padded"
) -> Iterator[NDArray[np.int64]]:
    """Yield what `split` does, as places of items that are known by their sizes."""
    most = rows if rows is not None else max(_CPU_ROWS, tokens // _LEAST_TOKENS)
    most = 1 if layout == "alone" else most
    order = np.argsort(-sizes, kind="stable")
    falling, first = -sizes[order], 0
    while first < len(order):
        widest = max(1, -int(falling[first]))
        stop = first + (most if rows is not None else min(most, max(1, tokens // widest)))
        if layout == "equal length":
            stop = min(stop, int(np.searchsorted(falling, falling[first], side="right")))
        yield order[first:stop]
        first = stop


def most_padded(batches: Sequence[Sequence[T]], length: Callable[[T], int]) -> T | None:
    """Return the last item of the batch with the most padding, the largest of such; None if none has company."""
    several = [batch for batch in batches if len(batch) > 1]
    if not several:
        return None
    return max(several, key=lambda batch: (length(batch[0]) - length(batch[-1]), len(batch)))[-1]


def halving(
    run: Callable[[Sequence[T]], R],
    items: Sequence[T],
    join: Callable[[R, R], R],
    *,
    size: Callable[[Sequence[T]], float] = len,
    room: Room | None = None,
) -> R:
    """Return ``run(items)``; on out-of-memory run the halves, and halves of halves, and join them.

    Parameters
    ----------
    run
        Runs some items.
    items
        At least one.
    join
        Joins what two runs return.
    size
        Tokens that some items take together, rows x tokens.
    room
        What fitted before. Items that are larger are halved without trying, and what fails makes it smaller.

    Raises
    ------
    BackendError
        If a single item does not fit.

    Examples
    --------
    >>> def run(items):
    ...     print(len(items))
    ...     if len(items) > 2:
    ...         raise MemoryError
    ...     return sum(items)
    >>> room = Room()
    >>> halving(run, [1, 2, 3, 4], lambda a, b: a + b, room=room)
    4
    2
    2
    10
    >>> halving(run, [1, 2, 3, 4], lambda a, b: a + b, room=room)
    2
    2
    10
    """
    room = Room() if room is None else room
    if len(items) == 1 or room.holds(size(items)):
        try:
            return run(items)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(items) == 1:
                raise BackendError(
                    "One row alone does not fit in memory. Use a smaller type (dtype=torch.bfloat16), shorter inputs, "
                    "or a device with more memory."
                ) from error
            room.shrink(size(items))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    middle = len(items) // 2
    first = halving(run, items[:middle], join, size=size, room=room)
    return join(first, halving(run, items[middle:], join, size=size, room=room))


def is_out_of_memory(error: BaseException) -> bool:
    """Return True for an error that says that memory ran out."""
    text = str(error).lower()
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "out of memory" in text
        or "can't allocate memory" in text
    )
