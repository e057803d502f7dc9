"""Units as the model reads them: token ids or tensors, with the tokens of every named span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from torch import Tensor

from .._checks import listed, suggestion
from ..errors import DataError
from ..models import Model
from ._aligned import following, is_aligned, taken
from ._encode_prompt import image_span, prompt_spans, read_prompt, rotary_axes
from ._pairs import Pairs
from ._prompt import Prompt
from ._reader import TextReader
from ._spans import span_tokens

_PLACED = {"position_ids", "inputs_embeds", "past_key_values", "cache_position", "decoder_input_ids"}
"""Arguments that say themselves where tokens are, or stand for them: such a batch is fed as it is."""


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
    aligned
        Arguments with one entry a token, ``(T, ...)`` each, such as ``token_type_ids``.
    """

    ids: Tensor | None
    tensors: Mapping[str, Tensor]
    tokens: tuple[str, ...]
    spans: Mapping[str, tuple[int, ...]]
    features: Mapping[str, Tensor] = field(default_factory=dict)
    axes: Tensor | None = None
    aligned: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def tokens_only(self) -> bool:
        """True if the model is told nothing besides token ids, each at its own plain place."""
        return not self.features and not self.aligned and self.axes is None

    def entries(self, name: str, model: Model, more: int) -> Tensor:
        """Return an argument with one entry a token, for the prompt and `more` tokens after it."""
        own = self.aligned[name]
        return torch.cat([own, following(name, own, model, more)]) if more else own

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
    inputs, fields = _without_padding(pairs.inputs(run), model, run)
    index = 0 if run == "base" else 1
    spans = {name: given[index] for name, given in pairs.spans.items()}
    as_ids = isinstance(inputs, tuple) or (
        isinstance(inputs, Tensor) and model.is_language_model and not inputs.is_floating_point()
    )
    if not pairs.is_text and not as_ids:
        return _encode_tensors(pairs, model, run)
    reader = TextReader(model.tokenizer) if pairs.is_text or pairs.is_prompts else None
    encoded = []
    for unit in range(len(pairs)):
        places = {name: values[unit] for name, values in spans.items() if values is not None}
        if reader is not None:
            encoded.append(_encode_read(reader, model, inputs[unit], places, (run, unit)))
            if (read := encoded[-1].ids) is not None:
                _checked_ids(read, model, run, unit)
        else:
            ids = _checked_ids(inputs[unit], model, run, unit)
            tokens = _token_strings(model.tokenizer, ids)
            named = {**image_span(ids, model), **{name: tuple(range(*place)) for name, place in places.items()}}
            encoded.append(Encoded(ids, {}, tokens, named, **(fields[unit] if fields else {})))
        _check_length(encoded[-1], model, run, unit)
    return tuple(encoded)


def _without_padding(inputs: Any, model: Model, run: str) -> tuple[Any, Sequence[dict[str, Any]]]:
    """Return a batch of tokenizer or processor as token ids of each unit, and what else it has, as fields of `Encoded`.

    A batch has ``input_ids``, an ``attention_mask`` and, with one row a unit, such as ``token_type_ids`` and
    ``pixel_values``; other inputs are returned as they are.
    """
    if not isinstance(inputs, dict) or not model.is_language_model or "input_ids" not in inputs:
        return inputs, ()
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    more = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
    typed = {name for name, value in more.items() if name.endswith("token_type_ids") and value.shape == ids.shape}
    if ids.ndim != 2 or not (typed == more.keys() or (model.is_causal and not _PLACED & more.keys())):
        return inputs, ()
    if model.is_causal:
        more.pop("labels", None)  # the targets of a loss, which no outcome reads
    more = {name: value for name, value in more.items() if name not in typed or model.takes(name) or bool(value.any())}
    _check_arguments(list(more), model)
    if mask is not None and mask.shape != ids.shape:
        raise DataError(
            f"Pairs: {run} has input_ids of shape {tuple(ids.shape)} and an attention_mask of shape "
            f"{tuple(mask.shape)}; as many numbers are needed."
        )
    every = slice(None)
    kept = [every if mask is None else _unpadded(mask[unit].bool(), run, unit) for unit in range(len(ids))]
    fields = [_fields(more, model, ids[unit], unit, where) for unit, where in enumerate(kept)]
    return (ids if mask is None else tuple(row[where] for row, where in zip(ids, kept, strict=True))), fields


