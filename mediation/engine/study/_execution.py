"""How a study is run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, final

from ..backends import AbstractBackend

Side = Literal["left", "right"]
Layout = Literal["padded", "equal length", "alone"]  # which rows may share a pass


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How a study is run; nothing here changes a number.

    Parameters
    ----------
    backend
        What runs forward passes.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    padding_side
        Side on which causal models are padded.
    fan_out
        Let many layers share one growing pass, in decoders where that is known to be exact.
    checks
        How many cells are recomputed by the naive path.
    out
        Folder that keeps finished pieces, so that a run can be continued; None keeps nothing.
    precision
        Type in which passes are run, on a copy of the model: "bfloat16"; None for the model's own. The one option
        here that changes numbers, by rounding.
    recheck
        How many cells of a run in half precision are recomputed in float32; None is 32 with `precision`, else none.
    layout
        Which rows share a pass; `run_study` finds it.
    """

    backend: AbstractBackend
    batch_size: int | None = None
    padding_side: Side = "left"
    fan_out: bool = True
    checks: int = 3
    out: Path | None = None
    precision: str | None = None
    recheck: int | None = None
    layout: Layout = "padded"

    def part(self, index: int) -> Execution:
        """Return how one of several studies of a question is run: each keeps its pieces in a folder of its own."""
        return self if self.out is None else replace(self, out=self.out / f"{index:03d}")
