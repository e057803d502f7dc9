"""Executes passes of generations in this process: what is stored is read, what a pass needs is decoded first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from ...engine import AbstractExecutor, Pass
from ...engine.checkpoint import Pieces
from ...engine.passes import Cells, Index
from ...errors import BackendError
from ._account import Account
from ._reader import Reader
from ._rollouts import Rollouts
from ._session import Session

Outcomes = NDArray[np.float64]
Key = tuple[int, str, int, int]  # world (-1: the plain run), run, unit, draw


@final
class RolloutExecutor(AbstractExecutor):
    """Runs passes of a study of generations, one after another, and keeps an account of every row.

    With a store, plain runs wait until a pass that needs their thoughts is not stored.

    Attributes
    ----------
    accounts
        Of the rows that were asked for.
    now
        Of those of the last pass that was decoded.
    report
        Rows and batches that were decoded, without those of checks.
    """

    def __init__(self, rollouts: Rollouts, session: Session, pieces: Pieces) -> None:
        self.accounts: dict[Key, Account] = {}
        self.now: list[Account] = []
        self.report = {"rows": 0, "passes": 0}
        self._rollouts, self._session, self._pieces = rollouts, session, pieces
        self._reader = Reader(rollouts, session)
        self._waiting: dict[int, Pass] = {}

    def outcomes(self, one: Pass) -> Outcomes:
        """Return ``(rows, outcomes)`` of a pass, NaN where a row has none: stored ones, or those that it has now."""
        if one.check:
            return self._decoded(one, quiet=True)
        kind = _kind(one)
        stored = self._pieces.find(kind, one.cells)
        if stored is None:
            outcomes = self._decoded(one)
            self._pieces.keep(kind, one.cells, outcomes, [account.plain() for account in self.now])
            self._note(one.cells, self.now)
            return outcomes
        self._note(one.cells, [Account.of(data) for data in self._pieces.accounts(kind, one.cells) or ()])
        if one.kind == "plain":
            self._waiting[one.number] = one
        return stored

    def is_stored(self, one: Pass) -> bool:
        """Return True if nothing has to be decoded for the outcomes of a pass."""
        return self._pieces.accounts(_kind(one), one.cells) is not None

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run; those to which nothing is done."""
        plain = [self._rollouts.study.worlds[world].assignment is None for world in worlds.tolist()]
        return np.repeat(np.array(plain, dtype=bool)[:, None], len(units), axis=1)

    def _decoded(self, one: Pass, *, quiet: bool = False) -> Outcomes:
        for number in one.needs:
            if number in self._waiting:
                self._again(self._waiting.pop(number))
        if not one.check:
            self.report = {"rows": self.report["rows"] + len(one.cells), "passes": self.report["passes"] + 1}
        plain = None if one.kind != "plain" else one.cells.rows()[0].run
        rows = self._session.decode(one.cells, one.study.worlds, alone=one.alone, quiet=quiet)
        found = self._reader.read(rows, plain=plain)
        self.now = [account for _, account in found]
        return np.array([values for values, _ in found])

    def _again(self, one: Pass) -> None:
        """Run a stored plain pass for its thoughts; BackendError if it says something else than it did."""
        outcomes = self._decoded(one, quiet=True)
        self._pieces.keep_again(_kind(one), one.cells, outcomes)
        for row, now in zip(one.cells.rows(), self.now, strict=True):
            before = self.accounts[row.world, row.run, row.unit, row.draw]
            if before.digest != now.digest:
                raise BackendError(
                    f"The {row.run} input of unit {row.unit} said {list(before.begins)} ... when the run began, and "
                    f"says {list(now.begins)} ... now: the model is not the same, though its weights and settings are. "
                    "Look for hooks and for code of the model that was changed, or give another folder as out=."
                )

    def _note(self, cells: Cells, accounts: Sequence[Account]) -> None:
        for row, account in zip(cells.rows(), accounts, strict=True):
            self.accounts[row.world, row.run, row.unit, row.draw] = account
            if row.world < 0 and row.run == self._rollouts.reference:
                self._reader.remember(row.unit, row.draw, account.told)


def _kind(one: Pass) -> str:
    """Return what a piece of a store is called."""
    return f"plain {one.cells.rows()[0].run}" if one.kind == "plain" else "batch"
