"""Executes passes in this process: what is stored is read, what a pass needs is run first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ...interventions import Moment
from ...sites import Site
from ..checkpoint import Pieces
from ..oracle import Reference
from ..passes import RUNS, Index, Row
from ..plan import Planner
from ..session import Pass, Session
from ..study import Execution, Study, World, run_of
from ..verify import check_activation
from ._abstract import AbstractExecutor

Outcomes = NDArray[np.float64]


@final
class Executor(AbstractExecutor):
    """Runs passes of a study, one after another, and says what it ran.

    With a store, plain runs wait until a pass that needs them is not stored.

    Attributes
    ----------
    report
        Rows and passes that were run.
    """

    def __init__(self, study: Study, execution: Execution, planner: Planner, pieces: Pieces) -> None:
        self.report: dict[str, Any] = {"rows": 0, "passes": 0, "null_rows": 0, "fan_out_rows": 0}
        self.oracle = Reference(study)
        self._study, self._execution, self._planner, self._pieces = study, execution, planner, pieces
        self._session = Session(study, execution, planner.placed)
        self._probe: Session | None = None
        self._waiting: dict[int, Pass] = {}

    def outcomes(self, one: Pass) -> Outcomes:
        """Return the outcomes of a pass: stored ones, or those that it has now; none of one that only leaves things."""
        if one.fresh:
            self._waiting.clear()
        if one.alone:
            return self._alone(one)
        if one.study is not self._study:
            return self._probed(one)
        if one.captures:
            return self._later(one) if self._pieces.are_kept else self._captured(one)
        return self._piece(one, self._run)

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run; see `Session.unchanged`."""
        found = self._pieces.nothing_changes(worlds, units)
        if found is None:
            self.run_waiting()
            found = self._session.unchanged(worlds, units)
            self._pieces.keep_nothing_changes(worlds, units, found)
        self.report["null_rows"] += int(found.sum())
        return found

    def run_waiting(self) -> None:
        """Run the plain runs that wait; BackendError if one has another outcome than the one that is stored."""
        self._run_waiting(tuple(self._waiting))

    @property
    def out_of_memory(self) -> dict[str, int] | None:
        """How often memory ran out, and how many tokens fit; None if it never did."""
        room = self._session.room
        return {"times": room.times, "tokens_that_fit": int(room.tokens)} if room.times else None

    def _piece(self, one: Pass, run: Any, kind: str | None = None) -> Outcomes:
        kind = kind or _kind(one)
        stored = self._stored(kind, one)
        if stored is not None:
            return stored
        outcomes: Outcomes = run(one)
        self._pieces.keep(kind, one.cells, outcomes, self._accounts(one))
        return outcomes

    def _stored(self, kind: str, one: Pass) -> Outcomes | None:
        """Return the stored outcomes of a pass, or None; what reads them is told what is stored besides."""
        stored, reader = self._pieces.find(kind, one.cells), self._study.prepared.reader
        accounts = None if stored is None or reader is None else self._pieces.accounts(kind, one.cells)
        if reader is not None and stored is not None and accounts is not None:
            reader.restore(self._study, one.cells.rows(), stored.tolist(), accounts)
        return stored

    def _accounts(self, one: Pass) -> list[Any] | None:
        reader = self._study.prepared.reader
        return None if reader is None or not self._pieces.are_kept else reader.accounts(self._study, one.cells.rows())

    def _run(self, one: Pass) -> Outcomes:
        self._run_waiting(one.needs)
        self.report["passes"] += 1
        self.report["rows" if one.group is None else "fan_out_rows"] += len(one.cells)
        return self._session.run(one)

    # ---------------------------------------------------------------------------------------------- plain runs
    def _later(self, one: Pass) -> Outcomes:
        """Let a plain run wait, if its outcomes are stored or it has none."""
        has = one.kind in ("plain", "rows")
        stored = self._stored(_kind(one), one) if has else np.empty(0)
        if stored is None:
            return self._captured(one)
        self._waiting[one.number] = one
        return stored

    def _run_waiting(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self._waiting:
                self._captured(self._waiting.pop(number))

    def _captured(self, one: Pass) -> Outcomes:
        self._run_waiting(one.needs)
        outcomes = self._session.capture(one)
        if not len(outcomes):
            return outcomes
        self.report["passes"] += 1
        self.report["rows"] += len(one.cells)
        return self._pieces.keep_again(_kind(one), one.cells, outcomes, self._accounts(one))

    # -------------------------------------------------------------------------------------------- self-checks
    def _probed(self, one: Pass) -> Outcomes:
        """Run a pass of the worlds of a self-check, whose activations are its own."""
        if self._probe is None or self._probe.study is not one.study:
            placed = [one.study.placed(world) for world in one.study.worlds]
            shared = {"references": self._session.references, "room": self._session.room}
            self._probe = Session(one.study, self._execution, placed, **shared)  # type: ignore[arg-type]
        self._run_waiting(one.needs)
        return self._probe.capture(one) if one.captures else self._probe.run(one)

    def _alone(self, one: Pass) -> Outcomes:
        """Run one row by the naive path."""
        (row,) = one.cells.rows()
        if one.sites:
            self._activation(one.sites[0], row)
            return np.empty(0)
        run = partial(self._outcome, row)
        return run(one) if one.check else self._piece(one, run, "naive")

    def _outcome(self, row: Row, one: Pass) -> Outcomes:
        world = self._study.worlds[row.world] if row.world >= 0 else World(row.run)  # type: ignore[arg-type]
        if one.check and row.world >= 0:
            self._take_moments(row)
        return np.array([self.oracle.outcomes(world, row.unit, row.draw)])

    def _activation(self, site: Site, row: Row) -> None:
        """Let the naive path capture one activation, and compare it with that of the run, where this is at hand."""
        held, source = self._session.activations, row.run if row.world < 0 else (row.world, row.draw)
        if row.world < 0:
            expected = self.oracle.activation(site, row.run, row.unit)
        else:
            self._take_moments(row)
            expected = self.oracle.inside(site, self._study.worlds[row.world], row.unit, row.draw)
        if held.holds(site, source, row.unit):
            check_activation(self._study, site, row, held.get(site, source, row.unit), expected)

    def _take_moments(self, row: Row) -> None:
        """Let the naive path use captured activations of all units, once some of them are seen to be right."""
        held = self._session.activations
        for site, what in self._planner.placed[row.world]:
            for need in what.needs():
                if not isinstance(need, Moment):
                    continue
                run = run_of(need.run, row.run)
                unknown = [unit for unit in range(len(self._study.pairs)) if not self.oracle.knows(site, run, unit)]
                if unknown:
                    self.run_waiting()
                for unit in unknown:
                    self.oracle.take(site, run, unit, held.get(site, run, unit))


def _kind(one: Pass) -> str:
    """Return what a piece of a store is called."""
    if one.kind == "plain":
        return f"plain {RUNS[int(one.cells.run[0])]}"
    return "batch" if one.kind == "rows" else one.kind
