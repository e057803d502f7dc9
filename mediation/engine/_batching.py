"""How many rows fit in one pass, and what happens when they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from .._errors import BackendError
from ..models import Model

T = TypeVar("T")
R = TypeVar("R")

_CPU_TOKENS = 2048
_CPU_ROWS = 256
_SHARE_OF_FREE = 0.4


def tokens_per_pass(model: Model) -> int:
    """Return how many tokens one forward pass should hold.

    On CPU the number at which matrix products are already well filled; on CUDA what a share of the free
    memory holds, counting the activations of one block, its attention and the residual stream.
    """
    if model.device.type != "cuda":
        return _CPU_TOKENS
    config = getattr(model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    hidden = getattr(config, "hidden_size", None) or 1024
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    free, _ = torch.cuda.mem_get_info(model.device)
    per_token = (12 * hidden + 4 * inner) * 4
    return max(256, int(_SHARE_OF_FREE * free / per_token))


def split(items: Sequence[T], size_of: Callable[[T], int], *, tokens: int, rows: int | None) -> Iterator[list[T]]:
    """Yield runs of items, sorted by size, that hold at most `tokens` when padded to the longest.

    Examples
    --------
    >>> [len(batch) for batch in split(["aa", "b", "cc"], len, tokens=4, rows=None)]
    [2, 1]
    """
    most = rows if rows is not None else _CPU_ROWS
    batch: list[T] = []
    for item in sorted(items, key=size_of, reverse=True):
        widest = size_of(batch[0]) if batch else size_of(item)
        if batch and (len(batch) >= most or (rows is None and (len(batch) + 1) * max(widest, 1) > tokens)):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def halving(run: Callable[[Sequence[T]], R], items: Sequence[T], join: Callable[[R, R], R]) -> R:
    """Return ``run(items)``; on out-of-memory run the halves, and halves of halves, and join them.

    Raises
    ------
    BackendError
        If a single item does not fit.
    """
    try:
        return run(items)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(items) == 1:
            raise BackendError(
                "One row alone does not fit in memory. Use a smaller type (dtype=torch.bfloat16), shorter inputs, or "
                "a device with more memory."
            ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(items) // 2
    return join(halving(run, items[:middle], join), halving(run, items[middle:], join))


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "out of memory" in text
        or "can't allocate memory" in text
    )
