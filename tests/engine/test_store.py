"""The folder of a stored run: what a kill, a full disk, a second process or a damaged file can do to it."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mediation as med
from mediation.engine.checkpoint import _store
from mediation.engine.checkpoint._store import PIECES, STUDY, Store, folder_from

IDENTITY = {"format": _store.IDENTITY_VERSION, "seed": 1, "worlds": ["a", "b"]}
PIECES_OF = {f"piece {i}": {"rows": [[i, 0, 0], [i, 1, 0]], "values": [i + 0.1, -(i**0.5)]} for i in range(4)}


def opened(folder: Path, **given: Any) -> Store:
    return Store(folder, {**IDENTITY, **given}, split={"tokens": 8}, machine={"threads": "1"})


def held(folder: Path) -> dict[str, list[float]]:
    with opened(folder) as store:
        return {name: found["values"].tolist() for name in PIECES_OF if (found := store.get(name)) is not None}


EXPECTED = {name: piece["values"] for name, piece in PIECES_OF.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all pieces."""
    with opened(tmp_path / "run") as store:
        for name, piece in PIECES_OF.items():
            store.put(name, piece)
    return tmp_path / "run"


def test_values_come_back_to_the_bit(folder):
    assert held(folder) == EXPECTED
    odd = [np.nextafter(1, 2), 5e-324, -0.0, 1e308, 1 / 3]
    with opened(folder) as store:
        store.put("odd", {"rows": [[0, 0, 0]] * 5, "values": odd})
    with opened(folder) as store:
        found = store.get("odd")
        assert found is not None
        assert found["values"].tobytes() == np.array(odd).tobytes()


def test_a_log_cut_anywhere_keeps_the_pieces_before_the_cut(folder):
    whole = (folder / PIECES).read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        (folder / PIECES).write_bytes(whole[:cut])
        n = sum(end <= cut for end in ends)
        assert held(folder) == dict(list(EXPECTED.items())[:n])
        assert len((folder / PIECES).read_bytes()) == (ends[n - 1] if n else 0)


def test_appending_after_a_cut_gives_whole_lines(folder):
    whole = (folder / PIECES).read_bytes()
    (folder / PIECES).write_bytes(whole[:-7])
    with opened(folder) as store:
        store.put("piece 3", PIECES_OF["piece 3"])
    assert (folder / PIECES).read_bytes() == whole


def test_a_changed_byte_is_never_read_as_a_number(folder):
    whole = (folder / PIECES).read_bytes()
    rng = np.random.default_rng(0)
    for where in rng.choice(len(whole), 60, replace=False):
        damaged = bytearray(whole)
        damaged[where] ^= int(rng.integers(1, 256))
        (folder / PIECES).write_bytes(bytes(damaged))
        found = held(folder)
        assert 2 <= len(found) <= 4
        assert all(EXPECTED[name] == values for name, values in found.items())


def test_damaged_lines_are_counted(folder):
    lines = (folder / PIECES).read_bytes().splitlines(keepends=True)
    (folder / PIECES).write_bytes(lines[0] + b"x" + lines[1][1:] + lines[2] + b"\0" * 40)
    with opened(folder) as store:
        assert (store.damaged, "piece 1" in store, "piece 2" in store) == (1, False, True)


def test_a_second_process_is_refused_while_the_first_runs(folder):
    with opened(folder), pytest.raises(med.errors.BackendError, match="in use by another run"):
        opened(folder)
    assert held(folder) == EXPECTED


def test_the_lock_ends_with_its_process(folder):
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.engine.test_store import opened; "
        "opened(Path(sys.argv[1])); print('there', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (-9, "there\n"), run.stderr
    assert held(folder) == EXPECTED


class FullDisk:
    """An `os.write` that writes some bytes and then finds the disk full."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, handle: int, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        some = min(self.room, len(data))
        self.room -= some
        return REAL_WRITE(handle, data[:some])


REAL_WRITE = os.write


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_full_disk_loses_nothing(folder, monkeypatch, room):
    before = (folder / PIECES).read_bytes()
    with opened(folder) as store:
        monkeypatch.setattr(_store.os, "write", FullDisk(room))
        with pytest.raises(
            med.errors.BackendError, match=r"No space left on device.*4 finished pieces that it holds stay"
        ):
            store.put("more", {"rows": [[9, 9, 9]] * 20, "values": [0.5] * 20})
        monkeypatch.undo()
        assert (folder / PIECES).read_bytes() == before
        store.put("more", {"rows": [[9, 9, 9]], "values": [0.5]})  # there is room again
    assert held(folder) == EXPECTED


@pytest.fixture
def largest() -> Iterator[Any]:
    """A limit of the system on the size of files, for as long as the test runs."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_of_the_system_loses_nothing(folder, largest):
    before = (folder / PIECES).read_bytes()
    with opened(folder) as store:
        largest(len(before) + 30)
        with pytest.raises(med.errors.BackendError, match="File too large"):
            store.put("more", {"rows": [[9, 9, 9]] * 20, "values": [0.5] * 20})
    assert (folder / PIECES).read_bytes() == before
    assert held(folder) == EXPECTED


