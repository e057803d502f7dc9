"""Keys and values of a prefix, shared by every copy of its rows."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer


@final
class SharedPrefix(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer whose rows are repeated to fit the batch that asks.

    Parameters
    ----------
    keys, values
        ``(units, heads, prefix, head features)``. A batch holds whole copies of the units, in order.
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
    copies = new.shape[0] // prefix.shape[0]
    return torch.cat([prefix.expand(copies, *prefix.shape).reshape(-1, *prefix.shape[1:]), new], dim=-2)
