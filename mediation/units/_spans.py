"""From characters to tokens: which tokens a named span of the text covers."""

from __future__ import annotations

from collections.abc import Sequence


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
    [(0, 1), (1, 5)]
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
