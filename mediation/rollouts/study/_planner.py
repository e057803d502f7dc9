"""A study of generations as a stream of passes: plain runs first, then those whose thoughts are changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Protocol, final

import numpy as np

from ...engine import Pass, Study, World
from ...engine.passes import RUNS, Cells, Row as Cell
from ...engine.session import Check
from ...engine.study import Run
from ...interventions import Assignment, Interchange
from .._worlds import thought_entries, thoughts_read
from ._rollouts import Rollouts
from ._session import Session


class Told(Protocol):
    """What the stream depends on, and only a run can know."""

    def whole(self, run: str) -> list[int]:
        """Return the units whose plain run has thoughts, all of them closed."""

    def finite(self, cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which rows have an outcome."""


@final
class Planner:
    """Yields passes: batches of rows that are decoded together.

    Parameters
    ----------
    rollouts
        The study.
    session
        What says which rows share a batch.
    tried
        Whether rows are tried beside each other before; a plan runs nothing.
    """

    def __init__(self, rollouts: Rollouts, session: Session, *, tried: bool = True) -> None:
        self.rollouts, self._session, self._tried = rollouts, session, tried
        self._numbers = count()
        self._left_by: dict[tuple[str, int, int], int] = {}
        self._of_run: dict[str, set[int]] = {run: set() for run in RUNS}

    def plain(self) -> Iterator[Pass]:
        """Yield the plain runs; the others may need those of the reference."""
        for run in self.rollouts.runs:
            for one in self._passes("plain", self._session.plain(run), self.rollouts.study):
                self._left_by |= {(row.run, row.unit, row.draw): one.number for row in one.cells.rows()}
                self._of_run[run].add(one.number)
                yield one

    def changed(self) -> Iterator[Pass]:
        """Yield the worlds that are no plain runs."""
        for cells in self._session.changed(self.rollouts.study.worlds):
            yield from self._passes("rows", cells, self.rollouts.study)

    def own_thoughts(self, told: Told) -> Iterator[Pass]:
        """Yield a few units whose own thoughts are put in their own place."""
        site = thought_entries(next(self._changed_worlds())[1])[0][0].with_(step="all")
        worlds: list[World] = []
        rows = []
        for run in self.rollouts.runs:
            units = told.whole(run)
            rows += [
                Cell(len(worlds), run, unit, 0)
                for unit in sorted({units[i] for i in (0, len(units) // 2, -1)} if units else ())
            ]
            worlds.append(_own(run, site))
        study = replace(self.rollouts.study, worlds=tuple(worlds))
        yield from self._passes("rows", Cells.of(rows), study, check="consistency")

    def sample(self, told: Told, checks: int) -> Iterator[Pass]:
        """Yield some rows, each by itself through plain hooks."""
        study, session = self.rollouts.study, self._session
        cells = Cells.of(
            [
                Cell(number, world.run, unit, draw)
                for number, world in self._changed_worlds()
                for unit in range(len(study.pairs))
                for draw in range(session.draws_of(world))
            ]
        )
        cells = cells.pick(np.flatnonzero(told.finite(cells)))
        if not len(cells):
            return
        rng = np.random.default_rng(study.seed)
        for index in rng.choice(len(cells), min(checks, len(cells)), replace=False):
            yield self._pass("rows", cells.pick(np.array([index])), study, alone=True, check="sample")

    @property
    def changes(self) -> bool:
        """True if a world changes a thought."""
        return next(self._changed_worlds(), None) is not None

    def _changed_worlds(self) -> Iterator[tuple[int, World]]:
        return ((number, one) for number, one in enumerate(self.rollouts.study.worlds) if thought_entries(one))

    def _passes(self, kind: str, cells: Cells, study: Study, *, check: Check = "") -> Iterator[Pass]:
        for batch in self._session.batches(cells, study.worlds, tried=self._tried):
            yield self._pass(kind, batch, study, check=check)

    def _pass(self, kind: str, cells: Cells, study: Study, *, check: Check = "", alone: bool = False) -> Pass:
        needs: set[int] = set().union(*(self._needs(row, study) for row in cells.rows()))
        return Pass(
            number=next(self._numbers),
            study=study,
            kind=kind,  # type: ignore[arg-type]
            cells=cells,
            needs=tuple(sorted(needs)),
            alone=alone,
            check=check,
        )

    def _needs(self, row: Cell, study: Study) -> set[int]:
        """Return the numbers of the plain passes whose thoughts a row reads, or whose outcome it is compared with."""
        keys: list[tuple[str, int, int]] = []
        numbers: set[int] = set()
        draw = row.draw if self._session.sampled else 0
        if study.prepared.uses_reference and (row.world >= 0 or row.run != self.rollouts.reference):
            keys.append((self.rollouts.reference, row.unit, draw))
        for run, need in thoughts_read(study.worlds[row.world]) if row.world >= 0 else ():
            if need is None:
                numbers |= self._of_run[run]
            else:
                keys.append((run, self._session.thoughts.donor(need, row.unit, row.draw), draw))
        return numbers | {self._left_by[key] for key in keys if key in self._left_by}


def _own(run: Run, site: object) -> World:
    return World(run, Assignment(((site, Interchange("same")),)))  # type: ignore[arg-type]
