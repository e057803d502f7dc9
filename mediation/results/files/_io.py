"""Saving and reading: two parquet files and one JSON file, bound together by their digests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..._checks import called, check_local, path_from
from ..._reading import check_bytes, json_from, reading, too_large
from ...errors import DataError, DesignError
from .._result import Result
from ..kinds import kind_stated
from ._older import renamed, renamed_account, upgraded
from ._schema import SCHEMA_VERSION

_FOREIGN = (
    ".csv",
    ".tsv",
    ".txt",
    ".feather",
    ".arrow",
    ".xlsx",
    ".h5",
    ".npz",
    ".pt",
    ".pkl",
    ".pickle",
    ".safetensors",
)
_RESTORE = "Restore it, or run the study again."
_TOGETHER = "The three files NAME.parquet, NAME.units.parquet and NAME.json belong together"


@final
@dataclass(frozen=True, slots=True)
class _Files:
    table: Path
    units: Path
    account: Path


def write(parts: Result, path: str | Path) -> Path:
    """Write `parts` beside each other and return the path of the table.

    Raises
    ------
    DesignError
        If `path` has the suffix of another format.
    DataError
        If a column of the units holds values that are not plain data.
    """
    files = _files(path)
    units, encoded = _encode(parts.units)
    table_bytes, units_bytes = _parquet(parts.table), _parquet(units)
    account = {
        "schema_version": SCHEMA_VERSION,
        "kind": parts.kind.name,
        "table": {"sha256": hashlib.sha256(table_bytes).hexdigest(), "rows": len(parts.table)},
        "units": {"sha256": hashlib.sha256(units_bytes).hexdigest(), "rows": len(units), "json_columns": encoded},
        "provenance": dict(parts.provenance),
    }
    text = json.dumps(account, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files.table.parent.mkdir(parents=True, exist_ok=True)
    _replace({files.table: table_bytes, files.units: units_bytes, files.account: text.encode()})
    return files.table


def read_parts(path: str | Path, max_bytes: int) -> Result:
    """Read the three files that `path` names any one of; the tables may take `max_bytes` each once unpacked.

    Raises
    ------
    DataError
        If a file is missing, does not match the digest that was saved with it, or was written by a newer version.
    """
    check_bytes(max_bytes, "read")
    files = _files(path)
    for part in (files.table, files.units, files.account):
        if not part.is_file():
            raise DataError(f"{part} is missing. {_TOGETHER}: put it back beside the others, or run the study again.")
    account = _account(files.account)
    table = _frame(files.table, account["table"], max_bytes)
    units = _frame(files.units, account["units"], max_bytes)
    with reading(f"{files.units}", _RESTORE):
        for name in account["units"].get("json_columns", []):
            values = [_decoded(json_from(text)) for text in units[name]]
            units[name] = pd.Series(values, index=units.index, dtype="object")
    version, known = account["schema_version"], account["provenance"]
    table, units, known = upgraded(table, version), renamed(units, version), renamed_account(known, version)
    return Result(kind_stated(account["kind"], list(map(str, table.columns))), table, units, known)


def _files(path: str | Path) -> _Files:
    check_local(path, "path")
    path = path_from(path, what="path")
    name = path.name
    if not name or name in {".", ".."}:
        raise DesignError(f"path = {str(path)!r} names no file; give one such as 'results/sweep.parquet'.")
    for suffix in (".units.parquet", ".parquet", ".json"):
        if name.endswith(suffix) and name != suffix:
            name = name.removesuffix(suffix)
            break
    else:
        if path.suffix.lower() in _FOREIGN:
            raise DesignError(
                f"path = {str(path)!r}: results are kept as parquet and JSON, found {path.suffix!r}. "
                f"Nearest: {str(path.with_suffix('.parquet'))!r}; for another format write effects.tidy() with pandas."
            )
    folder = path.parent
    return _Files(folder / f"{name}.parquet", folder / f"{name}.units.parquet", folder / f"{name}.json")


def _parquet(frame: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Write every file under a temporary name, then rename all: no reader ever sees half a file.

    Where a file cannot be renamed, those before it are put back: the files stay as they were, all of them.
    """
    mark = uuid.uuid4().hex[:12]
    temporary, kept = (
        {target: target.with_name(f"{target.name}.{mark}.{end}") for target in contents} for end in ("tmp", "old")
    )
    try:
        for target, raw in contents.items():
            with temporary[target].open("wb") as handle:
                handle.write(raw)
                handle.flush()
                os.fsync(handle.fileno())
        for target, source in kept.items():
            if target.exists():
                _link(target, source)
        _rename(temporary, kept)
    finally:
        for source in (*temporary.values(), *kept.values()):
            source.unlink(missing_ok=True)


