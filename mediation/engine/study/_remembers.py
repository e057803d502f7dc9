"""Models that keep something from call to call."""

from __future__ import annotations

from ...models import Model


def remembers(model: Model) -> bool:
    """Return True if the model keeps a shift of positions from an earlier call, such as one about images.

    Left to itself, it would add that shift, made for other rows, to the positions of a text without images.
    """
    return any(hasattr(module, "rope_deltas") for module in model.module.modules())
