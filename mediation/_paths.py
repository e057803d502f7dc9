"""Paths that a user gives: on this machine, and such as a file can have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ._checks import shown
from .errors import DesignError, MediationError

_URL = re.compile(r"[A-Za-z][\w+.-]+(::[A-Za-z][\w+.-]+)*:[/\\]")  # one letter is a drive; a Path keeps one slash
_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # of Linux, in bytes


def check_local(path: object, what: str, *, needed: str = "a path on this machine") -> None:
    """Raise DesignError if a path is the URL of a place elsewhere: a folder of that name would be made here.

    Examples
    --------
    >>> check_local("results/sweep.parquet", "path"), check_local("C:/results/sweep.parquet", "path")
    (None, None)
    >>> check_local("s3://bucket/sweep.parquet", "path")
    Traceback (most recent call last):
        ...
    mediation.errors.DesignError: path = 's3://bucket/sweep.parquet' is a URL, and a path on this machine is needed. \
Nothing was written or read there. Use a local folder, and copy files to or from it, for example with fsspec or the \
tool of that store.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    if isinstance(text, str) and _URL.match(text):
        raise DesignError(
            f"{what} = {text!r} is a URL, and {needed} is needed. Nothing was written or read there. Use "
            "a local folder, and copy files to or from it, for example with fsspec or the tool of that store."
        )


def path_from(value: Any, *, what: str, error: type[MediationError] = DesignError) -> Path:
    """Return `value` as a path; raise `error` if it is none, or one that no file can have.

    Examples
    --------
    >>> path_from("results/sweep.parquet", what="path").name
    'sweep.parquet'
    """
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    try:
        raw = os.fsencode(text) if isinstance(text, str) else b"\0"
    except UnicodeEncodeError:
        raw = b"\0"
    if (
        b"\0" in raw
        or len(raw) > _LONGEST_PATH
        or any(len(part) > _LONGEST_NAME for part in raw.split(os.sep.encode()))
    ):
        raise error(f"{what} = {shown(value)}: the path of a file is needed, such as 'results/sweep.parquet'.")
    return Path(value)
