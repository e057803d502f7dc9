"""Units as the model reads them: token ids or tensors, with the tokens of every named span."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from .._checks import listed, suggestion
from .._errors import DataError
from ..models import Model
from ._encode_prompt import prompt_spans, read_prompt
from ._pairs import Pairs
from ._prompt import Prompt
from ._spans import decoded_offsets, span_tokens

_BATCH = {"input_ids", "attention_mask"}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One input of one unit: what the model is fed, and where its spans are.

    Attributes
    ----------
    ids
        Token ids ``(T,)``, or None for plain modules.
    tensors
        Arguments of a plain module without the batch axis (key "" is the first positional one).
    tokens
        The tokens as text, for axes and errors.
    spans
        Token indices of every named span.
    features
        Arguments beside the tokens, such as ``pixel_values``, each with a leading axis of its own.
    axes
        Rotary positions ``(axes, T)`` where the model counts them by axis; None for plain ones.
    """

    ids: Tensor | None
    tensors: Mapping[str, Tensor]
    tokens: tuple[str, ...]
    spans: Mapping[str, tuple[int, ...]]
    features: Mapping[str, Tensor] = field(default_factory=dict)
    axes: Tensor | None = None

    @property
    def length(self) -> int | None:
        """Number of tokens; None for plain modules."""
        return None if self.ids is None else int(self.ids.shape[0])

    @property
    def next_position(self) -> int:
        """Rotary position of the token that follows."""
        return int(self.axes.max()) + 1 if self.axes is not None else self.length or 0


@final
@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """All inputs of a study, encoded.

    Attributes
    ----------
    runs
        "base" and, where there is one, "source": the encoded inputs, one a unit.
    """

    runs: Mapping[str, tuple[Encoded, ...]]

    def __len__(self) -> int:
        return len(self.runs["base"])

    def of(self, run: str, unit: int) -> Encoded:
        """Return the input of `unit` in `run`."""
        return self.runs[run][unit]


def encode(pairs: Pairs, model: Model) -> Encoding:
    """Encode every input of `pairs` for `model`.

    Raises
    ------
    DataError
        If texts are given to a model without tokenizer, ids are outside its vocabulary, an input is longer than it
        reads, arguments do not fit its forward, or a span covers no token.
    """
    if (pairs.is_text or pairs.is_prompts) and model.tokenizer is None:
        raise DataError(
            f"The inputs are texts, and {model!r} has no tokenizer. Give one: med.load(model, tokenizer=...), "
            "or give token ids or tensors as inputs."
        )
    runs = ["base"] if pairs.source is None else ["base", "source"]
    return Encoding(runs={run: _encode_run(pairs, model, run) for run in runs})


def _encode_run(pairs: Pairs, model: Model, run: str) -> tuple[Encoded, ...]:
    inputs = _without_padding(pairs.inputs(run), model, run)
    index = 0 if run == "base" else 1
    spans = {name: given[index] for name, given in pairs.spans.items()}
    as_ids = isinstance(inputs, tuple) or (
        isinstance(inputs, Tensor) and model.is_language_model and not inputs.is_floating_point()
    )
    if not pairs.is_text and not as_ids:
        return _encode_tensors(pairs, model, run)
    encoded = []
    for unit in range(len(pairs)):
        places = {name: values[unit] for name, values in spans.items() if values is not None}
        if pairs.is_prompts:
            encoded.append(_encode_prompt(inputs[unit], model, places, f"{run} input of unit {unit}"))
        elif pairs.is_text:
            read = _encode_text(model.tokenizer, inputs[unit], places, (run, unit))
            assert read.ids is not None
            _checked_ids(read.ids, model, run, unit)
            encoded.append(read)
        else:
            ids = _checked_ids(inputs[unit], model, run, unit)
            tokens = _token_strings(model.tokenizer, ids)
            encoded.append(Encoded(ids, {}, tokens, {name: tuple(range(*place)) for name, place in places.items()}))
        _check_length(encoded[-1], model, run, unit)
    return tuple(encoded)


def _without_padding(inputs: Any, model: Model, run: str) -> Any:
    """Return a tokenizer's batch, ``input_ids`` with an ``attention_mask``, as token ids of each unit."""
    if not isinstance(inputs, dict) or not model.is_language_model:
        return inputs
    more = {name for name, value in inputs.items() if name != "token_type_ids" or bool(value.any())}
    if not {"input_ids"} <= more <= _BATCH:
        return inputs
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    if mask is None:
        return ids
    if mask.shape != ids.shape:
        raise DataError(
            f"Pairs: {run} has input_ids of shape {tuple(ids.shape)} and an attention_mask of shape "
            f"{tuple(mask.shape)}; as many numbers are needed."
        )
    return tuple(_unpadded(row, kept.bool(), run, unit) for unit, (row, kept) in enumerate(zip(ids, mask, strict=True)))


