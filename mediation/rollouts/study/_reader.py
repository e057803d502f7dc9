"""From rows that have ended to their outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from ...errors import OutcomeError
from ...outcomes import Prepared, Told
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

    def read(self, rows: Sequence[Row], *, plain: str | None = None) -> list[tuple[list[float], Account]]:
        """Return the outcomes of each row, NaN where there is none, and what is kept of it; logits are let go of.

        Parameters
        ----------
        rows
            Of one batch.
        plain
            The input whose plain run they are; None for changed rows.
        """
        prepared = self._rollouts.study.prepared
        scored = [row for row in rows if row.stopped == "scored"]
        if not prepared.judged:
            self._score(scored, reference=plain == self._rollouts.reference)
        return [self._found(row, plain) for row in rows]

    def remember(self, unit: int, draw: int, told: Told | None) -> None:
        """Keep what a stored row of the reference run says."""
        if told is not None:
            self._told[unit, draw] = told

    def _found(self, row: Row, plain: str | None) -> tuple[list[float], Account]:
        rollouts, (unit, draw) = self._rollouts, (row.job.unit, row.job.draw)
        prepared, tokenizer, spec = rollouts.study.prepared, rollouts.study.model.tokenizer, rollouts.rolling.spec
        is_read = row.stopped not in ("flagged", "nan")
        told = told_of(row, tokenizer, spec) if prepared.judged else None
        if plain == rollouts.reference:
            self.remember(unit, draw, told)
        values = list(row.values) if is_read and row.values else [float("nan")] * len(prepared.each)
        unparsed: tuple[bool | None, ...] = ()
        if told is not None and is_read:
            before = self._told[unit, draw if (unit, draw) in self._told else 0]
            values = [float(part.judge(told, unit, before)) for part in prepared.each if part.judge is not None]
            unparsed = tuple(
                None if part.unparsed is None else bool(part.unparsed(told, unit)) for part in prepared.each
            )
        account = account_of(row, unparsed=unparsed)
        if plain is not None:
            thought = self._session.thoughts.get(plain, unit, draw)
            kept = told if plain == rollouts.reference else None
            account = replace(account, **of_thought(row, thought, tokenizer), told=kept)
        return values, account

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
                compared = next(part for part in prepared.each if part.uses_reference)
                for row, logits in zip(some, self._read_at(compared, some, stacked), strict=True):
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
        each = []
        for part in prepared.each:
            read = self._read_at(part, rows, logits)
            found = part.read(read[:, -1] if part.raw else read, units, reference)
            each.append(found.double().cpu().tolist())
            odd = next((at for at, value in enumerate(each[-1]) if not math.isfinite(value)), None)
            if odd is not None:
                raise OutcomeError(f"{part.label} of unit {rows[odd].job.unit} is {each[-1][odd]}; a number is needed.")
        for row, values in zip(rows, zip(*each, strict=True), strict=True):
            row.values = values

    def _read_at(self, part: Prepared, rows: Sequence[Row], logits: Tensor) -> Tensor:
        """Return the logits that an outcome reads, ``(rows, kept, vocabulary)``.

        One for which no answer is appended is read before the answer that is appended for another.
        """
        appended = self._rollouts.study.prepared.continuation
        if not appended or part.continuation:
            return logits[:, -part.kept :]
        return torch.stack([one[-1 - len(appended[row.job.unit])] for row, one in zip(rows, logits, strict=True)])[
            :, None
        ]

    def _reference(self, row: Row) -> Tensor | None:
        unit, draw = row.job.unit, row.job.draw
        return self._logits.get((unit, draw), None if self._session.sampled else self._logits.get((unit, 0)))
