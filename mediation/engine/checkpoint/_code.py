"""Which numbers this package computes: a version, and a digest of its own code."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from ...interventions import meaning

NUMERICS: Final = 1
"""Raised whenever the numbers of an unchanged study change; `tests/engine/test_numerics.py` says when that is."""

_SOURCES = (
    *("_seed.py", "_values.py", "_answers", "engine", "interventions", "models", "outcomes", "rewrites", "rollouts"),
    *("sites", "specs", "units"),
)


@cache
def package_code() -> str:
    """Return a digest of what the package's code computes where numbers go through it (sha256)."""
    package, state = Path(__file__).parents[2], hashlib.sha256()
    for name in _SOURCES:
        place = package / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if path.exists():
                state.update(f"|{path.relative_to(package).as_posix()}|".encode())
                state.update(meaning(path.read_text(encoding="utf-8")).encode())
    return state.hexdigest()[:16]
