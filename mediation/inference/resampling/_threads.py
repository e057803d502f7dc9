"""Work that is split over the cores: numpy leaves Python's lock during its loops, so threads are enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST = 8


def n_threads() -> int:
    """Return the number of threads: the cores that this process may use, at most 8."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST, usable)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def each(function: Callable[[Item], Result], items: Iterable[Item], *, threads: int) -> list[Result]:
    """Return the results of `function` for each of `items`, in their order; an error of one is raised.

    While several threads work, matrix products have one thread each: threads of threads would wait for each other.

    Examples
    --------
    >>> each(abs, [-1, 2], threads=2)
    [1, 2]
    """
    listed = list(items)
    if threads < 2 or len(listed) < 2:
        return [function(item) for item in listed]
    with _blas().limit(limits=1), ThreadPoolExecutor(min(threads, len(listed))) as pool:
        return list(pool.map(function, listed))
