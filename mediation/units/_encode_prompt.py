"""Prompts of text and images as the model reads them, through the model's own processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import DataError
from ..models import Model
from ._aligned import is_aligned, taken
from ._prompt import Prompt
from ._reader import TextReader
from ._spans import running_offsets, span_tokens


class Read(NamedTuple):
    """What the model is fed for one prompt with images.

    Attributes
    ----------
    ids
        Token ids ``(T,)``, images spelled out as placeholder tokens.
    features
        Further arguments of the forward, such as ``pixel_values``, with a leading axis of images or units.
    aligned
        Those with one entry a token, ``(T, ...)``, such as ``token_type_ids``.
    axes
        Rotary positions ``(axes, T)`` of models that place images in several dimensions, else None.
    """

    ids: Tensor
    features: dict[str, Tensor]
    aligned: dict[str, Tensor]
    axes: Tensor | None


def read_prompt(prompt: Prompt, model: Model, reader: TextReader, where: str) -> Read:
    """Return what the model is fed for one prompt with images.

    Parameters
    ----------
    prompt
        Text and images.
    model
        With a processor.
    reader
        Of the model's tokenizer.
    where
        How errors call the input, such as ``"base input of unit 3"``.

    Raises
    ------
    DataError
        If the model takes no images, its processor refuses these, or returns what the model does not take.
    """
    if model.processor is None or not model.reads_images:
        found = "has no processor" if model.reads_images else "reads no images"
        raise DataError(
            f"The {where} has {_images(prompt)}, and {model!r} {found}. Give a model that reads images, with "
            "its processor: med.load(model, processor=...)."
        )
    out, kept = processed(prompt, model, reader, where)
    count = out["input_ids"].shape[1]
    arguments = {
        name: value for name, value in out.items() if name != "input_ids" and taken(name, value, model, model.processor)
    }
    aligned = {name: value[0][kept] for name, value in arguments.items() if is_aligned(name, value, count)}
    features = {name: value for name, value in arguments.items() if name not in aligned}
    ids = out["input_ids"][0][kept].long()
    return Read(ids, features, aligned, rotary_axes(ids, features, model))


def processed_ids(prompt: Prompt, model: Model, where: str) -> tuple[int, ...]:
    """Return the token ids that the model is fed for a prompt with images."""
    return tuple(read_prompt(prompt, model, TextReader(model.tokenizer), where).ids.tolist())


def processed(prompt: Prompt, model: Model, reader: TextReader, where: str) -> tuple[Mapping[str, Any], Any]:
    """Return what the processor makes of a prompt, and which of its tokens are fed.

    A beginning that the text has already is not put in front of it again, and padding is left out.
    """
    out = _called(prompt, model, where)
    ids = out["input_ids"][0].tolist()
    start, stop = reader.twice(prompt.text, ids)
    if (start, stop) != (0, len(ids)):
        plain = _called(prompt, model, where, add_special_tokens=False)
        if plain["input_ids"][0].tolist() == ids[start:stop]:
            return plain, slice(None)
    mask = out.get("attention_mask")
    if isinstance(mask, Tensor) and mask.ndim == 2 and not bool(mask.all()):
        real = mask[0].nonzero().flatten().tolist()
        if not real or real != list(range(real[0], real[-1] + 1)):
            raise DataError(
                f"{type(model.processor).__name__} returns an attention_mask for the {where} that hides tokens inside "
                "the text; one that hides padding alone is needed."
            )
        start, stop = max(start, real[0]), min(stop, real[-1] + 1)
    return out, slice(start, stop)


def _called(prompt: Prompt, model: Model, where: str, **options: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = model.processor(
            text=[prompt.text], images=[list(prompt.images)], return_tensors="pt", **options
        )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _refused(prompt, model, where, first) from error
    image = _image_token(model)
    if image is not None and not bool((found["input_ids"] == image).any()):
        raise _refused(prompt, model, where, "it has none of its tokens")
    return found


def _refused(prompt: Prompt, model: Model, where: str, why: str) -> DataError:
    sizes = ", ".join(f"{one.width} x {one.height}" for one in prompt.images)
    token = getattr(model.processor, "image_token", None)
    if isinstance(token, str) and token not in prompt.text:  # processors word this in many ways, or not at all
        why = f"there is no {token!r} in it"
    return DataError(
        f"{type(model.processor).__name__} refuses the {where} ({why}). It has {_images(prompt)} "
        f"({sizes}) and the text {prompt.text[:200]!r}; each image needs its placeholder in the text."
    )


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


def _image_token(model: Model) -> int | None:
    config = getattr(model.module, "config", None)
    image = getattr(config, "image_token_id", None)
    return getattr(config, "image_token_index", None) if image is None else image


def image_span(ids: Tensor, model: Model) -> dict[str, tuple[int, ...]]:
    """Return the span "image", the placeholders of all images, where there are any."""
    image = _image_token(model)
    found = tuple((ids == image).nonzero().flatten().tolist()) if image is not None else ()
    return {"image": found} if found else {}


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
            written, found = _starts(prompt.text, wanted), _starts(text, wanted)
            if len(found) != len(written):
                raise DataError(
                    f"Span {name!r} ({wanted!r}) of the {where} is not found among its tokens as it stands in the "
                    "text. Name a longer piece of text, without placeholders of images."
                )
            first = found[written.index(start)]
            spans[name] = span_tokens(text, offsets, (first, first + len(wanted)))
            if not spans[name]:
                raise DataError(f"Span {name!r} ({wanted!r}) of the {where} covers no token.")
    return {**image_span(ids, model), **spans}


def _starts(text: str, piece: str) -> list[int]:
    """Return every character at which `piece` begins."""
    found, at = [], text.find(piece)
    while at >= 0:
        found.append(at)
        at = text.find(piece, at + 1)
    return found
