"""From rows that have ended to their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from ...errors import OutcomeError
from ...outcomes import Told
from .._row import Row
from .._told import told_of
from ._account import Account, account_of, of_thought
from ._rollouts import Rollouts
from ._session import Session

_TOGETHER = 64  # rows whose logits are reduced together


@final
class Reader:
    """Reads outcomes, and keeps what later ones compare with: logits and texts of the reference run."""

    def __init__(self, rollouts: Rollouts, session: Session) -> None:
        self._rollouts, self._session = rollouts, session
        self._logits: dict[tuple[int, int], Tensor] = {}
        self._told: dict[tuple[int, int], Told] = {}

    def read(self, rows: Sequence[Row], *, plain: str | None = None) -> list[tuple[float, Account]]:
        """Return the outcome of each row, NaN where there is none, and what is kept of it; rows let go of their logits.

        Parameters
        ----------
        rows
            Of one batch.
        plain
            The input whose plain run they are; None for changed rows.
        """
        prepared = self._rollouts.study.prepared
        scored = [row for row in rows if row.stopped == "scored"]
        if prepared.judge is None:
            self._score(scored, reference=plain == self._rollouts.reference)
        return [self._found(row, plain) for row in rows]

    def remember(self, unit: int, draw: int, told: Told | None) -> None:
        """Keep what a stored row of the reference run says."""
        if told is not None:
            self._told[unit, draw] = told

    def _found(self, row: Row, plain: str | None) -> tuple[float, Account]:
        rollouts, (unit, draw) = self._rollouts, (row.job.unit, row.job.draw)
        prepared, tokenizer, spec = rollouts.study.prepared, rollouts.study.model.tokenizer, rollouts.rolling.spec
        is_read = row.stopped not in ("flagged", "nan")
        told = told_of(row, tokenizer, spec) if prepared.judge or prepared.unparsed else None
        if plain == rollouts.reference:
            self.remember(unit, draw, told)
        value = row.value if is_read else float("nan")
        if prepared.judge is not None and told is not None and is_read:
            value = float(prepared.judge(told, unit, self._told[unit, draw if (unit, draw) in self._told else 0]))
        unparsed = None
        if prepared.unparsed is not None and told is not None and is_read:
            unparsed = bool(prepared.unparsed(told, unit))
        account = account_of(row, unparsed=unparsed)
        if plain is not None:
            thought = self._session.thoughts.get(plain, unit, draw)
            kept = told if plain == rollouts.reference else None
            account = replace(account, **of_thought(row, thought, tokenizer), told=kept)
        return value, account

    def _score(self, scored: Sequence[Row], *, reference: bool) -> None:
        """Read the outcomes of scored rows, and let go of their logits."""
        prepared = self._rollouts.study.prepared
        kept = max((len(row.logits) for row in scored), default=0)
        for start in range(0, len(scored), _TOGETHER):
            some = scored[start : start + _TOGETHER]
            # Shorter answers are filled up on the left, where no outcome reads them.
            stacked = torch.stack(
                [torch.stack([row.logits[0]] * (kept - len(row.logits)) + row.logits) for row in some]
            )
            if prepared.uses_reference and reference:
                for row, logits in zip(some, stacked, strict=True):
                    self._logits[row.job.unit, row.job.draw] = logits[-1].cpu()
            self._reduce(some, stacked)
        for row in scored:
            row.logits = []

    def _reduce(self, rows: Sequence[Row], logits: Tensor) -> None:
        prepared, reference = self._rollouts.study.prepared, None
        if prepared.uses_reference:
            known = [self._reference(row) for row in rows]
            for row, one in zip(rows, known, strict=True):
                if one is None:
                    row.give_up("never opened", "flagged")
            keep = [index for index, one in enumerate(known) if one is not None]
            if not keep:
                return
            rows, logits = [rows[index] for index in keep], logits[keep]
            reference = torch.stack([one for one in known if one is not None])
        units = torch.tensor([row.job.unit for row in rows])
        found = prepared.reduce(logits[:, -1] if prepared.raw else logits, units, reference)
        for row, value in zip(rows, found.double().cpu().tolist(), strict=True):
            if not torch.isfinite(torch.tensor(value)):
                raise OutcomeError(f"{prepared.label} of unit {row.job.unit} is {value}; a number is needed.")
            row.value = value

    def _reference(self, row: Row) -> Tensor | None:
        unit, draw = row.job.unit, row.job.draw
        return self._logits.get((unit, draw), None if self._session.sampled else self._logits.get((unit, 0)))
