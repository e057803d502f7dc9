"""Named spans: from substrings to characters, and from characters to tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from .._checks import shown
from ..errors import DataError

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

    Tokens that make one character together, such as the bytes of "東", each have that character.
    """
    text = str(tokenizer.decode(ids))
    offsets: list[tuple[int, int]] = []
    last, waiting = 0, list[int]()
    for count in range(1, len(ids) + 1):
        # A character that is not complete yet is decoded to a replacement, or to nothing.
        decoded = str(tokenizer.decode(ids[:count]))
        shared = _shared(decoded, text)
        end = max(last, shared)
        offsets.append((last, end))
        if end > last:
            for index in waiting:
                offsets[index] = (offsets[index][0], last + 1)
            waiting.clear()
        if len(decoded) > shared or (end == last and _is_a_part(tokenizer, ids[count - 1])):
            waiting.append(count - 1)
        last = end
    return text, offsets


def _is_a_part(tokenizer: Any, index: int) -> bool:
    """Return True if a token that is decoded to nothing is part of a character: it is no blank and not special."""
    if index in getattr(tokenizer, "all_special_ids", ()):
        return False
    piece = tokenizer.convert_ids_to_tokens([index])[0] if hasattr(tokenizer, "convert_ids_to_tokens") else ""
    return bool(str(piece or "").replace("\u2581", " ").strip())


def spelled_offsets(tokenizer: Any, text: str, ids: Sequence[int]) -> list[tuple[int, int]] | None:
    """Return the characters of `text` that each token stands for, of a tokenizer that does not say; None if unknown.

    The decoded tokens hold the text once, as it is, or with other blanks between its tokens.
    """
    decoded, offsets = running_offsets(tokenizer, ids)
    bare = text.strip()
    if bare and decoded.count(bare) == 1:
        shift, n = text.index(bare) - decoded.index(bare), len(text)
        moved = [(low + shift, high + shift) for low, high in offsets]
        return [(min(max(low, 0), n), min(max(high, 0), n)) for low, high in moved]
    return decoded_offsets(text, [str(tokenizer.decode([one])) for one in ids])


def split_bytes(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return offsets in which byte tokens that share the range of several characters have one character each.

    A tokenizer that falls back on bytes may give all bytes of "東京" the range of both.

    Examples
    --------
    >>> split_bytes("東京", [(0, 2)] * 6)
    [(0, 1), (0, 1), (0, 1), (1, 2), (1, 2), (1, 2)]
    """
    found = list(offsets)
    start = 0
    while start < len(found):
        stop = start + 1
        while stop < len(found) and found[stop] == found[start]:
            stop += 1
        low, high = found[start]
        sizes = [len(letter.encode("utf-8", "surrogatepass")) for letter in text[low:high]]
        if stop - start > 1 and high - low > 1 and sum(sizes) == stop - start:
            letters = [place for place, size in enumerate(sizes) for _ in range(size)]
            found[start:stop] = [(low + place, low + place + 1) for place in letters]
        start = stop
    return found


def _shared(first: str, second: str) -> int:
    """Return how many characters two texts begin with in common.

    Examples
    --------
    >>> _shared("cart", "cat")
    2
    """
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
