"""What a stored run has on the disk when: each piece as soon as it is put, the study under its name only when whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import mediation as med
from mediation.engine.checkpoint import _store
from mediation.engine.checkpoint._store import PIECES, STUDY, Store
from tests.engine.test_store import PIECES_OF, opened


@pytest.fixture
def events(monkeypatch):
    """Write, sync and rename, in the order in which they come, with the size of what was synced."""
    seen: list[tuple[str, int]] = []
    write, sync, rename = os.write, os.fsync, Path.replace

    def written(handle: int, data) -> int:
        count = write(handle, data)
        seen.append(("write", count))
        return count

    def synced(handle: int) -> None:
        sync(handle)
        seen.append(("sync", os.fstat(handle).st_size))

    def renamed(source: Path, target: Path) -> Path:
        seen.append((f"rename to {target.name}", source.stat().st_size))
        return rename(source, target)

    monkeypatch.setattr(_store.os, "write", written)
    monkeypatch.setattr(_store.os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return seen


def test_a_piece_is_synced_after_its_last_byte(tmp_path, events):
    with opened(tmp_path / "run") as store:
        for name, piece in PIECES_OF.items():
            events.clear()
            store.put(name, piece)
            assert [kind for kind, _ in events] == ["write", "sync"]
            assert events[-1][1] == (tmp_path / "run" / PIECES).stat().st_size


def test_the_study_has_its_name_once_it_is_whole_and_synced(tmp_path, events):
    with opened(tmp_path / "run"):
        size = (tmp_path / "run" / STUDY).stat().st_size
        assert [one for one in events if one[0] != "write"] == [("sync", size), (f"rename to {STUDY}", size)]


def test_a_study_that_cannot_be_renamed_leaves_none(tmp_path, monkeypatch):
    def fail(source: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(med.errors.BackendError, match="Input/output error"):
        opened(tmp_path / "run")
    assert not (tmp_path / "run" / STUDY).exists()
    assert not list((tmp_path / "run").glob("*.tmp"))
    monkeypatch.undo()
    with opened(tmp_path / "run") as store:
        assert isinstance(store, Store)
        assert not store.was_there
