"""Every script of examples/ runs as it is, writes its picture where it makes one, and keeps to its form."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "examples").rglob("*.py"))
NAMES = [str(script.relative_to(ROOT / "examples")) for script in SCRIPTS]
RUNS = [
    pytest.param(script, id=name, marks=pytest.mark.slow if "find_model" in script.read_text() else ())
    for script, name in zip(SCRIPTS, NAMES, strict=True)
]  # real weights take a minute


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("script", RUNS)
def test_example_runs(script, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "picture.png"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), str(picture)])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip(), "an example ends in a table"
    assert picture.exists() == ("savefig" in script.read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_example_keeps_to_its_form(script):
    text = script.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) < 80
    docstring = ast.get_docstring(tree) or ""
    assert docstring.splitlines()[0].endswith((".", "?"))
    assert f"Usage: python examples/{script.relative_to(ROOT / 'examples')}" in docstring
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree)), "assert the headline number"


def test_docs_show_every_example():
    shown = (ROOT / "docs" / "examples.md").read_text()
    assert SCRIPTS
    assert [name for name in NAMES if f"../examples/{name}\n" not in shown] == []