def fill(store: Store) -> int:
    """Put pieces until the disk is full, and return how many."""
    for n in range(10_000):
        try:
            store.put(f"piece {n}", {"rows": [[n, 0, 0]] * 20, "values": [0.5] * 20})
        except med.errors.BackendError as error:
            if "No space left on device" in str(error):
                return n
            raise
    raise AssertionError("the disk was never full")


def test_a_real_full_disk_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with opened(disk / "run") as store:
            n = fill(store)
        assert n > 20
        with opened(disk / "run") as store:
            assert all(f"piece {i}" in store for i in range(n))
            assert f"piece {n}" not in store
        with pytest.raises(med.errors.BackendError, match=r"are free\. Make room"):
            Store(disk / "run", IDENTITY, split={}, machine={}, values=10_000)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_written_is_told_before(tmp_path, monkeypatch):
    monkeypatch.setattr(_store.os, "access", lambda *_: False)
    with pytest.raises(med.errors.BackendError, match=r"nothing can be written to .*was not changed"):
        folder_from(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(os.name != "posix", reason="a folder that nobody can write to")
def test_a_read_only_folder_loses_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    folder.chmod(0o500)
    for path in folder.iterdir():
        path.chmod(0o400)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(med.errors.BackendError, match="Permission denied"):
            opened(folder)
    finally:
        folder.chmod(0o700)
        for path in folder.iterdir():
            path.chmod(0o600)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_no_room_for_the_run_is_told_before(tmp_path, monkeypatch):
    monkeypatch.setattr(_store.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(med.errors.BackendError, match=r"takes about 0.4 MB there, and 0.0 MB are free"):
        Store(tmp_path / "run", IDENTITY, split={}, machine={}, values=10_000)


def test_another_study_is_refused_with_the_first_field_that_differs(folder):
    with pytest.raises(med.errors.DesignError, match=r"seed \(asked 2, stored 1\) differs. The seed is rng="):
        opened(folder, seed=2)
    with pytest.raises(med.errors.DesignError, match=r"worlds \(world 1: asked 'c', stored 'b'\) differs"):
        opened(folder, worlds=["a", "c"])
    with pytest.raises(med.errors.DesignError, match=r"world 2 of 3 asked and 2 stored: asked 'c', stored none"):
        opened(folder, worlds=["a", "b", "c"])
    stored = json.loads((folder / STUDY).read_text())
    stored["identity"]["format"] = 0
    stored["digest"] = _store.digest_of(stored["identity"])
    (folder / STUDY).write_text(json.dumps(stored))
    with pytest.raises(med.errors.DesignError, match="written by another version of mediation"):
        opened(folder)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"identity": {}, "split": {}, "machine": {}, "digest": "x"}'])
def test_an_account_that_is_none_is_refused_and_left_alone(folder, text):
    (folder / STUDY).write_text(text)
    log = (folder / PIECES).read_bytes()
    with pytest.raises(med.errors.DataError, match="Restore it"):
        opened(folder)
    assert ((folder / STUDY).read_text(), (folder / PIECES).read_bytes()) == (text, log)


def test_pieces_without_an_account_are_refused(folder):
    (folder / STUDY).unlink()
    with pytest.raises(med.errors.DataError, match="cannot be told of which study"):
        opened(folder)


def test_what_a_kill_left_of_an_account_is_removed(folder):
    (folder / f"{STUDY}.123.tmp").write_text("{")
    assert held(folder) == EXPECTED
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("out", [3, "", b"x", ["a"], True])
def test_a_folder_is_a_path(out):
    with pytest.raises(med.errors.DesignError, match="the path of a folder is needed"):
        folder_from(out)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(med.errors.DesignError, match="is a file"):
        folder_from(tmp_path / "file")
