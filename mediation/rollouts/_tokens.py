"""From the tokens of a spec, given as strings, to the ids of one tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from .._checks import closest, listed, suggestion
from ..errors import DesignError
from ..models import Model
from ..specs import LatentSpec, Near, TextSpec


@final
@dataclass(frozen=True, slots=True, eq=False)
class LatentTokens:
    """A `LatentSpec` in the terms of one model: ids, the projection, the vector that ends a thought.

    Attributes
    ----------
    start, end, pad
        Ids.
    projection, project_first
        The module that hidden states go through, and whether the first one does.
    speaks
        The output projection, where it reads what that module makes; else None.
    near
        The rule that ends a thought near a vector, and that vector.
    """

    start: int
    end: int
    pad: int | None
    projection: Callable[[Tensor], Tensor] | None = None
    project_first: bool = True
    speaks: Callable[[Tensor], Tensor] | None = None
    near: tuple[Near, Tensor] | None = None

    def is_near(self, latent: Tensor) -> bool:
        """Return True if a latent ``(hidden,)`` is so near to the vector that the thought ends."""
        if self.near is None:
            return False
        rule, vector = self.near
        one, other = latent.float(), vector.to(latent.device).float()
        if rule.metric == "mse":
            return float((one - other).square().mean()) <= rule.within
        return float(1 - torch.cosine_similarity(one, other, dim=0)) <= rule.within


def resolve_latent(spec: LatentSpec, model: Model) -> LatentTokens:
    """Return the ids of the tokens of `spec`.

    Raises
    ------
    DesignError
        If a token is not one token of the tokenizer, or the model has no embedding for it.
    """
    tokenizer = _tokenizer(spec, model)
    rows = int(model.module.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    found: dict[str, int | None] = {"pad": None}
    for what in ("start", "end", "pad"):
        token = getattr(spec, what)
        if token is None:
            continue
        index = _token_id(tokenizer, token, what)
        if index >= rows:
            raise DesignError(
                f"LatentSpec: {what} = {token!r} is token {index}, and the model has embeddings for {rows} tokens. "
                "Take the tokenizer that belongs to the weights, or model.resize_token_embeddings(len(tokenizer))."
            )
        found[what] = index
    start, end = found["start"], found["end"]
    assert start is not None
    assert end is not None
    if start == end:
        raise DesignError(f"LatentSpec: start = {spec.start!r} and end = {spec.end!r} are both token {start}.")
    speaks = spec.projection is not None and spec.projection_speaks
    return LatentTokens(
        start=start,
        end=end,
        pad=found["pad"],
        projection=_projection(spec, model),
        project_first=spec.project_first,
        speaks=model.module.get_output_embeddings() if speaks else None,  # type: ignore[operator]
        near=_near_vector(spec, model),
    )


def _projection(spec: LatentSpec, model: Model) -> Callable[[Tensor], Tensor] | None:
    if spec.projection is None:
        return None
    names = [name for name, _ in model.module.named_modules() if name]
    if spec.projection not in names:
        raise DesignError(
            f"LatentSpec: projection = {spec.projection!r} is no module of {type(model.module).__name__}. "
            f"{suggestion(spec.projection, names)}"
        )
    return model.module.get_submodule(spec.projection)


def _near_vector(spec: LatentSpec, model: Model) -> tuple[Near, Tensor] | None:
    if not isinstance(spec.stop, Near):
        return None
    vectors: dict[str, Tensor] = {name: value for name, value in model.module.named_parameters() if value.ndim == 1}
    vectors |= {name: value for name, value in model.module.named_buffers() if value.ndim == 1}
    if spec.stop.parameter not in vectors:
        raise DesignError(
            f"{spec.stop!r}: {spec.stop.parameter!r} is no vector among the parameters of "
            f"{type(model.module).__name__}. {suggestion(spec.stop.parameter, list(vectors))}"
        )
    found = vectors[spec.stop.parameter].detach()
    width = model.module.get_input_embeddings().weight.shape[-1]  # type: ignore[operator]
    if found.shape[0] != width:
        raise DesignError(f"{spec.stop!r}: that vector has {found.shape[0]} features, and a latent {width}.")
    return spec.stop, found


def check_text_spec(spec: TextSpec, model: Model) -> None:
    """Check that the tokenizer can write the markers of `spec`.

    Raises
    ------
    DesignError
        If it cannot: no generated text could hold them.
    """
    tokenizer = _tokenizer(spec, model)
    for what in ("start", "end"):
        marker = getattr(spec, what)
        written = tokenizer.decode(_ids(tokenizer, marker))
        if marker not in written:
            raise DesignError(
                f"TextSpec: {what} = {marker!r} cannot be written by {type(tokenizer).__name__}: its tokens read "
                f"{written!r}. {_offer(tokenizer, marker)}"
            )


def _tokenizer(spec: LatentSpec | TextSpec, model: Model) -> Any:
    if model.tokenizer is None:
        raise DesignError(
            f"{spec}: tokens are given as strings, and {model!r} has no tokenizer. "
            "Give one: med.load(model, tokenizer=...)."
        )
    return model.tokenizer


def _token_id(tokenizer: Any, token: str, what: str) -> int:
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if token in vocabulary:
        return vocabulary[token]
    ids = _ids(tokenizer, token)
    if len(ids) == 1 and tokenizer.decode(ids).strip() == token.strip():
        return ids[0]
    pieces = listed(tokenizer.convert_ids_to_tokens(ids))
    raise DesignError(
        f"LatentSpec: {what} = {token!r} is not one token of {type(tokenizer).__name__}; it reads it as {pieces}. "
        f"{_offer(tokenizer, token)}"
    )


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def _offer(tokenizer: Any, token: str) -> str:
    added = sorted(tokenizer.get_added_vocab())
    near = closest(token, added)
    hint = f"Closest: {near!r}. " if near is not None else f"Its added tokens: {listed(added) or 'none'}. "
    return (
        hint + f"Or add it: tokenizer.add_tokens([{token!r}]) and model.resize_token_embeddings(len(tokenizer)), "
        "with weights that were trained with it."
    )
