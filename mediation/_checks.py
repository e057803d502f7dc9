"""Checks of arguments, and the sentences that their failures are told in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from numbers import Integral
from types import FunctionType
from typing import TypeVar

from ._errors import DataError, DesignError, MediationError

T = TypeVar("T")
_LONGEST = 100


def closest(name: str, choices: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the choice most like `name`, or None when nothing is close.

    Examples
    --------
    >>> closest("model.layer.3", ["model.layers.3", "lm_head"])
    'model.layers.3'
    >>> closest("zzz", ["model", "lm_head"]) is None
    True
    """
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=cutoff)
    return found[0] if found else None


def listed(choices: Iterable[object], *, most: int = 12) -> str:
    """Return `choices` as a readable list, cut after `most`.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    items = [repr(choice) for choice in choices]
    tail = f", ... ({len(items) - most} more)" if len(items) > most else ""
    return ", ".join(items[:most]) + tail


def suggestion(name: str, choices: Sequence[str]) -> str:
    """Return the sentence that offers the nearest choice, or lists them.

    Examples
    --------
    >>> suggestion("pni", ["pnie", "tnie"])
    "Closest: 'pnie'."
    >>> suggestion("zzz", ["te", "cde"])
    "Choose from 'te', 'cde'."
    >>> suggestion("zzz", [])
    'There are none.'
    """
    if not choices:
        return "There are none."
    near = closest(name, choices)
    return f"Closest: {near!r}." if near is not None else f"Choose from {listed(choices)}."


def one_of(value: T, choices: Sequence[T], *, what: str, error: type[MediationError] = DesignError) -> T:
    """Return `value` if it is one of `choices`; otherwise raise `error` with the nearest one.

    Examples
    --------
    >>> one_of("pure", ["pure", "total"], what="kind")
    'pure'
    """
    if any(value is choice or (type(value) is type(choice) and value == choice) for choice in choices):
        return value
    hint = suggestion(value if isinstance(value, str) else "", [str(choice) for choice in choices])
    raise error(f"{what} = {shown(value)} is not known. {hint}")


def in_unit_interval(value: float, *, what: str, error: type[MediationError] = DesignError) -> float:
    """Return `value` if 0 < value < 1; otherwise raise `error`.

    Examples
    --------
    >>> in_unit_interval(0.95, what="confidence_level")
    0.95
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise error(f"{what} = {shown(value)}: a number strictly between 0 and 1 is needed, such as 0.95.")
    return float(value)


def positive_int(value: int, *, what: str, least: int = 1, error: type[MediationError] = DesignError) -> int:
    """Return `value` if it is an integer of at least `least`; otherwise raise `error`.

    Examples
    --------
    >>> positive_int(3, what="n_draws")
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise error(f"{what} = {shown(value)}: a whole number of at least {least} is needed.")
    return int(value)


def named_once(names: Iterable[object], what: str) -> None:
    """Raise DataError if two columns have one name: the name alone would stand for both.

    Examples
    --------
    >>> named_once(["base", "source", "base"], "Pairs.from_frame")
    Traceback (most recent call last):
        ...
    mediation._errors.DataError: Pairs.from_frame: column 'base' is there more than once (2 columns have this name). \
Keep one, for example by frame.loc[:, ~frame.columns.duplicated()], or rename the others.
    """
    known: dict[object, int] = {}
    for name in names:
        known[name] = known.get(name, 0) + 1
    twice = next((name for name, count in known.items() if count > 1), None)
    if twice is not None:
        raise DataError(
            f"{what}: column {twice!r} is there more than once ({known[twice]} columns have this name). Keep one, for "
            "example by frame.loc[:, ~frame.columns.duplicated()], or rename the others."
        )
    levels = next((name for name in known if isinstance(name, tuple)), None)
    if levels is not None:
        raise DataError(
            f"{what}: the name of a column is {shown(levels)}, of several levels, so one name may stand for several "
            "columns. Join them first: frame.columns = ['_'.join(map(str, name)) for name in frame.columns]."
        )


def shown(value: object) -> str:
    """Return how errors print a value: as it is written if that is short, otherwise what it is.

    Examples
    --------
    >>> shown("a"), shown(object())
    ("'a'", '<object>')
    """
    text = repr(value)
    short = len(text) <= _LONGEST and "\n" not in text and " at 0x" not in text and not isinstance(value, type)
    return text if short else f"<{called(value)}>"


def called(value: object) -> str:
    """Return how errors call what was given: its type, or that it is a class or function that was not called.

    Examples
    --------
    >>> called(3), called(int)
    ('int', 'the class int, not called')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}, not called"
    if isinstance(value, FunctionType):
        return f"the function {value.__name__}"
    return type(value).__name__
