"""Where an imagined text is among the generated tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..specs import TextSpec
from ..units import running_offsets, span_tokens
from ._trajectory import Segment


def text_segments(tokenizer: Any, prompt_ids: Sequence[int], ids: Sequence[int], spec: TextSpec) -> tuple[Segment, ...]:
    """Return the token ranges between the markers of `spec`.

    A token that holds a marker's end and the first letters of the thought belongs to the thought; blanks next to
    the markers do not. An empty thought is an empty range.
    """
    text = tokenizer.decode(ids)
    opened = tokenizer.decode(prompt_ids).rstrip().endswith(spec.start)
    found = list(between(text, spec, opened=opened))
    if not found:
        return ()
    _, offsets = running_offsets(tokenizer, ids)
    return tuple(_tokens(text, offsets, span) for span in found)


def between(text: str, spec: TextSpec, *, opened: bool) -> list[tuple[int, int]]:
    """Return the character ranges between the markers.

    Examples
    --------
    >>> between("a <i> b </i> c <i> d", TextSpec("<i>", "</i>"), opened=False)
    [(5, 8), (18, 20)]
    """
    found: list[tuple[int, int]] = []
    cursor = 0
    while True:
        if not opened:
            start = text.find(spec.start, cursor)
            if start < 0:
                return found
            cursor = start + len(spec.start)
        opened = False
        end = text.find(spec.end, cursor)
        if end < 0:
            return [*found, (cursor, len(text))]
        found.append((cursor, end))
        cursor = end + len(spec.end)


def _tokens(text: str, offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> Segment:
    found = span_tokens(text, offsets, span) if text[slice(*span)].strip() else ()
    if found:
        return found[0], found[-1] + 1
    at = next((index for index, (_, end) in enumerate(offsets) if end > span[1]), len(offsets))
    return at, at


def written_thoughts(
    tokenizer: Any, prompt_ids: Sequence[int], ids: Sequence[int], spec: TextSpec
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Return the written thoughts as texts, and their tokens with those of the end marker.

    A body begins after the token that completes the start marker and ends with the one that completes the end marker;
    it is empty for a thought that is not closed.
    """
    text, offsets = running_offsets(tokenizer, ids)
    opened = tokenizer.decode(prompt_ids[-4 * len(spec.start) - 4 :]).rstrip().endswith(spec.start)
    texts, bodies = [], []
    for start, end in between(text, spec, opened=opened):
        texts.append(text[start:end])
        first = next((index for index, (begin, _) in enumerate(offsets) if begin >= start), len(ids))
        closing = end + len(spec.end)
        last = next((index for index, (_, stop) in enumerate(offsets) if stop >= closing), None)
        closed = text[end:closing] == spec.end and last is not None
        bodies.append(tuple(ids[first : last + 1]) if closed and last is not None else ())
    return tuple(texts), tuple(bodies)
