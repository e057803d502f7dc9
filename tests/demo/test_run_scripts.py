"""`mediation demo lvr` and `capimagine` run the scripts of the repository, with the arguments that were given."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

import mediation as med
from mediation.cli import app
from mediation.demo import _scripts as module, run_scripts, scripts_of


@pytest.mark.parametrize("example", ["lvr", "capimagine"])
def test_scripts_are_found_in_order(example):
    names = [script.name for script in scripts_of(example)]
    assert len(names) >= 3
    assert names == sorted(names)
    assert all(name[0].isdigit() for name in names)


def test_every_script_runs_with_the_arguments(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "examples" / "lvr"
    folder.mkdir(parents=True)
    for number in (2, 1):
        (folder / f"0{number}_script.py").write_text(
            "import sys\nif __name__ == '__main__':\n    print(sys.argv[1:])\n"
        )
    monkeypatch.setattr(module, "checkout", lambda: tmp_path)
    before = list(sys.argv)
    run_scripts("lvr", ["--n", "3"], say=print)
    said = capsys.readouterr().out
    assert said.count("['--n', '3']") == 2
    assert said.index("01_script.py") < said.index("02_script.py")
    assert sys.argv == before


def test_the_command_line_passes_its_options_on(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("mediation.demo.run_scripts", lambda what, given, say: seen.append((what, given)))
    result = CliRunner().invoke(app, ["demo", "capimagine", "--n", "12", "--model", "mirage", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert seen == [("capimagine", ["--out", str(tmp_path), "--seed", "0", "--n", "12", "--model", "mirage"])]


def test_an_unknown_demo_is_refused_with_the_nearest_name():
    result = CliRunner().invoke(app, ["demo", "capimagin"])
    assert result.exit_code == 1
    assert "capimagine" in result.output


def test_missing_scripts_are_said_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(med.errors.BackendError, match="checkout"):
        scripts_of("lvr")


@pytest.mark.parametrize(
    "project", [None, '[project]\nname = "other"', "project = 3", "[", '[tool]\nname = "mediation"']
)
def test_scripts_beside_an_installed_copy_are_not_run(tmp_path, monkeypatch, project):
    (tmp_path / "examples" / "lvr").mkdir(parents=True)
    (tmp_path / "examples" / "lvr" / "01_planted.py").write_text("raise SystemExit(9)")
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "mediation" / "demo" / "_scripts.py"))
    with pytest.raises(med.errors.BackendError, match="checkout"):
        scripts_of("lvr")


@pytest.mark.parametrize("where", [".", "below/deep"])
def test_scripts_of_the_working_directory_and_above_are_not_run(tmp_path, monkeypatch, where):
    (tmp_path / "examples" / "lvr").mkdir(parents=True)
    (tmp_path / "examples" / "lvr" / "0_planted.py").write_text("raise SystemExit(9)")
    (tmp_path / where).mkdir(parents=True, exist_ok=True)
    before = scripts_of("lvr")
    monkeypatch.chdir(tmp_path / where)
    assert scripts_of("lvr") == before
    assert all(tmp_path not in script.parents for script in before)
