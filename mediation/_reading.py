"""Reading what others wrote: whatever a library raises over a damaged file becomes one sentence of this package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._checks import shown
from .errors import DataError, DesignError, MediationError

_LONGEST = 160


@contextmanager
def reading(
    what: str, advice: str, error: type[MediationError] = DataError, *, verb: str = "cannot be read"
) -> Iterator[None]:
    """Raise `error` for whatever a library raises inside: what cannot be read, why, and what to do.

    A damaged file makes libraries fail in ways that none of them lists (`IndexError`, `struct.error`, panics of Rust),
    so every class is caught here; errors of this package pass through.

    Examples
    --------
    >>> with reading("notes.json", "Restore it."):
    ...     json.loads("[")
    Traceback (most recent call last):
        ...
    mediation.errors.DataError: notes.json cannot be read (Expecting value: line 1 column 2 (char 1)). Restore it.
    """
    try:
        yield
    except MediationError:
        raise
    except Exception as cause:
        raise error(f"{what} {verb} ({reason(cause)}). {advice}") from cause
    except BaseException as cause:
        if type(cause).__name__ != "PanicException":  # what libraries in Rust raise; it is no Exception
            raise
        raise error(f"{what} {verb} ({reason(cause)}). {advice}") from cause


def reason(cause: BaseException) -> str:
    """Return why something failed, in one line.

    Examples
    --------
    >>> reason(ValueError("not so")), reason(MemoryError()), reason(KeyError("a"))
    ('not so', 'it does not fit into memory', "KeyError: 'a'")
    """
    if isinstance(cause, RecursionError):
        return "it is nested too deeply"
    if isinstance(cause, MemoryError):
        return "it does not fit into memory"
    if isinstance(cause, OSError) and cause.strerror:
        where = f": {cause.filename!r}" if isinstance(cause.filename, str) else ""
        return _cut(f"{cause.strerror}{where}")
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    first = lines[0].strip().rstrip(".")
    first = f"{type(cause).__name__}: {first}" if isinstance(cause, LookupError) else first
    return _cut(first)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def json_from(raw: bytes | str, *, finite: bool = False) -> Any:
    """Return what a JSON text holds.

    Parameters
    ----------
    raw
        The text, or its bytes in UTF-8, with or without a byte order mark.
    finite
        Refuse NaN and Infinity, which JSON does not have and Python reads.

    Raises
    ------
    ValueError
        If it is no JSON in UTF-8, is nested too deeply, or an object has a key twice: readers differ on which counts.

    Examples
    --------
    >>> json_from(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> json_from('{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: the key 'a' occurs twice in one object
    """
    text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    constant = _refused if finite else None
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once, parse_constant=constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_bytes(max_bytes: object, what: str) -> None:
    """Check a limit on what a file may take once it is unpacked.

    Raises
    ------
    DesignError
        If it is no whole number from 1 on.
    """
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise DesignError(f"{what}: max_bytes = {shown(max_bytes)}: a whole number of bytes is needed, such as 2**32.")


def too_large(what: str, found: int, max_bytes: int) -> DataError:
    """Return the error of a file that would take more memory than is allowed.

    Examples
    --------
    >>> print(too_large("read: 'a.parquet'", 3_600_000_000, 2**30))
    read: 'a.parquet' takes at least 3.4 GiB once it is unpacked; 1.0 GiB are allowed. Raise max_bytes= if you trust it.
    """
    return DataError(
        f"{what} takes at least {found / 2**30:.1f} GiB once it is unpacked; {max_bytes / 2**30:.1f} GiB are allowed. "
        "Raise max_bytes= if you trust it."
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"the key {next(name for name in names if names.count(name) > 1)!r} occurs twice in one object"
        )
    return found


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
