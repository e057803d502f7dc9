"""A row as outcomes see it: what was said, and what after the last thought."""

from __future__ import annotations

from typing import Any

from ..outcomes import Told
from ..specs import LatentSpec, Spec, TextSpec
from ..units import Continuations
from ._repetition import repeats
from ._row import Row
from ._spans import between


def told_of(row: Row, tokenizer: Any, spec: Spec | None) -> Told:
    """Return what a row says; its tokens as numbers when there is no tokenizer."""
    ids = row.text_ids()
    text = " ".join(map(str, ids)) if tokenizer is None else str(tokenizer.decode(ids))
    answer, steps = text, sum(stop - start for start, stop in row.segments)
    if isinstance(spec, TextSpec):
        pieces = between(text, spec, opened=row.opened)
        reader = Continuations(tokenizer)
        steps = sum(len(reader.somewhere(text[start:end], (spec.start,))) for start, end in pieces)
        if pieces:
            answer = text[pieces[-1][1] + len(spec.end) :]
    elif isinstance(spec, LatentSpec):
        answer = text.rpartition(spec.end if spec.end in text else spec.start)[2]
    return Told(
        text=text,
        answer=answer,
        steps=steps,
        tokens=len(row.ids),
        repeats=repeats(ids),
        stopped=str(row.stopped),
    )
