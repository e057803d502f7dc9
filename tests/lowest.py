"""Print the lowest version of everything that pyproject.toml names, as constraints for pip: ``make lowest``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(requirement: str) -> str:
    """Return ``name==version`` of a requirement that is written ``name>=version``."""
    found = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)
    if found is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} is not written as name>=version")
    return f"{found[1]}=={found[2]}"


def main(*instead: str) -> None:
    """Print a line for each dependency, those of `instead` (``name==version``) in place of the lowest."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = [
        *project["project"]["dependencies"],
        *(one for name, some in extras.items() if name != "bench" for one in some),
    ]
    given = {one.split("==")[0]: one for one in instead}
    pins = {one.split("==")[0]: one for one in map(lowest, [*asked, *project["dependency-groups"]["test"]])}
    print("\n".join(sorted({**pins, **given}.values())))


if __name__ == "__main__":
    main(*sys.argv[1:])
