"""Causal mediation analysis of neural networks: direct and indirect effects with intervals that hold.

The names that a script uses daily are here, and everything else is in its package (`mediation.estimands`,
`mediation.errors`, ...). Both are loaded when they are first used, so that ``import mediation`` itself is quick. The
list of names is ``__init__.pyi``.
"""

from __future__ import annotations

from pathlib import Path

from ._front import front_door

__getattr__, __dir__, __all__ = front_door(__name__, Path(__file__).with_suffix(".pyi"))
