"""Rows of files: parquet, TSV, CSV, JSON lines, JSON, folders of them, and frames in memory."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

from .._checks import MOST_OF_64_BITS, called, named_once, positive_int, shown
from .._paths import check_local, path_from
from .._reading import check_bytes, json_from, reading, too_large
from ..errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Cells: TypeAlias = Mapping[str, Any]

_KINDS = (".parquet", ".tsv", ".jsonl", ".csv", ".json")
_LEAST_LIMIT, _LARGEST_RATIO = 2**30, 16  # bytes; images hardly shrink when they are packed, repeated ones do
_AT_ONCE, _ROW = 2**28, 2**8  # bytes of a batch, and of an empty row in Python

Keep: TypeAlias = Callable[[frozenset[str]], Collection[str]]


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


def records_of(
    source: str | os.PathLike[str] | pd.DataFrame,
    limit: int | None = None,
    *,
    keep: Keep | None = None,
    max_bytes: int | None = None,
) -> list[Record]:
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
    keep
        Which of the columns of parquet files are needed; called with all of them before any row is read.
    max_bytes
        What the needed columns of a parquet file may take in memory; None for 1 GiB, or 16 times the file if that is
        more.

    Raises
    ------
    DataError
        If there is nothing to read, a file is of another kind, broken or larger than `max_bytes`, or `limit` is no
        whole number from 1 on.
    """
    if max_bytes is not None:
        check_bytes(max_bytes, "read")
    if limit is not None:
        limit = positive_int(limit, what="read: limit", most=MOST_OF_64_BITS, error=DataError)
    if isinstance(source, (str, os.PathLike)):
        check_local(source, "read: path")
        files = _files(path_from(source, what="read: path", error=DataError))
        found = _records_of_files(files, limit, keep, max_bytes)
    elif called(source) == "DataFrame":
        named_once(source.columns, "read")
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
    mediation.errors.DataError: cyclic: [1] is no frame; read() makes one.
    """
    if called(frame) != "DataFrame":
        raise DataError(f"{asked}: {shown(frame)} is no frame; read() makes one.")
    named_once(frame.columns, asked)
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


def _records_of_files(
    files: Sequence[Path], limit: int | None, keep: Keep | None, max_bytes: int | None
) -> list[Record]:
    """Return the rows of files, as many as are asked for; of parquet files, only the columns that are needed."""
    if files[0].suffix.lower() != ".parquet":
        return list(islice((one for file in files for one in _records(file, _READERS[file.suffix.lower()])), limit))
    columns = [_parquet_columns(file) for file in files]
    all_columns = frozenset(name for names in columns for name in names)
    needed = all_columns if keep is None else keep(all_columns)
    found: list[Record] = []
    for file, names in zip(files, columns, strict=True):
        left = None if limit is None else limit - len(found)
        if left == 0:
            break
        reader = _Parquet([name for name in names if name in needed], left, max_bytes)
        found += islice(_records(file, reader), left)
    return found


def _records(file: Path, reader: Callable[[Path], Iterator[Any]]) -> Iterator[Record]:
    with _reading(file):
        for at, row in enumerate(reader(file)):
            if not isinstance(row, Mapping):
                raise DataError(f"read: row {at} of {file.name} is {called(row)}; an object with columns is needed.")
            yield Record(_cells(row), file, at)


def _reading(file: Path) -> AbstractContextManager[None]:
    return reading(f"read: {str(file)!r}", "Fetch it again, or restore it.")


def _cells(row: Mapping[Any, Any]) -> Cells:
    """Return a row with plain lists in the place of arrays of one axis, and without what is missing."""
    plain = {str(name): value.tolist() if getattr(value, "ndim", 0) == 1 else value for name, value in row.items()}
    return {name: None if is_missing(value) else value for name, value in plain.items()}


def _parquet_columns(file: Path) -> list[str]:
    import pyarrow.parquet as pq

    with _reading(file), pq.ParquetFile(file) as opened:
        names: list[str] = list(opened.schema_arrow.names)
        named_once(names, f"read: {file.name}")
        return names


@final
@dataclass(frozen=True, slots=True)
class _Parquet:
    """Reads some columns of a parquet file, and no more than is allowed of them: a value may be stored once for all."""

    columns: list[str]
    limit: int | None
    max_bytes: int | None

    def __call__(self, file: Path) -> Iterator[Any]:
        import pyarrow.parquet as pq

        most = self.max_bytes or max(_LEAST_LIMIT, _LARGEST_RATIO * file.stat().st_size)
        with pq.ParquetFile(file) as opened:
            account = opened.metadata
            rows = account.num_rows if self.limit is None else min(account.num_rows, self.limit)
            if rows * _ROW > most:
                raise too_large(f"read: {str(file)!r}", rows * _ROW, most)
            groups = [self._stored(account.row_group(at)) for at in range(account.num_row_groups)]
            if self.limit is None and sum(groups) > most:
                raise too_large(f"read: {str(file)!r}", sum(groups), most)
            # No value is longer than what is stored of its group.
            size, taken = max(1, min(rows, 64, _AT_ONCE // max([1, *groups]))), 0
            for batch in opened.iter_batches(batch_size=size, columns=self.columns):
                taken += batch.nbytes + _ROW * batch.num_rows
                if taken > most:
                    raise too_large(f"read: {str(file)!r}", taken, most)
                yield from batch.to_pylist()

    def _stored(self, group: Any) -> int:
        """Return how many bytes of a group are of the columns, unpacked, a repeated value counted once."""
        parts = (group.column(at) for at in range(group.num_columns))
        starts = tuple(f"{name}." for name in self.columns)
        return sum(one.total_uncompressed_size for one in parts if f"{one.path_in_schema}.".startswith(starts))


def _separated(separator: str, file: Path) -> Iterator[Any]:
    # A cell holds a whole image; the module's own bound is 128 KiB.
    csv.field_size_limit(2**31 - 1)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, delimiter=separator)
        named_once(rows.fieldnames or (), f"read: {file.name}")
        for at, row in enumerate(rows):
            if None in row or None in row.values():
                raise DataError(f"read: row {at} of {file.name} has not as many cells as the first line has columns.")
            yield {name: value if value else None for name, value in row.items()}


def _json_lines(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                try:
                    yield json_from(line)
                except ValueError as error:
                    raise DataError(f"read: line {number + 1} of {file.name} is no JSON ({error}).") from error


def _json(file: Path) -> Iterator[Any]:
    rows = json_from(file.read_bytes())
    if not isinstance(rows, list):
        raise DataError(f"read: {file.name} holds {called(rows)}; a list of objects is needed.")
    yield from rows


_READERS: Mapping[str, Callable[[Path], Iterator[Any]]] = {
    ".tsv": partial(_separated, "\t"),
    ".csv": partial(_separated, ","),
    ".jsonl": _json_lines,
    ".json": _json,
}