def _unpadded(ids: Tensor, kept: Tensor, run: str, unit: int) -> Tensor:
    where = kept.nonzero().flatten().tolist()
    if not where or where != list(range(where[0], where[-1] + 1)):
        found = "hides every token" if not where else "hides tokens inside the text"
        raise DataError(
            f"Pairs: the attention_mask of the {run} input of unit {unit} {found}; one that hides padding on the left "
            "or on the right is needed. Give the texts themselves, or lists of token ids without padding."
        )
    return ids[where]


def _encode_tensors(pairs: Pairs, model: Model, run: str) -> tuple[Encoded, ...]:
    inputs = pairs.inputs(run)
    tensors = inputs if isinstance(inputs, dict) else {"": inputs}
    if pairs.spans:
        raise DataError(
            f"Pairs has spans {listed(pairs.spans)}, and its inputs are tensors; only texts and token ids have spans. "
            "Name positions by index."
        )
    mask = tensors.get("attention_mask")
    if mask is not None and not bool(mask.all()):
        raise DataError(
            f"Pairs: {run} is a padded batch (attention_mask holds zeros), so positions mean different things in "
            "different units. Give the texts themselves, or lists of token ids without padding."
        )
    _check_arguments([name for name in tensors if name], model)
    return tuple(
        Encoded(None, {name: value[unit] for name, value in tensors.items()}, (), {}) for unit in range(len(pairs))
    )


def _check_arguments(names: Sequence[str], model: Model) -> None:
    parameters = inspect.signature(type(model.module).forward).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name != "self"]
    for name in names:
        if name not in known:
            raise DataError(
                f"Pairs: the forward of {type(model.module).__name__} takes no argument {name!r}. "
                f"{suggestion(name, known)}"
            )


def _checked_ids(ids: Tensor, model: Model, run: str, unit: int) -> Tensor:
    """Return token ids, checked against the vocabulary."""
    if ids.ndim != 1:
        raise DataError(
            f"The {run} input of unit {unit} has shape {tuple(ids.shape)}; token ids of one unit have one axis, so a "
            "tensor of inputs has shape (units, tokens)."
        )
    size = model.vocabulary
    wrong = ids[(ids < 0) | (ids >= size)] if size is not None else ids[ids < 0]
    if wrong.numel():
        raise DataError(
            f"The {run} input of unit {unit} holds token id {int(wrong[0])}, outside the model's vocabulary"
            f"{f' of {size} (0 to {size - 1})' if size is not None else ''}. Encode it with this model's tokenizer."
        )
    return ids


def _check_length(encoded: Encoded, model: Model, run: str, unit: int) -> None:
    most, length = model.context, encoded.length or 0
    if most is not None and length > most:
        raise DataError(
            f"The {run} input of unit {unit} has {length} tokens, and {type(model.module).__name__} reads {most} at "
            "most. Shorten it, or drop the unit."
        )


def _encode_text(tokenizer: Any, text: str, places: Mapping[str, tuple[int, int]], where: tuple[str, int]) -> Encoded:
    fast = bool(getattr(tokenizer, "is_fast", False))
    batch = tokenizer(text, return_offsets_mapping=True) if fast and places else tokenizer(text)
    ids = torch.tensor(batch["input_ids"], dtype=torch.long)
    if ids.numel() == 0:
        raise DataError(f"The {where[0]} text of unit {where[1]} ({text!r}) has no tokens.")
    tokens = _token_strings(tokenizer, ids)
    spans = {}
    if places:
        offsets = [tuple(pair) for pair in batch["offset_mapping"]] if fast else decoded_offsets(text, tokens)
        if offsets is None:
            raise DataError(
                f"{type(tokenizer).__name__} gives no character offsets and its tokens {listed(tokens)} do not spell "
                f"{text!r}, so named spans cannot be found. Use a fast tokenizer, or token ids with token offsets."
            )
        for name, place in places.items():
            spans[name] = span_tokens(text, offsets, place)
            if not spans[name]:
                raise DataError(
                    f"Span {name!r} ({text[slice(*place)]!r}) of unit {where[1]} covers no token of {listed(tokens)}."
                )
    return Encoded(ids, {}, tokens, spans)


def _encode_prompt(prompt: Prompt, model: Model, places: Mapping[str, tuple[int, int]], where: str) -> Encoded:
    ids, features, axes = read_prompt(prompt, model, where)
    spans = prompt_spans(ids, prompt, model, places, where)
    return Encoded(ids, {}, _token_strings(model.tokenizer, ids), spans, features, axes)


def _token_strings(tokenizer: Any, ids: Tensor) -> tuple[str, ...]:
    if tokenizer is None:
        return tuple(str(int(i)) for i in ids)
    return tuple(tokenizer.decode([int(i)]) for i in ids)
