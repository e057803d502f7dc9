"""Pieces of a run: some rows and their outcomes. With ``out=``, finished ones are kept, and read instead of run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ...errors import BackendError, DataError, OtherMachineWarning, warn
from ...outcomes import Prepared
from ..passes import Cells, Index, Row
from ..study import Execution, Study, tolerance
from ._identity import identity_of, machine_of
from ._store import PIECES, Store

Outcomes = NDArray[np.float64]


@final
class Pieces:
    """What is stored of a run; a context in which the folder of ``out=`` is this process's.

    Parameters
    ----------
    study, execution
        What is run, and how.
    split
        What the machine would choose and numbers depend on to the bit, such as the tokens in a pass.
    more
        What else changes numbers, by name; see `identity_of`.

    Attributes
    ----------
    split
        What the run began with, which a stored run keeps.

    Raises
    ------
    DesignError, DataError, BackendError
        If the folder cannot be used; see `Store`.
    """

    def __init__(
        self,
        study: Study,
        execution: Execution,
        split: dict[str, int],
        more: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._study, self.split = study, split
        self._counts = {"pieces_read": 0, "pieces_run": 0, "rows_read": 0, "plain_passes_again": 0}
        self._worst, self._outcomes = 0.0, len(study.prepared.each)
        self._store: Store | None = None
        if execution.out is not None:
            machine = machine_of(study)
            values = sum(study.draws_of(world) for world in study.worlds) * len(study.pairs) * self._outcomes
            identity = identity_of(study, execution, more)
            self._store = Store(execution.out, identity, split=split, machine=machine, values=values)
            self.split = self._store.split
            _warn_of_other(machine, self._store)

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.close()

    @property
    def report(self) -> dict[str, Any]:
        """What was read and what was run, for provenance; empty without ``out=``."""
        if self._store is None:
            return {}
        again = {"plain_max_abs_difference": self._worst} if self._counts["plain_passes_again"] else {}
        return {"store": {**self._counts, "damaged_lines": self._store.damaged, **again}}

    @property
    def are_kept(self) -> bool:
        """True if pieces are stored."""
        return self._store is not None

    def find(self, kind: str, cells: Cells) -> Outcomes | None:
        """Return the stored outcomes of a piece, or None."""
        values = self._stored(kind, cells)
        if values is not None:
            self._counts["pieces_read"] += 1
            self._counts["rows_read"] += len(cells)
        return values

    def _stored(self, kind: str, cells: Cells) -> Outcomes | None:
        if self._store is None:
            return None
        key = _key(kind, cells)
        found = self._store.get(key)
        if found is None:
            return None
        values = np.asarray(found.get("values", ()), dtype=np.float64)
        if len(values) != len(cells) * self._outcomes:
            raise DataError(
                f"{self._store.folder / PIECES}: piece {key!r} has {len(values)} values for {len(cells)} rows: the "
                "file was changed since it was written. Restore it, or give another folder."
            )
        return values.reshape(len(cells), self._outcomes)

    def accounts(self, kind: str, cells: Cells) -> list[Any] | None:
        """Return what is stored of the rows of a piece beside their outcomes, or None."""
        found = None if self._store is None else self._store.get(_key(kind, cells))
        return None if found is None else found.get("accounts")

    def keep(self, kind: str, cells: Cells, outcomes: Outcomes, accounts: Sequence[Any] | None = None) -> None:
        """Store the outcomes of a piece that was run, and what else is kept of its rows, as plain data."""
        self._counts["pieces_run"] += 1
        if self._store is not None:
            named = np.stack([cells.world, cells.unit, cells.draw], axis=1).tolist()
            more = {} if accounts is None else {"accounts": list(accounts)}
            self._store.put(_key(kind, cells), {"rows": named, "values": outcomes.reshape(-1).tolist(), **more})

    def keep_again(
        self, kind: str, cells: Cells, outcomes: Outcomes, accounts: Sequence[Any] | None = None
    ) -> Outcomes:
        """Store the outcomes of rows; return the stored ones where they were run again for their activations.

        Raises
        ------
        BackendError
            If the model does not give the stored outcome: it is not the one that the run began with.
        """
        stored = self._stored(kind, cells)
        if stored is None:
            self.keep(kind, cells, outcomes, accounts)
            return outcomes
        self._counts["plain_passes_again"] += 1
        self._counts["pieces_read"] -= 1
        self._counts["rows_read"] -= len(cells)
        for row, before, now in zip(cells.rows(), stored.tolist(), outcomes.tolist(), strict=True):
            for part, then, value in zip(self._study.prepared.each, before, now, strict=True):
                self._check_again(row, part, then, value)
        return stored

    def _check_again(self, row: Row, part: Prepared, before: float, now: float) -> None:
        self._worst = max(self._worst, abs(now - before))
        both_missing = np.isnan(before) and np.isnan(now)
        if not (both_missing or abs(now - before) <= tolerance(self._study.model) * (1 + abs(before))):
            raise BackendError(
                f"The {row.run} input of unit {row.unit} had {self._study.naming(part)} {before:.6g} when the run "
                f"began, and has {now:.6g} now: the model is not the same, though its weights and settings are. Look "
                "for hooks and for code of the model that was changed, or give another folder as out=."
            )

    def nothing_changes(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_] | None:
        """Return the stored ``(worlds, units)`` that were found to change nothing, or None."""
        found = None if self._store is None else self._store.get(_unchanged_key(worlds, units))
        if found is None:
            return None
        mask = np.zeros((len(worlds), len(units)), dtype=bool)
        cells = np.asarray(found.get("nothing_changes", ()), dtype=np.int64).reshape(-1, 2)
        mask[np.searchsorted(worlds, cells[:, 0]), np.searchsorted(units, cells[:, 1])] = True
        return mask

    def keep_nothing_changes(self, worlds: Index, units: Sequence[int], unchanged: NDArray[np.bool_]) -> None:
        """Store which ``(world, unit)`` change nothing, so that a continued run splits as the first did."""
        if self._store is not None:
            index, at = np.nonzero(unchanged)
            cells = np.stack([worlds[index], np.asarray(units)[at]], axis=1).tolist()
            self._store.put(_unchanged_key(worlds, units), {"nothing_changes": cells})

    def note(self, name: str) -> dict[str, Any] | None:
        """Return what a check of the run has found, or None."""
        found = None if self._store is None else self._store.get(name)
        return None if found is None else found["found"]

    def keep_note(self, name: str, found: dict[str, Any]) -> None:
        """Store what a check has found: final numbers depend on how far rounding reaches."""
        if self._store is not None:
            self._store.put(name, {"found": found})


def _key(kind: str, cells: Cells) -> str:
    """Return the name of a piece: its kind and its rows, in order."""
    numbers = np.stack([cells.world, cells.unit, cells.draw], axis=1).astype("<i4")
    return f"{kind} {hashlib.sha256(numbers.tobytes()).hexdigest()[:24]}"


def _unchanged_key(worlds: Index, units: Sequence[int]) -> str:
    return f"unchanged {worlds[0]}-{worlds[-1]} {units[0]}-{units[-1]}"


def _warn_of_other(machine: dict[str, str], store: Store) -> None:
    """Warn if the run began on a machine whose numbers may differ by rounding."""
    differing = [name for name, value in machine.items() if store.machine.get(name) != value]
    if differing:
        shown = "; ".join(f"{name}: {machine[name]} now, {store.machine.get(name)} then" for name in differing)
        warn(
            f"out = {str(store.folder)!r} was begun elsewhere ({shown}). Values that are run now can differ from those "
            "of an uninterrupted run by float rounding. Plain runs that are made again are compared with the stored.",
            OtherMachineWarning,
        )
