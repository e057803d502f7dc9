"""Checks of arguments, and the sentences that their failures are told in."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import FunctionType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, DesignError, MediationError

T = TypeVar("T")
MOST_OF_64_BITS = 2**63 - 1
_LONGEST = 100
_MOST = 10**6


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


def suggestion(name: object, choices: Sequence[str]) -> str:
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
    near = closest(name, choices) if isinstance(name, str) else None
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


def positive_int(
    value: int,
    *,
    what: str,
    least: int = 1,
    most: int = _MOST,
    why: str = "",
    error: type[MediationError] = DesignError,
) -> int:
    """Return `value` if it is an integer from `least` to `most`; otherwise raise `error`, which says `why` not more.

    Examples
    --------
    >>> positive_int(3, what="n_draws")
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise error(f"{what} = {shown(value)}: a whole number of at least {least} is needed.")
    if value > most:
        reason = why or ("A larger number would exhaust the memory, or never finish." if most == _MOST else "")
        raise error(f"{what} = {shown(value)}: a whole number from {least} to {most:,} is needed. {reason}".rstrip())
    return int(value)


def named_once(names: Iterable[object], what: str) -> None:
    """Raise DataError if two columns have one name: the name alone would stand for both.

    Examples
    --------
    >>> named_once(["base", "source", "base"], "Pairs.from_frame")
    Traceback (most recent call last):
        ...
    mediation.errors.DataError: Pairs.from_frame: column 'base' is there more than once (2 columns have this name). \
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


def seed_number(value: int, *, what: str, error: type[MediationError] = DesignError) -> int:
    """Return `value` if it is a seed, an integer from 0 to 2**63 - 1; otherwise raise `error`.

    Examples
    --------
    >>> seed_number(7, what="seed")
    7
    """
    return positive_int(value, what=what, least=0, most=MOST_OF_64_BITS, error=error)


def finite(value: object) -> float | None:
    """Return `value` as a float if it is a finite real number, and None if it is something else.

    Examples
    --------
    >>> finite(3), finite(True), finite(10**400)
    (3.0, None, None)
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):  # of more digits than a float has room for
        return None
    return found if math.isfinite(found) else None


def number(
    value: float, *, what: str, least: float = -math.inf, needed: str = "", error: type[MediationError] = DesignError
) -> float:
    """Return `value` as a float if it is a finite real number of at least `least`; otherwise raise `error`.

    Examples
    --------
    >>> number(3, what="effect")
    3.0
    """
    found = finite(value)
    if found is None or found < least:
        raise error(f"{what} = {shown(value)}: {needed or 'a finite number'} is needed.")
    return found


def true_or_false(value: bool, *, what: str, error: type[MediationError] = DesignError) -> bool:
    """Return `value` if it is True or False; otherwise raise `error`.

    Examples
    --------
    >>> true_or_false(True, what="dry_run")
    True
    """
    if not isinstance(value, bool):
        raise error(f"{what} = {shown(value)}: True or False is needed.")
    return value


def instance(
    value: T, kind: type[Any] | tuple[type[Any], ...], *, what: str, needed: str, error: type[MediationError]
) -> T:
    """Return `value` if it is an instance of `kind`; otherwise raise `error`, which says what is `needed`.

    Examples
    --------
    >>> instance("a", str, what="name", needed="a text", error=DesignError)
    'a'
    """
    if not isinstance(value, kind):
        raise error(f"{what} is {called(value)}; {needed} is needed.")
    return value


def elements(value: Any, *, what: str, needed: str, error: type[MediationError] = DesignError) -> list[Any]:
    """Return what a list, a tuple, an array or another iterable holds; raise `error` for anything else.

    A text, a mapping and a frame are no lists of elements, though Python iterates over their letters, keys and column
    names.

    Examples
    --------
    >>> elements((1, 2), what="sizes", needed="a list of sizes")
    [1, 2]
    """
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)) and not hasattr(value, "columns"):
        try:
            return list(value)
        except TypeError:  # an array without an axis
            pass
    raise error(f"{what} = {shown(value)}: {needed} is needed.")


def pair_of(value: Any, *, what: str, needed: str, error: type[MediationError] = DesignError) -> tuple[Any, Any]:
    """Return the two elements of `value`; raise `error` if there are not two.

    Examples
    --------
    >>> pair_of([1, 2], what="labels", needed="a pair of names")
    (1, 2)
    """
    found = elements(value, what=what, needed=needed, error=error)
    if len(found) != 2:
        raise error(f"{what} has {len(found)} elements; {needed} is needed.")
    return found[0], found[1]


def reals(value: Any, *, what: str, needed: str, error: type[MediationError] = DesignError) -> NDArray[np.float64]:
    """Return `value` as an array of doubles; raise `error` if it does not hold real numbers of one shape.

    Examples
    --------
    >>> reals([1, 2], what="centre", needed="a list of numbers")
    array([1., 2.])
    """
    try:
        found = np.asarray(value)
        if found.dtype.kind in "biufO":
            return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: a tensor that has a gradient
        pass
    raise error(f"{what} ({called(value)}) cannot be read as real numbers; {needed} is needed.")


def hashable(value: T, *, what: str, error: type[MediationError] = DesignError) -> T:
    """Return `value` if it can be a label, which equals itself and has a hash; otherwise raise `error`.

    Examples
    --------
    >>> hashable("early", what="a label")
    'early'
    """
    try:
        hash(value)
    except TypeError:
        raise error(f"{what} is {called(value)}, which cannot be compared; a text or a number is needed.") from None
    return value


def shown(value: object) -> str:
    """Return how errors print a value: as it is written if that is short, otherwise what it is.

    Examples
    --------
    >>> shown("a"), shown(object())
    ("'a'", '<object>')
    """
    try:
        text = repr(value)
    except Exception:  # a whole number of more digits than Python prints, or an object that cannot be printed
        return f"<{called(value)}>"
    short = len(text) <= _LONGEST and "\n" not in text and " at 0x" not in text and not isinstance(value, type)
    return text if short else f"<{called(value)}>"


def is_unicode(text: str) -> bool:
    r"""Return whether a text can be written: no half of a surrogate pair stands alone in it.

    Examples
    --------
    >>> is_unicode("a"), is_unicode("\ud800")
    (True, False)
    """
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


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
