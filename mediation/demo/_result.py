"""What the demo found: its tables, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from ..results import Effects


@final
@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo found.

    Attributes
    ----------
    sweep
        Residual stream, every layer at every segment of the sentence.
    components
        Outputs of every attention and MLP, at the last token.
    effects
        The whole decomposition at the strongest component.
    ablation
        Ablations of that component.
    out
        Folder with tables, pictures and ``report.md``.
    """

    sweep: Effects
    components: Effects
    effects: Effects
    ablation: Effects
    out: Path
