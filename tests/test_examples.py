"""Every script of examples/ runs as it is, writes its picture where it makes one, and keeps to its form."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mediation.demo import TRAINED, worked

ROOT = Path(__file__).resolve().parents[1]
# examples/training holds the modules that train the small models, not examples.
SCRIPTS = [path for path in sorted((ROOT / "examples").rglob("[0-9]*.py")) if "training" not in path.parts]
NAMES = [str(script.relative_to(ROOT / "examples")) for script in SCRIPTS]
WORKED = {script for script in SCRIPTS if "worked(" in script.read_text()}  # on the weights of examples/models
SLOW = WORKED | {script for script in SCRIPTS if "find_model" in script.read_text()}  # real weights take a minute
RUNS = [
    pytest.param(script, id=name, marks=pytest.mark.slow if script in SLOW else ())
    for script, name in zip(SCRIPTS, NAMES, strict=True)
]


def _need_weights(*names):
    """Skip where the weights of small models are not in the checkout: all of TRAINED that think, unless named."""
    wanted = names or [name for name, spec in TRAINED.items() if spec is not None]
    missing = [name for name in wanted if not (ROOT / "examples" / "models" / name / "model.safetensors").is_file()]
    if missing:
        pytest.skip(f"examples/models has no weights of {', '.join(missing)}: train them there (make models)")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("script", RUNS)
def test_example_runs(script, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "picture.png"
    if script in WORKED:
        _need_weights()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), *([] if script in WORKED else [str(picture)])])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip(), "an example ends in a table"
    if script in WORKED:
        assert list(tmp_path.glob("*.csv")), "a worked example writes its tables"
    assert picture.exists() == ("savefig" in script.read_text())


@pytest.mark.parametrize(("name", "share"), [("necessary-written", 1.0), ("ignored-written", 0.0)])
def test_controls_come_out_as_they_were_built(name, share):
    _need_weights(name)
    case = worked(name, n=12, argv=[])
    effects = case.mediate(("te", "tnie", "pm"))
    units, table = effects.units, effects.tidy().set_index("estimand")
    through, total = units["y11"] - units["y10"], units["y11"] - units["y00"]
    assert (total > 0).all()  # the image matters in every unit
    np.testing.assert_array_equal(through, share * total)
    assert table.loc["pm", "estimate"] == share


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
