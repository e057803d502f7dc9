"""Every tensor that a module computes with, and its settings, without asking it for its state.

``state_dict()`` runs code of each submodule, and quantised ones repack their weights for it, with loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

_PLAIN = (bool, int, float, str, type(None))
_COUNTERS = re.compile(r"count|call|step|seen|cache|iter|epoch|warn|name_or_path|version")
_ADAPTERS = ("active_adapter", "active_adapters", "disable_adapters", "merged", "merged_adapters")


def tensors_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Give every parameter and buffer with its name, shared ones once, and what quantised ones keep beside them.

    Buffers that are not saved count too: rotary frequencies and masks change numbers.

    Examples
    --------
    >>> [name for name, _ in tensors_of(nn.BatchNorm1d(2))]
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """
    for name, parameter in module.named_parameters():
        yield name, parameter
        for held, tensor in _beside(vars(parameter)):
            yield f"{name}.{held}", tensor
    yield from module.named_buffers()
    for path, inner in module.named_modules():
        unpacked = getattr(inner, "_weight_bias", None)  # torch's own quantised layers have no parameters
        for index, tensor in enumerate(unpacked() if callable(unpacked) else ()):
            if isinstance(tensor, Tensor):
                yield f"{path}.packed.{index}", tensor


def parts_of(tensor: Tensor) -> list[Tensor]:
    """Return the plain tensors that a tensor is made of: itself, or those inside a quantised or wrapped one."""
    inside = getattr(tensor, "__tensor_flatten__", None)
    if callable(inside):
        return [part for name in inside()[0] for part in parts_of(getattr(tensor, name))]
    return [tensor.detach().dequantize() if tensor.is_quantized else tensor.detach()]


def settings_of(module: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the plain settings of every module by path: mode, scales, switches, adapters; no counters.

    Examples
    --------
    >>> settings_of(nn.Dropout(0.5))[""]["training"], settings_of(nn.Dropout(0.5).eval())[""]["training"]
    (True, False)
    """
    return {path: found for path, inner in module.named_modules() if (found := _settings(inner))}


def _settings(module: nn.Module) -> dict[str, Any]:
    found = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not _COUNTERS.search(name) and _is_plain(value)
    }
    for name in _ADAPTERS:  # properties of layers that hold adapters
        if isinstance(getattr(type(module), name, None), property):
            with suppress(Exception):  # one that needs an adapter, where there is none
                found[name] = str(getattr(module, name))
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, _PLAIN) and isinstance(one, _PLAIN) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return all(isinstance(one, _PLAIN) for one in value)
    return isinstance(value, _PLAIN)


def _beside(held: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Give the tensors that objects hold, such as the scales of a quantised parameter."""
    for name, value in sorted(held.items()):
        if isinstance(value, Tensor):
            yield name, value
        elif depth < 2 and type(value).__module__.split(".")[0] == "bitsandbytes":
            for inner, tensor in _beside(vars(value), depth + 1):
                yield f"{name}.{inner}", tensor
