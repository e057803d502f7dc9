"""A progress bar that can be replaced or silenced."""

from __future__ import annotations

import sys
from typing import Protocol, final

from .._checks import shown
from .._printable import printable
from ..errors import DesignError


class Progress(Protocol):
    """What the engine tells of its way."""

    def start(self, total: int, what: str) -> None:
        """Begin `total` steps."""

    def advance(self, n: int) -> None:
        """Say that `n` more steps are done."""

    def close(self) -> None:
        """Say that all is done."""


@final
class Silent:
    """Says nothing."""

    __slots__ = ()

    def start(self, total: int, what: str) -> None:
        """Begin `total` steps."""

    def advance(self, n: int) -> None:
        """Say that `n` more steps are done."""

    def close(self) -> None:
        """Say that all is done."""


@final
class Bar:
    """A tqdm bar on standard error, with the time that is left."""

    __slots__ = ("_bar",)

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(total=0, unit="run", dynamic_ncols=True, leave=True, smoothing=0.05)

    def start(self, total: int, what: str) -> None:
        """Begin `total` steps."""
        self._bar.reset(total=total)
        self._bar.set_description(printable(what, one_line=True))

    def advance(self, n: int) -> None:
        """Say that `n` more steps are done."""
        self._bar.update(n)

    def close(self) -> None:
        """Say that all is done."""
        self._bar.close()


def progress_for(asked: bool | Progress | None) -> Progress:
    """Return the progress asked for: True, False, an object of one's own, or None (a bar on a terminal)."""
    if asked is None:
        asked = sys.stderr.isatty()
    if isinstance(asked, bool):
        return Bar() if asked else Silent()
    if not all(callable(getattr(asked, name, None)) for name in ("start", "advance", "close")):
        raise DesignError(
            f"progress = {shown(asked)}: True (a bar), False (none), None (a bar on a terminal), or an object with "
            "start, advance and close is needed."
        )
    return asked
