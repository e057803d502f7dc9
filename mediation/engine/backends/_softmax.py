"""Calls of torch's softmax while a module runs, seen and changed; other threads notice nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch
from torch import Tensor

See = Callable[[Tensor], Tensor | None]

_AXES = 4
_lock = threading.Lock()
_seeing: dict[int, list[See]] = {}
_plain: dict[Any, Callable[..., Tensor]] = {}


def watch_softmax(see: See) -> Callable[[], None]:
    """Let `see` have every softmax of this thread from now on; return what ends that, once or often.

    Attention probabilities have four axes, rows, heads, queries and keys. Others, such as those of a router that sends
    tokens to experts, go by.
    """
    me = get_ident()
    with _lock:
        if not _seeing:
            owners: tuple[Any, ...] = (torch.nn.functional, torch)
            for owner in owners:
                _plain[owner] = owner.softmax
                owner.softmax = _watched(owner.softmax)
        _seeing.setdefault(me, []).append(see)

    def end() -> None:
        with _lock:
            mine = _seeing.get(me, [])
            if see not in mine:
                return
            mine.remove(see)
            if not mine:
                del _seeing[me]
            if not _seeing:
                for owner, softmax in _plain.items():
                    owner.softmax = softmax

    return end


def _watched(softmax: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def watched(*args: Any, **kwargs: Any) -> Tensor:
        result = softmax(*args, **kwargs)
        for see in tuple(_seeing.get(get_ident(), ())) if result.ndim == _AXES else ():
            changed = see(result)
            result = result if changed is None else changed
        return result

    return watched
