"""Pixels of pictures, as tensors and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

Box = tuple[float, float, float, float]
Rectangle = tuple[int, int, int, int]


def rectangle_of(box: Box | None, size: tuple[int, int]) -> Rectangle:
    """Return left, top, right, bottom in pixels, rounded outward."""
    left, top, right, bottom = (0.0, 0.0, 1.0, 1.0) if box is None else box
    across, down = _edges(left, right, size[0]), _edges(top, bottom, size[1])
    return across[0], down[0], across[1], down[1]


def _edges(low: float, high: float, length: int) -> tuple[int, int]:
    """Return first and last edge; a product such as 0.07 * 100 is a whole number but for its last bits."""
    first = min(math.floor(low * length + 1e-9), length - 1)
    return first, max(math.ceil(high * length - 1e-9), first + 1)


def pixels_of(picture: Any, rectangle: Rectangle) -> Tensor:
    """Return pixels as fractions, ``(1, h, w, 3)``, float32."""
    return torch.tensor(np.asarray(picture.crop(rectangle), dtype=np.float32) / np.float32(255))[None]


def with_pixels(picture: Any, rectangle: Rectangle, pixels: Tensor) -> Any:
    """Return a copy of a picture with other pixels in a rectangle, clipped to 0 to 1 and rounded to 1/255."""
    from PIL import Image

    whole = (pixels[0].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    changed = picture.copy()
    changed.paste(Image.fromarray(whole), rectangle[:2])
    return changed
