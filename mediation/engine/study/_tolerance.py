"""How far two computations of one number may lie apart."""

from __future__ import annotations

import torch

from ...models import Model

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}
# Eager attention takes its softmax in float32 in a float64 model too, and last bits depend on shapes.
_OPEN_DOUBLE = 1e-6
_HALF = 0.25


def tolerance(model: Model) -> float:
    """Return how far two computations of one outcome may lie apart, relative to 1 + |outcome|."""
    eager = getattr(getattr(model.module, "config", None), "_attn_implementation", None) == "eager"
    return _OPEN_DOUBLE if eager and model.dtype == torch.float64 else _TOLERANCE.get(model.dtype, _HALF)
