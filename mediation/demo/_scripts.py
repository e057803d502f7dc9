"""Run the scripts of a worked example, as they stand in the repository."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .._checks import one_of
from .._errors import BackendError

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
    """
    one_of(example, WORKED, what="demo")
    here = Path.cwd()
    for home in (here, *here.parents, Path(__file__).resolve().parents[2]):
        found = sorted((home / "examples" / example).glob("[0-9]*.py"))
        if found:
            return found
    raise BackendError(
        f"The scripts of the worked example {example!r} (examples/{example}/) are neither in {here} nor above it. They "
        "are part of the repository, not of the installed package: run this in a checkout of it."
    )


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
