"""Run the scripts of a worked example, as they stand in the checkout that this package is imported from."""

from __future__ import annotations

import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .._checks import one_of
from ..errors import BackendError

WORKED: Final = ("lvr", "capimagine")


def scripts_of(example: str) -> list[Path]:
    """Return the scripts of a worked example, in their order.

    Parameters
    ----------
    example
        ``"lvr"`` or ``"capimagine"``.

    Raises
    ------
    DesignError
        If there is no such example.
    BackendError
        If the scripts are not found: they are part of the repository, not of the installed package.

    Notes
    -----
    Only scripts of the checkout that this package is imported from are run, wherever the command is given: a folder of
    someone else may have an ``examples/lvr`` as well.
    """
    one_of(example, WORKED, what="demo")
    home = checkout()
    found = [] if home is None else sorted((home / "examples" / example).glob("[0-9]*.py"))
    if not found:
        raise BackendError(
            f"The scripts of the worked example {example!r} (examples/{example}/) are not beside this package, in "
            f"{Path(__file__).resolve().parents[1]}. They are part of the repository: clone it, and install "
            "the package from that checkout (pip install -e .)."
        )
    return found


def checkout() -> Path | None:
    """Return the checkout that this package is imported from, or None if it is an installed copy."""
    home = Path(__file__).resolve().parents[2]
    try:
        project = tomllib.loads((home / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    return home if isinstance(project, dict) and project.get("name") == "mediation" else None


def run_scripts(example: str, arguments: Sequence[str], say: Callable[[str], None] = print) -> None:
    """Run every script of a worked example with the same command-line arguments.

    Parameters
    ----------
    example
        ``"lvr"`` or ``"capimagine"``.
    arguments
        Such as ``["--n", "100", "--out", "demo-output"]``.
    say
        Told which script runs.

    Raises
    ------
    DesignError, BackendError
        As `scripts_of`, and what the scripts raise.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    for script in scripts_of(example):
        say(f"\n== examples/{example}/{script.name}")
        with _arguments([str(script), *arguments]):
            runpy.run_path(str(script), run_name="__main__")


@contextmanager
def _arguments(given: list[str]) -> Iterator[None]:
    kept = sys.argv
    sys.argv = given
    try:
        yield
    finally:
        sys.argv = kept
