"""From the answers that a user names to token ids."""

from __future__ import annotations

import numbers
from typing import Any

from .._checks import listed, suggestion
from .._errors import OutcomeError
from ..models import Model
from ..units import Pairs


def values_of(given: Any, pairs: Pairs, what: str) -> list[Any]:
    """Return one value a unit: of the column `given` names, or `given` itself for every unit."""
    if isinstance(given, str) and given in pairs.table.columns:
        return list(pairs.table[given])
    if isinstance(given, (str, numbers.Integral)) and not isinstance(given, bool):
        return [given] * len(pairs)
    raise OutcomeError(f"{what} = {given!r}: the name of a column, a literal token or a token id is needed.")


def token_ids(value: Any, model: Model, what: str) -> tuple[int, ...]:
    """Return the token ids of a text (without special tokens), or the id that is given.

    Raises
    ------
    OutcomeError
        If it is neither, is empty, or the id is outside the vocabulary.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return (_inside(int(value), model, what),)
    if not isinstance(value, str) or not value:
        raise OutcomeError(f"{what} is {value!r}: a text or a token id is needed.")
    if model.tokenizer is None:
        raise OutcomeError(
            f"{what} is {value!r}, and {model!r} has no tokenizer: give indices of the output, such as 0 and 1."
        )
    ids = tuple(model.tokenizer(value, add_special_tokens=False)["input_ids"])
    if not ids:
        raise OutcomeError(f"{what} is {value!r}, which has no tokens.")
    return ids


def token_id(value: Any, model: Model, what: str) -> int:
    """Return the one token id of `value`; OutcomeError with its tokens if there are several."""
    ids = token_ids(value, model, what)
    if len(ids) == 1:
        return ids[0]
    pieces = [model.tokenizer.decode([i]) for i in ids]
    spaced = f" {value.strip()}"
    hint = ""
    for other in (spaced, value.strip()):
        if other != value and len(model.tokenizer(other, add_special_tokens=False)["input_ids"]) == 1:
            hint = f" {other!r} is one token;"
            break
    raise OutcomeError(
        f"{what} is {value!r}, which is {len(ids)} tokens ({listed(pieces)}), and one is needed.{hint} "
        "med.LogProb and med.Probability take answers of several tokens."
    )


def single_ids(given: Any, pairs: Pairs, model: Model, what: str) -> list[int]:
    """Return one token id a unit; errors name the unit and, for a misspelt column, the closest one."""
    values = values_of(given, pairs, what)
    column = isinstance(given, str) and given in pairs.table.columns
    if isinstance(given, str) and not column:
        return [_literal(given, pairs, model, what)] * len(pairs)
    return [token_id(value, model, f"{what} of unit {unit}" if column else what) for unit, value in enumerate(values)]


def _literal(given: str, pairs: Pairs, model: Model, what: str) -> int:
    try:
        return token_id(given, model, what)
    except OutcomeError as error:
        columns = list(map(str, pairs.table.columns))
        hint = f" It is no column either. {suggestion(given, columns)}" if columns else ""
        raise OutcomeError(f"{error}{hint}") from None


def _inside(index: int, model: Model, what: str) -> int:
    config = getattr(model.module, "config", None)
    size = getattr(config, "vocab_size", None) if model.is_language_model else None
    if index < 0 or (isinstance(size, int) and index >= size):
        raise OutcomeError(f"{what} = {index}: outside the vocabulary of {size if size else 'the model'} tokens.")
    return index


def label_of(given: Any) -> str:
    """Return how labels call an answer: a column's name, or the literal in quotes."""
    return given if isinstance(given, str) and given.isidentifier() else repr(given)
