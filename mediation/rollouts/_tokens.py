"""From the tokens of a spec, given as strings, to the ids of one tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from .._checks import closest, listed
from .._errors import DesignError
from ..models import Model
from ..specs import LatentSpec, TextSpec


@final
@dataclass(frozen=True, slots=True)
class LatentTokens:
    """The ids of a `LatentSpec`."""

    start: int
    end: int
    pad: int | None


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
    return LatentTokens(start, end, found["pad"])


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
