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
    monkeypatch.chdir(tmp_path)
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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    with pytest.raises(med.BackendError, match="checkout"):
        scripts_of("lvr")
