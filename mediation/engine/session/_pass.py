"""A forward pass, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from ...sites import Site
from ..fanout import Group
from ..passes import Cells
from ..sizes import PassKind
from ..study import Study

Check = Literal["", "consistency", "most padded", "sample"]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pass:
    """One forward pass: what runs, what is kept of it, and what it depends on.

    Attributes
    ----------
    number
        Place in the stream.
    study
        Whose worlds the cells are of; a check may run worlds of its own.
    kind
        "plain" runs that are captured; "reference", the logits that an outcome compares with; "again", plain runs for
        what they leave alone; "fan-out", a growing pass; "rows", a padded batch.
    cells
        Its rows, in the order of the outcomes.
    needs
        Numbers of the passes whose captures it reads.
    sites
        Where activations are kept.
    states
        True if keys, values and outputs of blocks are kept for growing passes.
    drops
        Numbers of the passes whose keys, values and outputs are dropped after it.
    fresh
        True if everything that was kept is dropped before it.
    group
        Of a growing pass.
    alone
        True if the naive path runs it: one unpadded row, plain hooks.
    check
        The self-check that it is for; "" for outcomes that are reported.
    """

    number: int
    study: Study
    kind: PassKind
    cells: Cells
    needs: tuple[int, ...] = ()
    sites: tuple[Site, ...] = ()
    states: bool = False
    drops: tuple[int, ...] = ()
    fresh: bool = False
    group: Group | None = None
    alone: bool = False
    check: Check = ""

    @property
    def outcomes(self) -> int:
        """How many of its rows have outcomes: all, or none where it only leaves something."""
        only_leaves = self.kind in ("reference", "again") or (self.alone and bool(self.sites))
        return 0 if only_leaves else len(self.cells)

    @property
    def captures(self) -> bool:
        """True if it runs for what it leaves: later passes read it."""
        return not self.alone and (self.kind in ("plain", "reference", "again") or bool(self.sites))
