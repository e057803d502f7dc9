"""What editors and type checkers know: the names of the front door, the options of a run, what builders return."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

import mediation as med
from mediation._front import _MOVED, shown_names
from mediation.analysis import _options as options
from mediation.rollouts import settings_from
from tests.source.house import PACKAGE, ROOT

# What the scripts of the README take for granted.
GIVEN = """
import pandas as pd
from PIL.Image import Image
df = pd.DataFrame()
questions: list[str] = []
images: list[Image] = []
"""


def _mypy(text: str, tmp_path: Path) -> list[str]:
    """Return what mypy --strict says of a script: ``line: text``."""
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(text, "utf-8")
    own = {**os.environ, "MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", "mypy", "--strict", "--hide-error-context", "--no-error-summary", str(script)]
    run = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert not run.stderr, run.stderr
    return [line.partition(".py:")[2] for line in run.stdout.splitlines() if line.startswith(str(script))]


@pytest.mark.slow
def test_the_script_of_the_readme_is_typed(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    assert any("med.mediate(" in block for block in blocks)
    assert _mypy(GIVEN + "\n".join(blocks), tmp_path) == []


@pytest.mark.slow
def test_options_and_sites_have_types(tmp_path: Path) -> None:
    text = """
        import mediation as med
        model, pairs = med.load("m"), med.Pairs(base=["a"], source=["b"])
        outcome = med.LogitDiff("answer", "foil")
        reveal_type(med.residual(12, at="last"))
        reveal_type(med.attention(9, head="each"))
        reveal_type(med.residual(at="each"))
        site = med.mlp(3)
        reveal_type(med.mediate(model, pairs, site, outcome, batch_size=8, out="runs", precision="bfloat16"))
        reveal_type(med.mediate(model, pairs, site, outcome, dry_run=True, calibrate=False))
        med.mediate(model, pairs, site, outcome, batchsize=8)
        med.ablate(model, pairs, med.Zero().at(site), outcome, padding_side="middle")
        med.controls(model, pairs, site, outcome, precision="bfloat16")
        med.plan_sweep(model, pairs, site, outcome, fan_out="no")
        med.Told
    """
    found = _mypy(textwrap.dedent(text), tmp_path)
    types = {
        5: "mediation.sites._site.Site",
        6: "mediation.sites._site.SiteSet",
        7: "mediation.sites._site.SiteSet",
        9: "mediation.results._effects.Effects",
        10: "SweepPlan",
    }
    for line, name in types.items():
        assert any(re.match(rf'{line}: note: Revealed type is ".*{re.escape(name)}"', one) for one in found), (
            line,
            found,
        )
    wrong = {int(one.partition(":")[0]) for one in found if ": error:" in one}
    assert wrong == {11, 12, 13, 14, 15}
    assert any('"batchsize"' in one and '"batch_size"' in one for one in found)


def test_every_option_is_checked() -> None:
    """Options are those of the typed table: each has a check here, or is one of the settings of decoding."""
    decoding = {"max_new_tokens", "sampling", "stop"}
    assert decoding <= settings_from.__annotations__.keys()
    assert options.QuestionOptions.__annotations__.keys() == options.CHECKS.keys() | decoding
    assert not options.CHECKS.keys() & decoding


@pytest.mark.parametrize("question", [med.mediate, med.ablate], ids=lambda one: one.__name__)
def test_choices_are_the_arguments_of_the_question(question: object) -> None:
    """A question has one signature with its defaults; what its overloads show must be the same names."""
    choices = options.MediateChoices if question is med.mediate else options.AblateChoices
    own = question.__wrapped__.__kwdefaults__.keys() - {"dry_run"}  # type: ignore[attr-defined]
    assert choices.__annotations__.keys() - options.QuestionOptions.__annotations__.keys() == own


def test_the_front_door_is_small_and_whole() -> None:
    shown = shown_names(PACKAGE / "__init__.pyi")
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file() and path.name[0] != "_"}
    assert packages - {"demo"} <= {name for name, home in shown.items() if not home}
    assert len([name for name, home in shown.items() if home]) <= 60
    assert dir(med) == sorted([*shown, "__version__"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, home in shown.items():
            value = getattr(med, name)
            assert value is (getattr(importlib.import_module(f"mediation.{home}"), name) if home else value)


@pytest.mark.parametrize("name", [name for names in _MOVED.values() for name in names.split()])
def test_an_old_name_says_where_it_is_now(name: str) -> None:
    home = next(home for home, names in _MOVED.items() if name in names.split())
    with pytest.warns(
        DeprecationWarning, match=rf"mediation\.{name} is now mediation\.{home}\.{name}; .* 0\.3"
    ) as seen:
        old = getattr(med, name)
    assert seen[0].filename == __file__
    assert old is getattr(importlib.import_module(f"mediation.{home}"), name)
    assert name not in dir(med)


def test_old_names_of_rewrites() -> None:
    with pytest.warns(DeprecationWarning, match=r"interventions\.Blank is now mediation\.rewrites\.Blank"):
        from mediation.interventions import Blank
    assert Blank is med.rewrites.Blank
    with pytest.raises(AttributeError, match="no attribute 'Blink'"):
        med.interventions.Blink  # noqa: B018
