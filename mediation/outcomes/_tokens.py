"""From the answers that a user names to token ids."""

from __future__ import annotations

import numbers
from typing import Any

from torch import Tensor

from .._checks import called, closest, is_unicode, listed, shown
from .._errors import OutcomeError
from ..models import Model
from ..units import Pairs

_MISSPELT = 0.8
"""Likeness to a column's name from which a word without a leading space is taken for a misspelt column."""


def values_of(given: Any, pairs: Pairs, what: str) -> list[Any]:
    """Return one value a unit: of the column `given` names, or `given` itself for every unit.

    Raises
    ------
    OutcomeError
        If `given` is neither text nor an id, or is a word very like the name of a column.
    """
    columns = list(map(str, pairs.table.columns))
    if isinstance(given, str):
        if given in pairs.table.columns:
            return list(pairs.table[given])
        near = closest(given, columns, cutoff=_MISSPELT) if not given[:1].isspace() else None
        if near is not None:
            raise OutcomeError(
                f"{what} = {given!r} is no column of the units. Closest: {near!r}. (If {given!r} is the answer itself, "
                "put it in a column.)"
            )
        return [given] * len(pairs)
    if isinstance(given, numbers.Integral) and not isinstance(given, bool):
        return [given] * len(pairs)
    raise OutcomeError(
        f"{what} is {called(given)}; the name of a column, a literal text or a token id is needed. Answers that differ "
        "between units go in a column: Pairs(..., frame=...)."
    )


def token_ids(value: Any, model: Model, what: str) -> tuple[int, ...]:
    """Return the token ids of a text (without special tokens), or the id that is given.

    Raises
    ------
    OutcomeError
        If it is neither, is empty, the id is outside the vocabulary, or the tokenizer does not know the text.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return (_inside(int(value), model, what),)
    if not isinstance(value, str) or not value or not is_unicode(value):
        raise OutcomeError(f"{what} is {shown(value)}; a text or a token id is needed. Drop the unit, or fill it in.")
    tokenizer = model.tokenizer
    if tokenizer is None:
        raise OutcomeError(
            f"{what} is {value!r}, and {model!r} has no tokenizer: give indices of the output, such as 0 and 1."
        )
    ids = tuple(tokenizer(value, add_special_tokens=False)["input_ids"])
    if not ids:
        raise OutcomeError(f"{what} is {value!r}, which has no tokens; give a text that has.")
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is not None and unknown in ids and value != tokenizer.unk_token:
        raise OutcomeError(
            f"{what} is {value!r}, which the tokenizer does not know: it reads {tokenizer.unk_token!r}. Give a text in "
            "its vocabulary."
        )
    return ids


def token_id(value: Any, model: Model, what: str) -> int:
    """Return the one token id of `value`; OutcomeError with its tokens if there are several."""
    ids = token_ids(value, model, what)
    if len(ids) == 1:
        return ids[0]
    pieces = [model.tokenizer.decode([i]) for i in ids]
    hint = "Closest: med.LogProb and med.Probability, which take answers of several tokens."
    for other in (f" {value.strip()}", value.strip()):
        if other != value and len(model.tokenizer(other, add_special_tokens=False)["input_ids"]) == 1:
            hint = f"Closest: {other!r}, which is one."
            break
    raise OutcomeError(f"{what} is {value!r}, which is {len(ids)} tokens ({listed(pieces)}); one is needed. {hint}")


def single_ids(given: Any, pairs: Pairs, model: Model, what: str) -> list[int]:
    """Return one token id a unit; errors name the unit or, for a literal, the columns that it is none of."""
    values = values_of(given, pairs, what)
    if isinstance(given, str) and given not in pairs.table.columns:
        return [_literal(given, pairs, model, what)] * len(pairs)
    named = f"{what} of unit {{}}" if isinstance(given, str) else what
    return [token_id(value, model, named.format(unit)) for unit, value in enumerate(values)]


def _literal(given: str, pairs: Pairs, model: Model, what: str) -> int:
    try:
        return token_id(given, model, what)
    except OutcomeError as error:
        columns = listed(map(str, pairs.table.columns))
        known = f" (It is no column either; the units have {columns}.)" if columns else " (The units have no columns.)"
        raise OutcomeError(f"{error}{known if not given[:1].isspace() else ''}") from None


def _inside(index: int, model: Model, what: str) -> int:
    size = model.vocabulary if model.is_language_model else None
    if index < 0 or (size is not None and index >= size):
        known = f"the model's vocabulary of {size} (0 to {size - 1})" if size else "the output, which starts at 0"
        raise OutcomeError(f"{what} is {shown(index)}, which is outside {known}.")
    return index


def check_inside(ids: Tensor, output: Tensor, what: str) -> None:
    """Raise OutcomeError if an id is no index of the last axis of `output`, or there is nothing to pick there."""
    largest, size = int(ids.max()), int(output.shape[-1])
    if size == 1:
        raise OutcomeError(
            "The model's output has one number a row, and this outcome picks among several. Write the outcome "
            "as a function of the output: @med.outcome."
        )
    if largest >= size:
        raise OutcomeError(
            f"{what}: {largest} is no index of the output, which has {size} numbers a row (0 to {size - 1})."
        )


def spelled(index: int, model: Model) -> str:
    """Return how errors call a token: its text and id."""
    return f"id {index}" if model.tokenizer is None else f"{model.tokenizer.decode([index])!r} (id {index})"


def label_of(given: Any) -> str:
    """Return how labels call an answer: a column's name, or the literal in quotes."""
    return given if isinstance(given, str) and given.isidentifier() else repr(given)
