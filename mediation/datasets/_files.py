"""Rows of files: parquet, TSV, CSV, JSON lines, JSON, folders of them, and frames in memory."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

from .._checks import MOST_OF_64_BITS, called, path_from, positive_int, shown
from .._errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Cells: TypeAlias = Mapping[str, Any]

_KINDS = (".parquet", ".tsv", ".jsonl", ".csv", ".json")


@final
@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file, and where it stands.

    Examples
    --------
    >>> Record({"label": "A"}, Path("vstar.jsonl"), 3).where
    'row 3 of vstar.jsonl'
    """

    cells: Cells
    file: Path | None
    at: int

    @property
    def where(self) -> str:
        """The row and its file, for messages."""
        return f"row {self.at} of {self.file.name if self.file is not None else 'the frame'}"


def records_of(source: str | os.PathLike[str] | pd.DataFrame, limit: int | None = None) -> list[Record]:
    """Return the rows of a file, of all files of a folder, or of a frame.

    Parameters
    ----------
    source
        A ``.parquet``, ``.tsv``, ``.csv``, ``.jsonl`` or ``.json`` file (a list of objects), a folder of files of one
        of these kinds, or a `pandas.DataFrame`. In a folder the files that lie in it are read in the order of their
        names; only if there are none, those of its folders. Cells of TSV and CSV stay text; only an empty cell is
        missing, so that an option "None" or "NA" is kept.
    limit
        The most rows to read; None for all.

    Raises
    ------
    DataError
        If there is nothing to read, a file is of another kind or broken, or `limit` is no whole number from 1 on.
    """
    if limit is not None:
        limit = positive_int(limit, what="read: limit", most=MOST_OF_64_BITS, error=DataError)
    if isinstance(source, (str, os.PathLike)):
        files = _files(path_from(source, what="read: path", error=DataError))
        found = list(islice((one for file in files for one in _records(file, limit)), limit))
    elif called(source) == "DataFrame":
        rows = source.to_dict("records")
        found = [Record(_cells(row), None, at) for at, row in enumerate(islice(rows, limit))]
    else:
        raise DataError(f"read: {shown(source)}: a path or a pandas DataFrame is needed.")
    if not found:
        raise DataError(f"read: {shown(source) if called(source) == 'DataFrame' else str(source)!r} has no rows.")
    return found


def check_frame(frame: Any, columns: Iterable[str], asked: str) -> None:
    """Check that a frame has columns.

    Raises
    ------
    DataError
        If it is no frame or lacks one.

    Examples
    --------
    >>> check_frame([1], ("id",), "cyclic")
    Traceback (most recent call last):
        ...
    mediation._errors.DataError: cyclic: [1] is no frame; read() makes one.
    """
    if called(frame) != "DataFrame":
        raise DataError(f"{asked}: {shown(frame)} is no frame; read() makes one.")
    lacks = sorted(set(columns) - {str(name) for name in frame.columns})
    if lacks:
        raise DataError(f"{asked}: the frame lacks the columns {', '.join(lacks)}; read() makes them.")


def is_missing(value: Any) -> bool:
    """Return True for None, NaN and what pandas writes for a missing cell.

    Examples
    --------
    >>> is_missing(None), is_missing(float("nan")), is_missing(""), is_missing(["a"])
    (True, True, False, False)
    """
    return value is None or bool(isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() not in _KINDS:
            raise DataError(f"read: {str(path)!r}: files that end in {', '.join(_KINDS)} can be read.")
        return [path]
    if not path.is_dir():
        raise DataError(f"read: {str(path)!r} is not there.")
    for pattern in ("*", "**/*"):
        for kind in _KINDS:
            found = sorted(one for one in path.glob(pattern + kind) if one.is_file())
            if found:
                return found
    raise DataError(f"read: folder {str(path)!r} has no file that ends in {', '.join(_KINDS)}.")


def _records(file: Path, limit: int | None) -> Iterator[Record]:
    try:
        for at, row in enumerate(_READERS[file.suffix.lower()](file, limit)):
            if not isinstance(row, Mapping):
                raise DataError(f"read: row {at} of {file.name} is {called(row)}; an object with columns is needed.")
            yield Record(_cells(row), file, at)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"read: {str(file)!r} cannot be read ({error}).") from error


def _cells(row: Mapping[Any, Any]) -> Cells:
    """Return a row with plain lists in the place of arrays of one axis, and without what is missing."""
    plain = {str(name): value.tolist() if getattr(value, "ndim", 0) == 1 else value for name, value in row.items()}
    return {name: None if is_missing(value) else value for name, value in plain.items()}


def _parquet(file: Path, limit: int | None) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=min(limit or 64, 64)):
            yield from batch.to_pylist()


def _separated(separator: str, file: Path) -> Iterator[Any]:
    # A cell holds a whole image; the module's own bound is 128 KiB.
    csv.field_size_limit(2**31 - 1)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for at, row in enumerate(csv.DictReader(lines, delimiter=separator)):
            if None in row or None in row.values():
                raise DataError(f"read: row {at} of {file.name} has not as many cells as the first line has columns.")
            yield {name: value if value else None for name, value in row.items()}


def _json_lines(file: Path, limit: int | None) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"read: line {number + 1} of {file.name} is no JSON ({error}).") from error


def _json(file: Path, limit: int | None) -> Iterator[Any]:
    rows = json.loads(file.read_text("utf-8"))
    if not isinstance(rows, list):
        raise DataError(f"read: {file.name} holds {called(rows)}; a list of objects is needed.")
    yield from rows


_READERS = {
    ".parquet": _parquet,
    ".tsv": lambda file, limit: _separated("\t", file),
    ".csv": lambda file, limit: _separated(",", file),
    ".jsonl": _json_lines,
    ".json": _json,
}
