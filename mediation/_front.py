"""The front door: what ``import mediation`` shows, loaded when it is first used.

The names stand once, in ``__init__.pyi``: type checkers and editors read it as it is, and `front_door` reads from it
which package has which name.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ._moved import moved

# What was at the front door in version 0.1.
_MOVED = {
    "errors": "AlignmentWarning BackendError BatchDependenceWarning DataError DegenerateWarning DesignError "
    "DominantUnitWarning DonorsWarning FewEffectiveWarning FewResamplesWarning FlaggedUnitsWarning InteractionWarning "
    "OtherMachineWarning OutcomeError PrecisionWarning SharedDrawsWarning SiteError UnusedWeightsWarning "
    "WeakTotalEffectWarning",
    "estimands": "AblationEffect ControlledDirectEffect InterventionalDirectEffect InterventionalIndirectEffect "
    "MediatedInteraction NaturalDirectEffect NaturalIndirectEffect OverallEffect PortionEliminated "
    "ProportionMediated ReferenceInteraction TotalEffect",
    "interventions": "Assignment FirstRepeat Identity Oracle RandomDirection Shorten ShuffleSteps Skip Then",
    "models": "Architecture reinitialised",
    "outcomes": "AnswerFlipped Cued Degenerate ThoughtLength Told judge",
    "results": "Power",
    "rewrites": "Blank RandomWords RepeatFirst ReplaceText ShuffleSentences ShuffleWords Truncate rewriter",
    "rollouts": "Trajectory",
    "sites": "InputSite ThoughtSite",
    "specs": "CAPIMAGINE LVR MIRAGE MONET Near",
}


def shown_names(stub: Path) -> dict[str, str]:
    """Return the names that a stub imports, and the module of each; a module itself has an empty one."""
    imports = [node for node in ast.parse(stub.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def front_door(package: str, stub: Path) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of `package`, whose names `stub` lists."""
    shown = shown_names(stub)
    elsewhere = moved(package, {f"{package}.{home}": names for home, names in _MOVED.items()}, level=3)

    def find(name: str) -> Any:
        if name == "__version__":
            return import_module("importlib.metadata").version(package)
        if name not in shown:
            return elsewhere(name)
        home = shown[name]
        value = getattr(import_module(f"{package}.{home}"), name) if home else import_module(f"{package}.{name}")
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted([*shown, "__version__"]), sorted(shown)
