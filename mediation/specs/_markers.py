"""Checks of the markers of a thought."""

from __future__ import annotations

from typing import Literal

from .._checks import one_of, shown
from .._texts import check_letters
from ..errors import DesignError

AnswerFrom = Literal["everything", "thought", "prompt"]


def check_answer_from(kind: str, value: object) -> None:
    """Raise DesignError unless `value` says what an answer may read."""
    one_of(value, ("everything", "thought", "prompt"), what=f"{kind}: answer_from")


def check_markers(kind: str, start: object, end: object) -> None:
    """Raise DesignError unless `start` and `end` are two different strings."""
    check_text(kind, "start", start)
    check_text(kind, "end", end)
    if start == end:
        raise DesignError(f"{kind}: start and end are both {start!r}; a thought needs two different markers.")


def check_text(kind: str, what: str, value: object) -> None:
    """Raise DesignError unless `value` is a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise DesignError(f"{kind}: {what} = {shown(value)}: the token is given as a string, such as '<think>'.")
    check_letters(value, f"{kind}: {what}", DesignError)