def _link(target: Path, kept: Path) -> None:
    """Give a file a second name, or a copy where the file system has no links."""
    try:
        kept.hardlink_to(target)
    except (OSError, NotImplementedError):
        shutil.copy2(target, kept)


def _rename(temporary: Mapping[Path, Path], kept: Mapping[Path, Path]) -> None:
    done: list[Path] = []
    try:
        for target, source in temporary.items():
            source.replace(target)
            done.append(target)
    except OSError:
        for target in done:
            if kept[target].exists():
                kept[target].replace(target)
            else:
                target.unlink()
        raise


def _account(path: Path) -> dict[str, Any]:
    try:
        account = json_from(path.read_bytes(), finite=True)
        version = account["schema_version"]
        newer = version > SCHEMA_VERSION
    except (OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise DataError(f"{path} is not the JSON file of a saved result ({error}). {_RESTORE}") from error
    if newer:
        raise DataError(
            f"{path} was written with schema version {version}; this mediation reads up to {SCHEMA_VERSION}. "
            "Upgrade mediation to read it."
        )
    wanted = ("kind", "table", "units", "provenance")
    missing = [key for key in wanted if key not in account]
    if missing or not all(isinstance(account[key], dict) and "sha256" in account[key] for key in wanted[1:3]):
        raise DataError(
            f"{path} lacks {missing or 'a digest'}; it was changed by hand or cut short. Restore it, or run again."
        )
    if not isinstance(account["provenance"], dict):
        raise DataError(f"{path}: provenance is {called(account['provenance'])}; an object is needed. {_RESTORE}")
    result: dict[str, Any] = account
    return result


def _frame(path: Path, entry: Mapping[str, Any], max_bytes: int) -> pd.DataFrame:
    with reading(f"{path}", _RESTORE):
        raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
        raise DataError(
            f"{path} is not the file that was saved: its digest differs from the one in the JSON file. {_TOGETHER}: "
            "one of them was changed, damaged, or comes from another run. Restore all three, or run the study again."
        )
    with reading(f"{path}", _RESTORE):
        frame = _unpacked(path, raw, max_bytes)
    if len(frame) != entry.get("rows", len(frame)):
        raise DataError(f"{path} has {len(frame)} rows, and {entry['rows']} were saved. {_RESTORE}")
    return frame


def _unpacked(path: Path, raw: bytes, max_bytes: int) -> pd.DataFrame:
    """Return a table; a text that every row repeats is stored once, so its size is known before it is unpacked."""
    account = pq.ParquetFile(pa.BufferReader(raw))
    columns = account.schema_arrow
    if (least := account.metadata.num_rows * 8 * len(columns)) > max_bytes:
        raise too_large(str(path), least, max_bytes)
    texts = [field.name for field in columns if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    for field in columns:  # what `write` makes; lists and bytes could unpack to anything
        plain = (pa.types.is_primitive, pa.types.is_dictionary, pa.types.is_decimal, pa.types.is_null)
        if field.name not in texts and not any(fits(field.type) for fits in plain):
            raise DataError(f"{path}: column {field.name!r} is {field.type}; no saved result has one. {_RESTORE}")
    packed = pq.read_table(pa.BufferReader(raw), read_dictionary=texts)
    size = packed.nbytes
    for column in (packed[name] for name in texts):
        for chunk in column.chunks:
            counts = np.bincount(chunk.indices.drop_null(), minlength=len(chunk.dictionary))
            size += int(counts @ np.asarray(pc.binary_length(chunk.dictionary).fill_null(0), dtype=np.int64))
    if size > max_bytes:
        raise too_large(str(path), size, max_bytes)
    frame: pd.DataFrame = packed.cast(columns).to_pandas()
    return frame


def _encode(units: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with columns of mixed objects (clusters that are tuples, say) written as JSON text."""
    names = [str(name) for name in units.columns if units[name].dtype == object]
    written = units.copy()
    for name in names:
        values = [json.dumps(_encoded(value, name)) for value in units[name]]
        written[name] = pd.Series(values, index=units.index, dtype="str")
    return written, names


def _encoded(value: Any, name: str) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [_encoded(item, name) for item in value]}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return {"float": value.hex()}
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise DataError(
        f"Column {name!r} of the units holds a {type(value).__name__}, found {value!r}; "
        "text, numbers or tuples of them can be saved. Convert it, with str(...) for one."
    )


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if "tuple" in value:
            return tuple(_decoded(item) for item in value["tuple"])
        return float.fromhex(value["float"])
    return value
