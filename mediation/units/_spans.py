"""Named spans: from substrings to characters, and from characters to tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from .._checks import shown
from .._errors import DataError

RESERVED = ("all", "last", "each", "spans")
"""Positions that have a meaning of their own, and so cannot name a span."""


def span_offsets(name: str, value: Any, given: str | Tensor, unit: int, run: str) -> tuple[int, int]:
    """Return the ``(start, end)`` of one unit's span, from a substring or from offsets.

    Parameters
    ----------
    name
        Name of the span, for errors.
    value
        A substring of a text, or ``(start, end)``.
    given
        The unit's text or token ids.
    unit, run
        Whose they are, for errors.

    Raises
    ------
    DataError
        If a substring is not found exactly once, or offsets lie outside the input.

    Examples
    --------
    >>> span_offsets("animal", "cat", "a cat", 0, "base")
    (2, 5)
    """
    where = f"Span {name!r} of unit {unit}"
    if isinstance(given, str) and isinstance(value, str):
        found = given.count(value) if value else 0
        if found != 1:
            times = "does not occur" if found == 0 else f"occurs {found} times"
            raise DataError(
                f"{where}: {value!r} {times} in its {run} text {given!r}; once is needed. "
                "Correct it, or give (start, end) character offsets."
            )
        start = given.index(value)
        return start, start + len(value)
    wanted = "a substring or (start, end) character offsets" if isinstance(given, str) else "(start, end) token offsets"
    value = value.tolist() if hasattr(value, "tolist") else value
    parts = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
    if len(parts) != 2 or not all(hasattr(part, "__index__") for part in parts):
        raise DataError(f"{where} is {shown(value)}; {wanted} are needed, such as (4, 7).")
    start, end = (int(part) for part in parts)
    if not 0 <= start < end <= len(given):
        unit_of = "characters" if isinstance(given, str) else "tokens"
        raise DataError(
            f"{where}: offsets ({start}, {end}) do not lie in its {run} input of {len(given)} {unit_of}; "
            "0 <= start < end <= length is needed."
        )
    return start, end


def span_tokens(text: str, offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> tuple[int, ...]:
    """Return the indices of the tokens that share a printed character with ``text[start:end]``.

    Parameters
    ----------
    text
        The text that was tokenised.
    offsets
        Character range of each token; special tokens have an empty one.
    span
        ``(start, end)``, in characters.

    Examples
    --------
    >>> span_tokens("a cat", [(0, 1), (1, 5)], (2, 5))
    (1,)
    """
    start, end = _trimmed(text, span)
    found = []
    for index, token in enumerate(offsets):
        low, high = _trimmed(text, token)
        if max(low, start) < min(high, end):
            found.append(index)
    return tuple(found)


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    # A span of blanks only (a newline token, say) is kept as it is.
    return (start, end) if start < end else span


def decoded_offsets(text: str, pieces: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return character ranges of decoded tokens found one after another in `text`, or None if they don't fit.

    Used for tokenizers that give no offsets.

    Examples
    --------
    >>> decoded_offsets("a cat", ["a", " cat"])
    [(0, 1), (2, 5)]
    """
    offsets, cursor = [], 0
    for piece in pieces:
        bare = piece.strip()
        if not bare:
            offsets.append((cursor, cursor))
            continue
        start = text.find(bare, cursor)
        if start < 0 or text[cursor:start].strip():
            return None
        offsets.append((start, start + len(bare)))
        cursor = start + len(bare)
    return offsets


def running_offsets(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """Return the decoded text and the characters of every token in it.

    A token that only completes a character together with a later one has none.
    """
    text = str(tokenizer.decode(ids))
    offsets, last = [], 0
    for count in range(1, len(ids) + 1):
        # A character that is not complete yet is decoded to a replacement, which is not a part of the text.
        end = max(last, _shared(tokenizer.decode(ids[:count]), text))
        offsets.append((last, end))
        last = end
    return text, offsets


def _shared(first: str, second: str) -> int:
    """Return how many characters two texts begin with in common.

    Examples
    --------
    >>> _shared("cart", "cat")
    2
    """
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
