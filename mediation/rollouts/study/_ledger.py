"""What comes out of generations: outcomes by world, unit and draw, and what the self-checks found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine import Pass
from ...engine.passes import Cells, Row as Cell
from ...engine.running import by_outcome, each_of, noted
from ...engine.study import tolerance
from ...engine.verify import HALF, settle_self_patches
from ...errors import BackendError
from ._account import Account
from ._executor import Key, RolloutExecutor
from ._rollouts import Rollouts

Outcomes = NDArray[np.float64]
_MARGIN = 4.0
_HINT = "Nothing is reported. Try backend='hooks' or batch_size=1, and please report the model."


@final
class Ledger:
    """Outcomes of a study of generations as they come: first those of plain runs, then, once `begin` was called, all.

    Attributes
    ----------
    values
        ``(worlds, units, draws, outcomes)``; NaN where there is none. Worlds that are not random have the same number
        in every draw.
    checks
        How many cells each self-check compared, and the largest difference; of several outcomes also that of each.
    """

    def __init__(self, executor: RolloutExecutor) -> None:
        self._executor = executor
        self._plain: dict[tuple[str, int, int], list[float]] = {}
        self.checks: dict[str, dict[str, Any]] = {}

    def begin(self, rollouts: Rollouts) -> None:
        """Fill in the worlds that are plain runs."""
        self._rollouts, self.study = rollouts, rollouts.study
        study = rollouts.study
        shape = (len(study.worlds), len(study.pairs), study.n_draws, len(study.prepared.each))
        self.values = np.full(shape, np.nan)
        for number, world in enumerate(study.worlds):
            if world.assignment is None:
                for unit in range(len(study.pairs)):
                    for draw in range(study.draws_of(world)):
                        self._fill(number, unit, draw, self._plain[world.run, unit, draw])

    def take(self, one: Pass, outcomes: NDArray[np.float64]) -> None:
        """Fill in the outcomes of a pass, or compare them with what they must be."""
        rows = zip(one.cells.rows(), outcomes.tolist(), range(len(outcomes)), strict=True)
        for row, value, at in sorted(rows):
            if one.check:
                self._compare(one, row, value, self._executor.now[at])
            elif row.world < 0:
                self._plain[row.run, row.unit, row.draw] = value
            else:
                self._fill(row.world, row.unit, row.draw, value)

    def account(self, number: int, unit: int, draw: int) -> Account:
        """Return what is known of a row, a plain run's for a world that is one."""
        world = self.study.worlds[number]
        key: Key = (-1 if world.assignment is None else number, world.run, unit, draw)
        return self._executor.accounts[key]

    def rows(self) -> Iterator[tuple[int, Account]]:
        """Give the unit of every row of the worlds, and what is known of it."""
        for number, world in enumerate(self.study.worlds):
            for unit, draw in np.ndindex(len(self.study.pairs), self.study.draws_of(world)):
                yield unit, self.account(number, unit, draw)

    def whole(self, run: str) -> list[int]:
        """Return the units whose plain run has thoughts, all of them closed."""
        accounts = self._executor.accounts
        return [unit for unit in range(len(self.study.pairs)) if accounts[-1, run, unit, 0].whole]

    def finite(self, cells: Cells) -> NDArray[np.bool_]:
        """Return which rows have an outcome."""
        found: NDArray[np.bool_] = np.isfinite(self.values[cells.world, cells.unit, cells.draw]).all(axis=-1)
        return found

    def settle(self) -> dict[str, Any]:
        """Let outcomes that differ from plain ones of their unit by rounding only be equal to them.

        It is done where the spec hides something from the answer, so that effects that are 0 by construction are 0. How
        far rounding reaches is what the checks of the study have seen, and at least one unit of rounding. Not in half
        precision, where rounding is as large as small effects.
        """
        spec, study = self._rollouts.rolling.spec, self.study
        hides = spec is not None and spec.answer_from != "everything"
        if not hides or not self.checks or study.model.dtype in HALF or study.prepared.judged:
            return {}
        many = self.values.shape[-1]
        seen = np.max([np.broadcast_to(by_outcome(one), many) for one in self.checks.values()], axis=0)
        rounding = _MARGIN * np.maximum(seen, torch.finfo(study.model.dtype).eps)
        settled = np.zeros(len(rounding), dtype=np.int64)
        for number, world in enumerate(study.worlds):
            for unit in range(len(study.pairs)) if world.assignment is not None else ():
                for draw in range(study.draws_of(world)):
                    settled += self._settled(number, unit, draw, rounding)
        return {"rounding": each_of(rounding), "settled_rows": each_of(settled)}

    def _settled(self, number: int, unit: int, draw: int, rounding: Outcomes) -> NDArray[np.bool_]:
        """Set numbers to plain ones that are as near as rounding; return which that changed."""
        value = self.values[number, unit, draw].copy()
        found = value.copy()
        for run in ("source", "base", self.study.worlds[number].run):  # the last that is near is taken: its own run's
            plain = np.array(self._plain_of(run, unit, draw))
            found = np.where(np.abs(value - plain) <= rounding, plain, found)
        self._fill(number, unit, draw, found.tolist())
        changed: NDArray[np.bool_] = (found != value) & ~np.isnan(value)
        return changed

    def settle_self_patches(self) -> dict[str, Any]:
        """Set worlds that put units' own thoughts where they are to the plain outcome; see `verify`."""
        if self.study.prepared.judged and self.study.model.dtype in HALF:
            return {}
        found = settle_self_patches(self.study, self.values, self._plain_of)
        return {} if found is None else {"self_patch": found}

    def _plain_of(self, run: str, unit: int, draw: int) -> list[float]:
        missing = [float("nan")] * self.values.shape[-1]
        return self._plain.get((run, unit, draw), self._plain.get((run, unit, 0), missing))

    def _fill(self, number: int, unit: int, draw: int, value: Sequence[float]) -> None:
        many = self.study.draws_of(self.study.worlds[number]) > 1
        self.values[number, unit, draw if many else slice(None)] = value

    def _compare(self, one: Pass, row: Cell, values: Sequence[float], now: Account) -> None:
        """Compare a row of a self-check with what it must be: BackendError if it differs by more than rounding.

        In half precision a tie between two tokens may fall otherwise in another batch, so generations are compared in
        single and double precision only.
        """
        world, study = one.study.worlds[row.world], self.study
        if one.check == "consistency":
            what, before = "Its own thought in its own place", self._executor.accounts[-1, row.run, row.unit, row.draw]
            known = self._plain_of(row.run, row.unit, row.draw)
        else:
            what, before = f"World {world} run alone", self.account(row.world, row.unit, row.draw)
            known = self.values[row.world, row.unit, row.draw].tolist()
        judged = study.prepared.judged
        if judged and study.model.dtype not in HALF and before.digest != now.digest:
            raise BackendError(
                f"{what} changed what unit {row.unit} says: {list(before.begins)} ... and {list(now.begins)} .... "
                f"{_HINT}"
            )
        apart = []
        for part, value, expected in zip(study.prepared.each, values, known, strict=True):
            if not judged and not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
                raise BackendError(
                    f"{what} changed {study.naming(part)} of unit {row.unit} from {expected:.6g} to {value:.6g}. "
                    f"{_HINT}"
                )
            apart.append(abs(value - expected) if np.isfinite(value) and np.isfinite(expected) else 0.0)
        self.checks[one.check] = noted(self.checks.get(one.check), apart)
