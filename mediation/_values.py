"""Tensors that can stand in frozen objects: hashable, compared by value, short in print."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from .errors import DesignError

_PRINT_AT_MOST = 16


@final
@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """A tensor by value: equal if dtype, shape and bytes are equal.

    Parameters
    ----------
    data
        A number, nested lists of numbers, or a tensor; copied, kept on CPU.

    Raises
    ------
    DesignError
        If `data` cannot be made a tensor, or holds NaN or infinity.

    Examples
    --------
    >>> Value([1.0, 2.0]) == Value(torch.tensor([1.0, 2.0]))
    True
    >>> Value([1.0, 2.0])
    Value([1.0, 2.0])
    """

    data: Any = field(compare=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        data = self.data.data if isinstance(self.data, Value) else self.data
        try:
            tensor = torch.as_tensor(data).detach().to("cpu").clone().contiguous()
        except (TypeError, ValueError, RuntimeError, OverflowError, KeyError) as error:
            raise DesignError(f"A number, list of numbers or tensor is needed, found {type(data).__name__}.") from error
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DesignError(
                f"A value of shape {tuple(tensor.shape)} holds NaN or infinity; finite numbers are needed."
            )
        object.__setattr__(self, "data", tensor)
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        text = f"{tensor.dtype}|{tuple(tensor.shape)}|".encode() + raw
        object.__setattr__(self, "digest", hashlib.sha256(text).hexdigest())

    def like(self, other: Tensor) -> Tensor:
        """Return the tensor with the dtype and device of `other`."""
        tensor: Tensor = self.data
        return tensor.to(dtype=other.dtype, device=other.device)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(self.data.shape)

    def __repr__(self) -> str:
        tensor: Tensor = self.data
        if tensor.numel() <= _PRINT_AT_MOST:
            return f"Value({tensor.tolist()!r})"
        dtype = str(tensor.dtype).removeprefix("torch.")
        return f"<Value {dtype}[{','.join(map(str, tensor.shape))}] {self.digest[:8]}>"
