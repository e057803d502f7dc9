"""How much memory a forward pass takes beside the weights, and how much the device has.

The peak of a pass is that of its largest block, in one of three moments, or that of its logits:

- the residual stream (the input of the block, the sum so far, and the normed copy) with queries, keys and values, while
  rotary angles are applied;
- the same while attention runs, with the keys and values of the prefix repeated for every row, and, where attention is
  computed in the open ("eager"), the scores of every pair of query and key;
- the same with what is alive inside the MLP.

The counts of copies are those of the modules of `transformers`, which keep names for what a later line needs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import final

import torch
from torch import nn

from ...models import Model
from ._cost import BlockCost, ModelCost, PassShape

_UNKNOWN = 4 * 2**30  # bytes that are taken to be free where no system says it
_COMPOSED = ("NewGELUActivation", "FastGELUActivation", "AccurateGELUActivation", "QuickGELUActivation")
_CGROUP = Path("/sys/fs/cgroup")
_SHARE_HELD, _LEAST_HELD = 1 / 16, 2**26


@final
class PassMemory:
    """The memory of passes of one model.

    Parameters
    ----------
    model
        The model.
    cost
        Its sizes, from `model_cost`.
    """

    __slots__ = ("_bytes", "_cost", "_eager", "_inner")

    def __init__(self, model: Model, cost: ModelCost) -> None:
        self._cost = cost
        self._bytes = torch.finfo(model.dtype).bits // 8
        self._eager = getattr(getattr(model.module, "config", None), "_attn_implementation", None) == "eager"
        self._inner = _copies_inside(model)

    def peak(self, shape: PassShape) -> int:
        """Return the bytes that a pass holds at most, without weights and without what was there before it."""
        blocks = zip(self._cost.blocks, shape.alive, strict=True)
        return max([self._logits(shape), *(self._block(block, rows, shape) for block, rows in blocks)])

    def states(self, lanes: int, tokens: int, blocks: int) -> int:
        """Return the bytes of keys and values, and of the outputs of some blocks, of inputs of `tokens` tokens."""
        keys_and_values = sum(2 * block.kv_width for block in self._cost.blocks)
        return lanes * tokens * self._bytes * (keys_and_values + blocks * self._cost.hidden)

    def _block(self, block: BlockCost, rows: int, shape: PassShape) -> int:
        hidden, q, k = self._cost.hidden, shape.queries, shape.keys
        stream = 2 * rows * q * hidden + shape.entered * q * hidden
        rotary = rows * q * (4 * block.width + 2 * block.kv_width)
        repeated = block.width if block.width > block.kv_width else 0
        core = rows * (q * 2 * block.width + k * 2 * (block.kv_width + repeated))
        scores, held = 0, 0
        if self._eager:
            pairs = rows * self._cost.heads * q * k
            scores = pairs * (2 if self._bytes >= 4 else 5)  # softmax is taken in float32
            held = pairs  # the weights of attention are handed on
        inside = rows * q * (hidden + self._inner * block.inner) + held
        return self._bytes * (stream + max(rotary, core + scores, inside))

    def _logits(self, shape: PassShape) -> int:
        columns = self._cost.vocabulary if shape.columns is None else shape.columns
        hidden = shape.left * shape.queries * self._cost.hidden * self._bytes
        reduced = shape.left * columns * 4
        return 2 * hidden + shape.left * shape.read * columns * self._bytes + reduced


def _copies_inside(model: Model) -> int:
    """Return how many tensors as wide as the inside of the MLP are alive at once."""
    known = model.known_architecture()
    blocks = list(model.module.get_submodule(known.layers).children())
    found = (dict(block.named_modules()).get(known.mlp or "") for block in blocks)
    mlp = next((one for one in found if one is not None), blocks[0])
    if any(type(inner).__name__ in _COMPOSED for inner in mlp.modules()):
        return 4
    names = [name for name, inner in mlp.named_modules() if isinstance(inner, nn.Linear)]
    if any("gate_up" in name for name in names):
        return 4
    return 3 if sum("gate" in name or "up" in name for name in names) > 1 else 2


def weight_bytes(module: nn.Module) -> int:
    """Return the bytes of parameters and buffers, shared ones once."""
    tensors = {id(tensor): tensor for tensor in [*module.parameters(), *module.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def free_bytes(device: torch.device) -> int:
    """Return how much memory is free on a device: what the driver says on CUDA, what the system says on CPU.

    On Linux that is ``MemAvailable`` of /proc/meminfo, or what a container's control group leaves, if that is less.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [amount for amount in (_available(), _left_in_group()) if amount is not None]
    return min(found, default=_UNKNOWN)


def held_budget(device: torch.device) -> int:
    """Return how many bytes passes may leave for others on a device: a sixteenth of what is free, at least 64 MiB.

    It is a power of two, so that a little more or less free memory does not change how a study is split.
    """
    return max(_LEAST_HELD, 1 << (max(1, int(_SHARE_HELD * free_bytes(device))).bit_length() - 1))


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        names = getattr(os, "sysconf_names", {})
        if "SC_AVPHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else None


def _left_in_group() -> int | None:
    """Return what the limit of this process' control group (version 2) leaves; None without a limit."""
    try:
        most = (_CGROUP / "memory.max").read_text(encoding="ascii").strip()
        now = (_CGROUP / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return max(0, int(most) - int(now)) if most.isdigit() and now.isdigit() else None
