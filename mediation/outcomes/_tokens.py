"""From the answers that a user names to token ids."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from .._checks import called, closest, listed, shown
from .._texts import check_letters
from ..errors import OutcomeError
from ..models import Model
from ..units import Continuations, Pairs

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


def token_ids(value: Any, model: Model, what: str, *, after: str = "") -> tuple[int, ...]:
    """Return the token ids of a text after another one, or the id that is given.

    Parameters
    ----------
    after
        What comes before the text; any text if nothing is given.

    Raises
    ------
    OutcomeError
        If it is neither, is empty, the id is outside the vocabulary, or the tokenizer does not know the text.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return (_inside(int(value), model, what),)
    text = _checked_text(value, model, what)
    found = Continuations(model.tokenizer).somewhere(text, (after,) if after else ())
    return _known(found, text, model, what)


def token_id(value: Any, model: Model, what: str) -> int:
    """Return the one token id of `value`; OutcomeError with its tokens if there are several."""
    ids = token_ids(value, model, what)
    if len(ids) > 1:
        reader = Continuations(model.tokenizer)
        raise _several(value, ids, model, what, lambda other: len(reader.somewhere(other)) == 1)
    return ids[0]


def _checked_text(value: Any, model: Model, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise OutcomeError(f"{what} is {shown(value)}; a text or a token id is needed. Drop the unit, or fill it in.")
    if model.tokenizer is None:
        raise OutcomeError(
            f"{what} is {value!r}, and {model!r} has no tokenizer: give indices of the output, such as 0 and 1."
        )
    check_letters(value, what, OutcomeError)
    return value


def _known(ids: tuple[int, ...], value: str, model: Model, what: str) -> tuple[int, ...]:
    """Return the tokens of an answer; OutcomeError if there are none, or the tokenizer does not know them."""
    tokenizer = model.tokenizer
    if not ids:
        raise OutcomeError(f"{what} is {value!r}, which has no tokens; give a text that has.")
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is not None and unknown in ids and value != tokenizer.unk_token:
        raise OutcomeError(
            f"{what} is {value!r}, which the tokenizer does not know: it reads {tokenizer.unk_token!r}. Give a text in "
            "its vocabulary."
        )
    return ids


def _several(value: str, ids: Sequence[int], model: Model, what: str, is_one: Callable[[str], bool]) -> OutcomeError:
    hint = "Closest: med.LogProb and med.Probability, which take answers of several tokens."
    for other in (f" {value.strip()}", value.strip()):
        if other not in (value, "") and is_one(other):
            hint = f"Closest: {other!r}, which is one."
            break
    pieces = listed(model.tokenizer.decode([i]) for i in ids)
    return OutcomeError(f"{what} is {value!r}, which is {len(ids)} tokens ({pieces}); one is needed. {hint}")


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
