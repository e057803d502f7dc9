"""The command line: every error is one line on standard error, with an exit code that is not 0 and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

import mediation as med
from mediation import cli

FRAME = pd.DataFrame({"y00": [0.1, 0.0, 0.3, 0.2], "y01": [0.6, 0.7, 1.1, 0.8], "y11": [1.0, 1.3, 1.4, 1.2]})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    med.effects(FRAME, rng=0, n_resamples=99).save(folder / "run")
    return folder


def line(*argv: object) -> Result:
    return CliRunner().invoke(cli.app, [str(one) for one in argv])


def plainly(*argv: object) -> str:
    found = line(*argv)
    assert found.exit_code not in (0, None)
    assert isinstance(found.exception, SystemExit), found.exception
    assert found.stderr.endswith("\n")
    assert found.stderr.count("\n") == 1
    assert "Traceback" not in found.output
    return found.stderr


def test_the_version():
    found = line("--version")
    assert (found.exit_code, found.stdout) == (0, f"mediation {version('mediation')}\n")


def test_what_is_right_still_works(saved, tmp_path):
    assert "PNIE" in line("show", saved / "run.parquet").stdout
    assert line("show", saved / "run", "--tidy").stdout.startswith("estimand,site,estimate")
    assert line("plot", saved / "run", "--out", tmp_path / "a.PNG").exit_code == 0
    assert (tmp_path / "a.PNG").read_bytes()[1:4] == b"PNG"
    assert line().exit_code == 2
    assert "Usage" in line("--help").output


@pytest.mark.parametrize("name", ["y.zzz", "y", "y.docx", ".png", "y.", "y.png.zip"])
def test_an_unknown_suffix_of_a_picture(saved, tmp_path, name):
    assert "no format of pictures" in plainly("plot", saved / "run", "--out", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(saved, tmp_path, monkeypatch):
    assert "No such file or directory" in plainly("plot", saved / "run", "--out", tmp_path / "no" / "y.png")
    (tmp_path / "folder.png").mkdir()
    assert "Is a directory" in plainly("plot", saved / "run", "--out", tmp_path / "folder.png")
    assert "exists" in plainly("demo", "--out", saved / "run.parquet")
    assert "exists" in plainly("demo", "lvr", "--out", saved / "run.json")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "Nothing can be written there" in plainly("demo", "--out", tmp_path / "out")


@pytest.mark.parametrize("n", ["0", "-3", "abc", "1e3", "nan", "9" * 30, ""])
def test_bad_counts(n, tmp_path):
    assert "--n" in plainly("demo", "lvr", "--n", n, "--out", tmp_path)
    assert "--n" in plainly("demo", "ioi", "--n", n, "--out", tmp_path)
    assert "--seed" in plainly("demo", "ioi", "--seed", n if n != "0" else "-1", "--out", tmp_path)


def test_words_that_are_not_known(saved):
    assert "heatmap" in plainly("plot", saved / "run", "--kind", "heat")
    assert "needs" in plainly("plot", saved / "run", "--kind", "decomposition")
    assert "No such option" in plainly("show", saved / "run", "--zzz")
    assert "No such command" in plainly("zzz")
    assert "capimagine" in plainly("demo", "capimagin")
    assert "path" in plainly("plot").lower()


@pytest.mark.parametrize("name", ["none", "none.parquet", ".", "", "run.csv", "x\0y", "y" * 300])
@pytest.mark.parametrize("command", ["show", "plot"])
def test_files_that_are_not_there(saved, command, name):
    plainly(command, saved / name if name not in (".", "") else name)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 1, "Out of memory"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "Permission denied: a/b"),
        (OSError("odd"), 1, "odd"),
        (med.errors.DataError("two\nlines \x1b[31m"), 1, r"DataError: two lines \x1b[31m"),
    ],
    ids=repr,
)
def test_what_goes_wrong_inside_a_command(saved, monkeypatch, error, code, words):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("mediation.results.read", fail)
    assert words in plainly("show", saved / "run")
    assert line("show", saved / "run").exit_code == code


def test_a_mistake_of_the_package_keeps_its_traceback(saved, monkeypatch):
    monkeypatch.setattr("mediation.results.read", lambda _: None)
    assert isinstance(line("show", saved / "run").exception, AttributeError)


def test_escapes_in_names_are_shown(saved, tmp_path):
    med.effects(FRAME.assign(unit=range(4), site="a\x1b[31m\rb"), rng=0, n_resamples=99).save(tmp_path / "run")
    for options in ((), ("--tidy",)):
        found = line("show", tmp_path / "run", *options).stdout
        assert "\x1b" not in found
        assert "\r" not in found
        assert "a\\x1b[31m\\rb" in found


def test_a_reader_that_closes_the_pipe(saved):
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "mediation", "show", str(saved / "run"), "--tidy"]
    run = subprocess.run(argv, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert run.returncode == 1
    assert run.stderr == "Stopped: the reader of the output has closed it.\n"


def test_an_encoding_that_lacks_a_letter_is_no_reason_to_fail(saved, tmp_path):
    med.effects(FRAME.assign(unit=range(4), site="東京"), rng=0, n_resamples=99).save(tmp_path / "run")
    argv = [sys.executable, "-m", "mediation", "show", str(tmp_path / "run"), "--tidy"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "\\u6771" in run.stdout


def test_advice_names_no_package_of_others_on_the_index():
    root = Path(__file__).resolve().parents[2]
    texts = [*(root / "mediation").rglob("*.py"), *(root / "docs").glob("*.md"), root / "README.md"]
    wrong = [one for one in texts if "mediation[" in one.read_text("utf-8") and one.name != "CHANGELOG.md"]
    assert wrong == []
