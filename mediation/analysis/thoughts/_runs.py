"""Worlds of thoughts, run: outcomes by world, unit and draw, and which units cannot be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine import World
from ...errors import OutcomeError
from ...interventions import Assignment
from ...models import Model
from ...outcomes import Prepared, token_ids
from ...rollouts import (
    Question,
    Ran,
    Roller,
    Row,
    check_lengths,
    check_model,
    make_roller,
    run_plain,
    run_worlds,
    told_of,
)
from ...units import Encoding, Pairs
from .._options import ThoughtOptions

Worlds = dict[str, World]


@final
@dataclass(slots=True, eq=False, kw_only=True)
class ThoughtStudy:
    """Units, an outcome and how it is read, bound to a model that thinks.

    Attributes
    ----------
    model, pairs, encoding, prepared, options
        The question.
    seed, n_draws
        Of random worlds.
    segment
        The thought after which outcomes of logits are read.
    reference
        The input whose plain run outcomes may compare with.
    questions
        Tokens of the questions, where the spec has them read again after a thought.
    """

    model: Model
    pairs: Pairs
    encoding: Encoding
    prepared: Prepared
    options: ThoughtOptions
    seed: int
    n_draws: int
    segment: int | None
    reference: str
    questions: tuple[tuple[int, ...], ...] = ()
    references: dict[int, Tensor] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    def question(self) -> Question:
        """Return the study as rollouts see it."""
        prepared = self.prepared
        answers = None
        kept = 1
        if prepared.judge is None:
            continuation = prepared.continuation or ((),) * len(self.pairs)
            cue = self._cue()
            answers = tuple(cue + tuple(ids) for ids in continuation)
            kept = prepared.kept
        return Question(
            model=self.model,
            pairs=self.pairs,
            encoding=self.encoding,
            spec=self.options.spec,
            seed=self.seed,
            n_draws=self.n_draws,
            answers=answers,
            after=1 if self.segment is None else self.segment + 1,
            kept=kept,
        )

    def _cue(self) -> tuple[int, ...]:
        """Return the tokens of the cue, as they are after the end of a thought."""
        cue, spec = self.prepared.cue, self.options.spec
        return token_ids(cue, self.model, "cue", after="" if spec is None else spec.end) if cue else ()

    def roller_for(self, inside: Assignment | None) -> Roller:
        """Return what decodes with interventions inside the model."""
        how = self.options
        run = (self.model, self.encoding, how.spec, how.settings, how.backend, how.progress)
        return make_roller(*run, assignment=inside, questions=self.questions)

    def plain(self, runs: Sequence[str]) -> Ran:
        """Run inputs as they are."""
        check_model(self.model)
        question = self.question()
        longest = max((len(ids) for ids in question.answers or ()), default=0)
        for run in dict.fromkeys((*runs, self.reference)):
            check_lengths(self.model, self.encoding.runs[run], self.options.settings.max_new_tokens + longest)
        return run_plain(question, runs, self.roller_for, self.reduce)

    def run(self, worlds: Sequence[World], ran: Ran) -> NDArray[np.float64]:
        """Run worlds, and return their outcomes ``(worlds, units, draws)``; NaN where there is none."""
        question = self.question()
        run_worlds(question, worlds, self.roller_for, self.reduce, ran)
        shape = (len(worlds), len(self.pairs), self.n_draws)
        values = np.full(shape, np.nan)
        for (number, unit, draw), row in ran.rows.items():
            value = self.value(row, unit, draw, ran)
            values[number, unit, draw] = value
            if draw == 0 and (number, unit, 1) not in ran.rows:
                values[number, unit] = value
        return values

    def reduce(self, rows: Sequence[Row]) -> None:
        """Read the outcomes of scored rows, and let go of their logits."""
        scored = [row for row in rows if row.stopped == "scored"]
        if not scored or self.prepared.judge is not None:
            return
        kept = max(len(row.logits) for row in scored)
        for start in range(0, len(scored), 64):
            some = scored[start : start + 64]
            # Shorter answers are filled up on the left, where no outcome reads them.
            stacked = torch.stack(
                [torch.stack([row.logits[0]] * (kept - len(row.logits)) + row.logits) for row in some]
            )
            for row, logits in zip(some, stacked, strict=True):
                if row.job.plan is None and self.prepared.uses_reference and self._is_reference(row):
                    self.references[row.job.unit] = logits[-1].cpu()
            self._read(some, stacked)
        for row in scored:
            row.logits = []

    def _read(self, rows: Sequence[Row], logits: Tensor) -> None:
        units = torch.tensor([row.job.unit for row in rows])
        reference = None
        if self.prepared.uses_reference:
            missing = [row for row in rows if row.job.unit not in self.references]
            if missing:
                for row in missing:
                    row.give_up("never opened", "flagged")
                keep = [index for index, row in enumerate(rows) if row.job.unit in self.references]
                rows, logits, units = [rows[i] for i in keep], logits[keep], units[keep]
                if not rows:
                    return
            reference = torch.stack([self.references[row.job.unit] for row in rows])
        found = self.prepared.reduce(logits[:, -1] if self.prepared.raw else logits, units, reference)
        for row, value in zip(rows, found.double().cpu().tolist(), strict=True):
            if not np.isfinite(value):
                raise OutcomeError(f"{self.prepared.label} of unit {row.job.unit} is {value}; a number is needed.")
            row.value = value

    def _is_reference(self, row: Row) -> bool:
        n = len(self.pairs)
        return (row.job.prompt < n) == (self.reference == "base")

    def value(self, row: Row, unit: int, draw: int, ran: Ran) -> float:
        """Return the outcome of one row; NaN where there is none."""
        if row.stopped in ("flagged", "nan"):
            return float("nan")
        if self.prepared.judge is None:
            return row.value
        plain = ran.plain[self.reference, unit, draw if (self.reference, unit, draw) in ran.plain else 0]
        spec, tokenizer = self.options.spec, self.model.tokenizer
        return float(self.prepared.judge(told_of(row, tokenizer, spec), unit, told_of(plain, tokenizer, spec)))


def unparsed_rates(
    study: ThoughtStudy, names: dict[int, str], ran: Ran, keep: Callable[[int], bool]
) -> dict[str, float]:
    """Return the share of generations without an answer that the rules find, by world."""
    unparsed = study.prepared.unparsed
    if unparsed is None:
        return {}
    counts: dict[str, list[bool]] = {}
    for (number, unit, _), row in ran.rows.items():
        if number in names and keep(unit) and row.stopped not in ("flagged", "nan"):
            told = told_of(row, study.model.tokenizer, study.options.spec)
            counts.setdefault(names[number], []).append(unparsed(told, unit))
    return {name: float(np.mean(found)) for name, found in counts.items()}
