"""What pyproject.toml promises: ranges that the tested versions lie in, and a README that reads on an index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.lowest import lowest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED = [
    *PROJECT["project"]["dependencies"],
    *(one for name, some in PROJECT["project"]["optional-dependencies"].items() if name != "bench" for one in some),
    *PROJECT["dependency-groups"]["test"],
]


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pins.items()}


@pytest.mark.parametrize("asked", ASKED)
def test_the_tested_version_lies_in_the_range_and_above_its_end(asked):
    requirement = Requirement(asked)
    assert requirement.specifier.contains(pinned()[requirement.name])
    assert requirement.specifier.contains(lowest(asked).split("==")[1])


def test_lowest_wants_a_range_that_begins_somewhere():
    assert lowest("pandas>=3") == "pandas==3"
    with pytest.raises(SystemExit, match="name>=version"):
        lowest("pandas")


def test_links_of_the_readme_get_an_address():
    rules = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    text = (ROOT / "README.md").read_text()
    relative = re.findall(r"\]\((?!https?:|#)(.+?)\)", text)
    assert relative, "nothing to test"
    assert all((ROOT / path).exists() for path in relative)
    for rule in rules:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert not re.findall(r"\]\((?!https?:|#)(.+?)\)", text)
    home = PROJECT["project"]["urls"]["Homepage"]
    assert f"]({home}/blob/main/CHANGELOG.md)" in text
    assert "![Heat map" in text
    assert re.search(r"!\[.*\]\(https://raw[^)]*heatmap.png\)", text)
