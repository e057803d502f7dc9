"""How a question about thoughts is to be run, from its keyword arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ..engine import AbstractBackend, Progress
from ..rollouts import Settings
from ..specs import Spec


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ThoughtOptions:
    """How rollouts of a question are run.

    Attributes
    ----------
    spec
        Of the thoughts.
    settings
        Length, stop strings, sampling and batch size.
    backend, progress, checks
        As in `mediate`.
    """

    spec: Spec | None
    settings: Settings
    backend: AbstractBackend
    progress: Progress
    checks: int
