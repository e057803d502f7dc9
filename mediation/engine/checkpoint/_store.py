"""A folder that keeps finished pieces of a run: an append-only log of checksummed lines, read without running code.

Three files: ``study.json`` says which study it is (written under another name, then renamed); ``pieces.jsonl`` has a
line for each finished piece, ``<checksum> <json>``; ``lock`` is held by the process that writes. A line that a kill cut
short has no end, or the wrong checksum, and is dropped: its piece is run again. Appending to one file needs no file per
piece, and loses no more than its last line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, final

import numpy as np
from numpy.typing import NDArray

from ..._checks import called, shown
from ..._paths import check_local, path_from
from ..._reading import json_from, reading
from ...errors import BackendError, DataError, DesignError
from ._identity import IDENTITY_VERSION, Identity, digest_of

STUDY, PIECES, LOCK = "study.json", "pieces.jsonl", "lock"
_CHECKSUM = 16
_BYTES_PER_VALUE = 40  # of a line: three numbers that name the row, and its value
_NOT_OURS = "The file was changed since it was written. Restore it, or give another folder."
_WHAT_NOW = "Ask the stored question to continue it, or give another folder for this one."


def folder_from(out: object) -> Path | None:
    """Return the folder that an argument `out` names, and None for None; the folder is made when the run begins.

    Raises
    ------
    DesignError
        If it is no path, or the path of a file.
    BackendError
        If nothing can be written there.
    """
    if out is None:
        return None
    if not isinstance(out, (str, os.PathLike)) or not os.fspath(out):
        found = shown(out) if isinstance(out, (str, int, float, bool)) else called(out)
        raise DesignError(f"out = {found}: the path of a folder is needed, such as 'runs/sweep'.")
    check_local(out, "out")
    folder = path_from(out, what="out")
    if folder.exists() and not folder.is_dir():
        raise DesignError(f"out = {str(folder)!r} is a file; the path of a folder is needed. Give another name.")
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise BackendError(
            f"out = {str(folder)!r}: nothing can be written to {there}. Give a folder of your own, or make that one "
            "writable. What is stored there was not changed."
        )
    return folder


@final
class Store:
    """Finished pieces of one study, in one folder; a context in which the folder belongs to this process.

    Parameters
    ----------
    folder
        Made if it is not there.
    identity
        Of the study that is asked.
    split
        How the machine at hand would split the run; the attribute holds how it was split when it began.
    machine
        What can change the last bits.
    values
        How many values the study has, to see whether the disk can hold them.

    Attributes
    ----------
    damaged
        Lines of the log that were not what had been written.
    was_there
        True if the folder held this study before.

    Raises
    ------
    DesignError
        If the folder holds another study: which field differs.
    DataError
        If it holds something else.
    BackendError
        If another process uses it, or it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        identity: Identity,
        *,
        split: Mapping[str, int],
        machine: Mapping[str, str],
        values: int = 0,
    ) -> None:
        self.folder, self.damaged = folder, 0
        self._held: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / LOCK).open("ab")
        except OSError as error:
            raise self._failed(error) from error
        try:
            _take(self._lock, folder)
            stored = self._study(identity, split, machine)
            self._key = digest_of(stored["identity"]).encode()
            self.split: dict[str, int] = stored["split"]
            self.machine: dict[str, str] = stored["machine"]
            self._log = os.open(folder / PIECES, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._end = self._read()
            _check_space(folder, _BYTES_PER_VALUE * values - self._end)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise self._failed(error) from error
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        log, self._log = getattr(self, "_log", -1), -1
        if log >= 0:
            os.close(log)
        self._lock.close()

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a finished piece: ``values`` and ``units`` are arrays."""
        return self._held.get(key)

    def put(self, key: str, piece: Mapping[str, Any]) -> None:
        """Append a finished piece; it is on the disk when this returns.

        Raises
        ------
        BackendError
            If it cannot be written. Pieces before it stay.
        """
        text = json.dumps({"piece": key, **piece}, separators=(",", ":")).encode()
        line = memoryview(self._checksum(text) + b" " + text + b"\n")
        try:
            left = line
            while left:
                left = left[os.write(self._log, left) :]
            os.fsync(self._log)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._log, self._end)
            raise self._failed(error) from error
        self._end += len(line)
        self._held[key] = _kept(dict(piece))

    def _read(self) -> int:
        """Read the log, cut what a kill has left of its last line, and return where it ends."""
        end = 0
        with (self.folder / PIECES).open("rb") as handle:
            for at, line in enumerate(handle):
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                mark, text = line[:_CHECKSUM], line[_CHECKSUM + 1 : -1]
                if mark != self._checksum(text):
                    self.damaged += 1
                    continue
                with reading(f"{self.folder / PIECES}: line {at + 1}", _NOT_OURS):
                    piece = json_from(text)
                    self._held[_text(piece.pop("piece"))] = _kept(piece)
        os.ftruncate(self._log, end)
        return end

    def _study(self, identity: Identity, split: Mapping[str, int], machine: Mapping[str, str]) -> dict[str, Any]:
        """Return the account of the stored study, made now if there is none."""
        path = self.folder / STUDY
        for left in self.folder.glob(f"{STUDY}.*.tmp"):
            left.unlink()
        self.was_there = path.exists()
        if self.was_there:
            account = _account(path, split)
            _check_same(identity, account["identity"], self.folder)
            return account
        if (self.folder / PIECES).exists():
            raise DataError(
                f"out = {str(self.folder)!r} holds {PIECES} and no {STUDY}, so it cannot be told of which study the "
                f"pieces are. Put {STUDY} back, or give another folder."
            )
        account = {
            "about": "a run of mediation that can be continued; see docs/resuming.md",
            "digest": digest_of(identity),
            "split": dict(split),
            "machine": dict(machine),
            "identity": identity,
        }
        _write(path, json.dumps(account, indent=1).encode())
        return account

    def _checksum(self, text: bytes) -> bytes:
        """Return the checksum of a line; that of a line of another study is another."""
        return hashlib.sha256(self._key + b" " + text).hexdigest()[:_CHECKSUM].encode()

    def _failed(self, error: OSError) -> BackendError:
        held = len(self._held)
        kept = f"The {held} finished piece{'' if held == 1 else 's'} that it holds stay" if held else "Nothing is lost"
        return BackendError(
            f"out = {str(self.folder)!r}: writing there failed ({error.strerror or error}). {kept}; make room or make "
            "it writable, and ask the same question again: it goes on from there."
        )


def _take(lock: IO[bytes], folder: Path) -> None:
    """Take the lock of a folder; the system lets go of it when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise BackendError(
            f"out = {str(folder)!r} is in use by another run, which is writing there now. Wait until it has ended, or "
            "give another folder."
        ) from None


def _write(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(raw)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _account(path: Path, asked: Mapping[str, int]) -> dict[str, Any]:
    try:
        account: dict[str, Any] = json_from(path.read_bytes())
        parts = [account[name] for name in ("identity", "split", "machine")]
        digest = account["digest"]
    except (ValueError, LookupError, TypeError, MemoryError) as error:
        raise DataError(
            f"{path} is not the account of a stored run ({error}). Restore it, or give another folder."
        ) from error
    split = account["split"]
    sizes = split.values() if isinstance(split, dict) and {*asked} <= {*split} else [None]
    if not all(type(size) is int and 0 < size < 2**63 for size in sizes):
        raise DataError(f"{path} was changed since it was written: split = {shown(split)}. {_NOT_OURS}")
    if not all(isinstance(part, dict) for part in parts) or digest_of(account["identity"]) != digest:
        raise DataError(f"{path} was changed since it was written. Restore it, or give another folder.")
    return account


def _check_same(asked: Identity, stored: Identity, folder: Path) -> None:
    if asked == stored:
        return
    where = f"out = {str(folder)!r}"
    if stored.get("format") != IDENTITY_VERSION:
        raise DesignError(
            f"{where} was written by another version of mediation (format {stored.get('format')}; this one writes "
            f"{IDENTITY_VERSION}). Continue it with that version, or give another folder."
        )
    then, now = ((one.get("numerics"), one.get("code of mediation")) for one in (stored, asked))
    if then != now:
        edited = "its code was edited since" if then[0] == now[0] else f"numerics {then[0]} then, {now[0]} now"
        raise DesignError(
            f"{where} was begun by another mediation ({edited}), whose numbers may differ: half of the values would be "
            "of one, half of the other. Continue it with that code, or give another folder."
        )
    differing = [name for name in {**asked, **stored} if asked.get(name) != stored.get(name)]
    first = _difference(differing[0], asked.get(differing[0]), stored.get(differing[0]))
    more = f" So do {', '.join(differing[1:4])}{' and more' if len(differing) > 4 else ''}." if differing[1:] else ""
    hint = " The seed is rng=; without it each call draws a fresh one." if "seed" in differing else ""
    raise DesignError(f"{where} holds another study: {first} differs.{more}{hint} {_WHAT_NOW}")


def _difference(name: str, asked: Any, stored: Any) -> str:
    """Return which field differs, with both values; of a list, its first entry that does."""
    if isinstance(asked, list) and isinstance(stored, list):
        pairs = zip(asked, stored, strict=False)
        index = next((i for i, (one, other) in enumerate(pairs) if one != other), min(len(asked), len(stored)))
        kind = "world" if name == "worlds" else "unit"
        one, other = (repr(some[index]) if index < len(some) else "none" for some in (asked, stored))
        counts = f" of {len(asked)} asked and {len(stored)} stored" if len(asked) != len(stored) else ""
        return f"{name} ({kind} {index}{counts}: asked {one}, stored {other})"
    return f"{name} (asked {asked!r}, stored {stored!r})"


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BackendError(
            f"out = {str(folder)!r}: what is left of the run takes about {needed / 2**20:.1f} MB there, and "
            f"{free / 2**20:.1f} MB are free. Make room, or give a folder on another disk. What is stored stays."
        )


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a piece is {shown(name)}")
    return name


def _kept(piece: dict[str, Any]) -> dict[str, Any]:
    """Return a piece as it is held in memory: as arrays, and without the rows where it has values."""
    if "values" in piece:
        values: NDArray[np.float64] = np.array(piece["values"], dtype=np.float64)
        if values.ndim != 1 or len(values) % max(1, len(piece["rows"])):
            raise ValueError(f"it has {len(piece['rows'])} rows and values of shape {values.shape}")
        return {"values": values, **{name: piece[name] for name in ("accounts",) if name in piece}}
    if "nothing_changes" in piece:
        return {"nothing_changes": np.array(piece["nothing_changes"], dtype=np.int32).reshape(-1, 2)}
    if "found" in piece:
        _ = float(piece["found"]["max_abs_difference"])
    return piece