def _fields(more: Mapping[str, Tensor], model: Model, row: Tensor, unit: int, where: slice) -> dict[str, Any]:
    """Return one unit's arguments besides its token ids `row`, of which `where` is no padding."""
    mine = {name: value[unit : unit + 1] for name, value in more.items()}
    aligned = {name: value[0][where] for name, value in mine.items() if is_aligned(name, value, len(row))}
    features = {name: value for name, value in mine.items() if name not in aligned}
    axes = rotary_axes(row[where], features, model) if features else None
    return {"aligned": aligned, "features": features, "axes": axes}


def _unpadded(kept: Tensor, run: str, unit: int) -> slice:
    where = kept.nonzero().flatten().tolist()
    if not where or where != list(range(where[0], where[-1] + 1)):
        found = "hides every token" if not where else "hides tokens inside the text"
        raise DataError(
            f"Pairs: the attention_mask of the {run} input of unit {unit} {found}; one that hides padding on the left "
            "or on the right is needed. Give the texts themselves, or lists of token ids without padding."
        )
    return slice(where[0], where[-1] + 1)


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
    if model.is_causal:  # the targets of a loss, which no outcome reads
        tensors = {name: value for name, value in tensors.items() if name != "labels"}
    _check_arguments([name for name in tensors if name], model)
    return tuple(
        Encoded(None, {name: value[unit] for name, value in tensors.items()}, (), {}) for unit in range(len(pairs))
    )


def _check_arguments(names: Sequence[str], model: Model) -> None:
    for name in names:
        if not model.takes(name):
            raise DataError(
                f"Pairs: the forward of {type(model.module).__name__} takes no argument {name!r}. "
                f"{suggestion(name, model.arguments)}"
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


def _encode_read(
    reader: TextReader,
    model: Model,
    given: str | Prompt,
    places: Mapping[str, tuple[int, int]],
    who: tuple[str, int],
) -> Encoded:
    """Return a text, or a prompt, of ``who = (run, unit)``."""
    if isinstance(given, str):
        return _encode_text(reader, model, given, places, who)
    if not given.images:
        found = _encode_text(reader, model, given.text, places, who)
        assert found.ids is not None
        return replace(found, spans={**image_span(found.ids, model), **found.spans})
    where = f"{who[0]} input of unit {who[1]}"
    read = read_prompt(given, model, reader, where)
    spans = prompt_spans(read.ids, given, model, places, where)
    return Encoded(
        read.ids, {}, _token_strings(model.tokenizer, read.ids), spans, read.features, read.axes, read.aligned
    )


def _encode_text(
    reader: TextReader, model: Model, text: str, places: Mapping[str, tuple[int, int]], who: tuple[str, int]
) -> Encoded:
    read = reader.read(text, offsets=bool(places))
    ids = torch.tensor(read.ids, dtype=torch.long)
    if ids.numel() == 0:
        raise DataError(f"The {who[0]} text of unit {who[1]} ({text!r}) has no tokens.")
    aligned = {name: value for name, value in read.aligned.items() if taken(name, value, model, reader.tokenizer)}
    tokens = _token_strings(reader.tokenizer, ids)
    spans = {}
    for name, place in places.items():
        assert read.offsets is not None
        spans[name] = span_tokens(text, read.offsets, place)
        if not spans[name]:
            raise DataError(
                f"Span {name!r} ({text[slice(*place)]!r}) of unit {who[1]} covers no token of {listed(tokens)}."
            )
    return Encoded(ids, {}, tokens, spans, aligned=aligned)


def _token_strings(tokenizer: Any, ids: Tensor) -> tuple[str, ...]:
    if tokenizer is None:
        return tuple(str(int(i)) for i in ids)
    return tuple(tokenizer.decode([int(i)]) for i in ids)
