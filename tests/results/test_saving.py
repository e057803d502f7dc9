"""Three files are saved together or not at all, and are on the disk before they have their names."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mediation.results import read
from mediation.results.files import _io
from tests.results.results_factory import make_effects

NAMES = ("x.json", "x.parquet", "x.units.parquet")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def saved(tmp_path):
    make_effects(n=20, n_clusters=10).save(tmp_path / "x")
    assert sorted(files(tmp_path)) == list(NAMES)
    return tmp_path


class Failing:
    """A `Path.replace` that fails at one of its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.calls, self.at, self.whole = 0, at, Path.replace
        monkeypatch.setattr(Path, "replace", lambda source, target: self(source, target))

    def __call__(self, source: Path, target: Path) -> Path:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(errno.EIO, "Input/output error")
        return self.whole(source, target)


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_cannot_be_renamed_leaves_the_old_three(saved, monkeypatch, at, links):
    before = files(saved)
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    failing = Failing(monkeypatch, at)
    with pytest.raises(OSError, match="Input/output error"):
        make_effects(n=20, n_clusters=10, seed=3).save(saved / "x")
    assert failing.calls >= at
    assert files(saved) == before
    assert read(saved / "x") == make_effects(n=20, n_clusters=10)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_where_there_was_nothing_nothing_is_left(tmp_path, monkeypatch, at):
    Failing(monkeypatch, at)
    with pytest.raises(OSError, match="Input/output error"):
        make_effects(n=20, n_clusters=10).save(tmp_path / "x")
    assert files(tmp_path) == {}


def test_files_are_on_the_disk_before_any_has_its_name(saved, monkeypatch):
    events: list[str] = []
    sync, rename = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        sync(descriptor)
        size = os.fstat(descriptor).st_size
        events.append("sync" if size else "sync of nothing")

    def renamed(source: Path, target: Path) -> Path:
        events.append("rename")
        return rename(source, target)

    monkeypatch.setattr(_io.os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    make_effects(n=20, n_clusters=10, seed=3).save(saved / "x")
    assert events == ["sync"] * 3 + ["rename"] * 3
    assert sorted(files(saved)) == list(NAMES)
    assert read(saved / "x") == make_effects(n=20, n_clusters=10, seed=3)


def test_a_reader_that_holds_the_old_file_keeps_it(saved):
    with (saved / "x.parquet").open("rb") as handle:
        before = (saved / "x.parquet").read_bytes()
        make_effects(n=40, n_clusters=10, seed=3).save(saved / "x")
        assert handle.read() == before
