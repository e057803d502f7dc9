"""Prompts of text and images as the model reads them, through the model's own processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .._errors import DataError
from ..models import Model
from ._prompt import Prompt
from ._spans import running_offsets, span_tokens

_ALIGNED = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")


def read_prompt(prompt: Prompt, model: Model, where: str) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
    """Return what the model is fed for one prompt.

    Parameters
    ----------
    prompt
        Text and images.
    model
        With a processor, if there are images.
    where
        How errors call the input, such as ``"base input of unit 3"``.

    Returns
    -------
    ids : Tensor
        Token ids ``(T,)``, images spelled out as placeholder tokens.
    features : dict of Tensor
        Further arguments of the forward, such as ``pixel_values``, with a leading axis of images or units.
    axes : Tensor or None
        Rotary positions ``(axes, T)`` of models that place images in several dimensions, else None.

    Raises
    ------
    DataError
        If the model takes no images, or its processor refuses these.
    """
    if prompt.images and (model.processor is None or not model.reads_images):
        found = "has no processor" if model.reads_images else "reads no images"
        raise DataError(
            f"The {where} has {_images(prompt)}, and {model!r} {found}. Give a model that reads images, with "
            "its processor: med.load(model, processor=...)."
        )
    if not prompt.images:
        ids = torch.tensor(model.tokenizer(prompt.text)["input_ids"], dtype=torch.long)
        return ids, {}, None
    try:
        out = model.processor(text=[prompt.text], images=[list(prompt.images)], return_tensors="pt")
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        sizes = ", ".join(f"{one.width} x {one.height}" for one in prompt.images)
        raise DataError(
            f"{type(model.processor).__name__} refuses the {where} ({first}). It has {_images(prompt)} "
            f"({sizes}) and the text {prompt.text[:200]!r}; each image needs its placeholder in the text."
        ) from error
    ids = out["input_ids"][0].long()
    features = {name: value for name, value in out.items() if name not in _ALIGNED and name in model.forward_names}
    return ids, features, rotary_axes(ids, features, model)


def _images(prompt: Prompt) -> str:
    return f"{len(prompt.images)} image{'' if len(prompt.images) == 1 else 's'}"


def rotary_axes(ids: Tensor, features: Mapping[str, Tensor], model: Model) -> Tensor | None:
    """Return the positions ``(axes, T)`` of a model that counts them by axis (Qwen-VL), or None for plain ones."""
    inner = getattr(model.module, "model", None)
    if not hasattr(inner, "get_rope_index"):
        return None
    config: Any = model.module.config
    kinds = (ids == config.image_token_id).int()
    grids = {"image_grid_thw": features.get("image_grid_thw")}
    found, _ = inner.get_rope_index(ids[None], mm_token_type_ids=kinds[None], **grids)  # type: ignore[union-attr]
    return torch.as_tensor(found[:, 0]).long().cpu()


def prompt_spans(
    ids: Tensor, prompt: Prompt, model: Model, places: Mapping[str, tuple[int, int]], where: str
) -> dict[str, tuple[int, ...]]:
    """Return the tokens of named spans, and of the span "image": the placeholders of all images.

    Raises
    ------
    DataError
        If a span covers no token, or its text stands several times among the decoded tokens.
    """
    spans: dict[str, tuple[int, ...]] = {}
    if places:
        text, offsets = running_offsets(model.tokenizer, ids.tolist())
        for name, (start, end) in places.items():
            wanted = prompt.text[start:end]
            first = text.find(wanted)
            if first < 0 or text.count(wanted) != prompt.text.count(wanted):
                raise DataError(
                    f"Span {name!r} ({wanted!r}) of the {where} is not found among its tokens as it stands in the "
                    "text. Name a longer piece of text, without placeholders of images."
                )
            for _ in range(prompt.text[:start].count(wanted)):
                first = text.find(wanted, first + 1)
            spans[name] = span_tokens(text, offsets, (first, first + len(wanted)))
            if not spans[name]:
                raise DataError(f"Span {name!r} ({wanted!r}) of the {where} covers no token.")
    image = getattr(getattr(model.module, "config", None), "image_token_id", None)
    found = tuple((ids == image).nonzero().flatten().tolist()) if image is not None else ()
    return {"image": found, **spans} if found else spans
