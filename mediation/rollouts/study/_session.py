"""What generations of a question leave for each other: plain ones their thoughts, for those that are changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import final

import numpy as np

from ...engine import HookBackend, World
from ...engine.passes import RUNS, Cells, Row as Cell
from ...interventions import Assignment
from .._roller import Roller
from .._row import Row
from .._thoughts import Thoughts, thought_of
from .._worlds import Question, by_inside, job_of, plain_runs, thought_entries

RollerFor = Callable[[Assignment | None], Roller]


@final
class Session:
    """Decodes rows of worlds, batch by batch.

    Parameters
    ----------
    question
        What is asked.
    roller_for
        From interventions inside the model (None for none) to what decodes with them.
    sampled
        True if tokens are drawn.

    Attributes
    ----------
    thoughts
        Those of the plain rows that were decoded.
    """

    def __init__(self, question: Question, roller_for: RollerFor, *, sampled: bool) -> None:
        self.question, self.sampled = question, sampled
        self.thoughts = Thoughts(question.pairs, question.seed, sampled=sampled)
        self._roller_for = roller_for
        self._rollers: dict[Assignment | None, Roller] = {}

    def plain(self, run: str) -> Cells:
        """Return the plain rows of an input of every unit."""
        draws = range(self.question.n_draws if self.sampled else 1)
        return self._cells(np.array([(-1, RUNS.index(run), draw) for draw in draws]))

    def changed(self, worlds: Sequence[World]) -> Iterator[Cells]:
        """Yield the rows of worlds that are not plain runs; those of one yield may share a batch."""
        for inside, numbers in by_inside(worlds).items():
            rows = [
                (number, RUNS.index(worlds[number].run), draw)
                for number in numbers
                if inside is not None or thought_entries(worlds[number])
                for draw in range(self.draws_of(worlds[number]))
            ]
            if rows:
                yield self._cells(np.array(rows))

    def draws_of(self, world: World) -> int:
        """Return how many draws a world has."""
        return self.question.n_draws if world.is_random or self.sampled else 1

    def batches(self, cells: Cells, worlds: Sequence[World], *, tried: bool = True) -> Iterator[Cells]:
        """Yield the rows of each batch; see `Roller.batches`."""
        rows = cells.rows()
        if not rows:
            return
        prompts = [self.question.prompt_of(row.run, row.unit) for row in rows]
        roller = self._roller(_inside(worlds, rows[0]))
        for some in roller.batches(prompts, answer=self._answer(cells), tried=tried):
            yield cells.pick(np.array(some))

    def longest(self, cells: Cells) -> int:
        """Return how many positions rows may add to their prompts."""
        return self._roller(None).longest(self._answer(cells))

    def _answer(self, cells: Cells) -> int:
        """Return the most tokens that are put after a thought."""
        answers = self.question.answers or ()
        return max((len(answers[unit]) for unit in cells.unit.tolist()), default=0) if answers else 0

    def decode(self, cells: Cells, worlds: Sequence[World], *, alone: bool = False, quiet: bool = False) -> list[Row]:
        """Return the rows of one batch, and keep the thoughts of plain ones.

        Parameters
        ----------
        cells, worlds
            Rows, and the worlds that they are of.
        alone
            True to run them through plain hooks.
        quiet
            True if progress is not told.
        """
        question, cells_ = self.question, cells.rows()
        roller = self._roller(_inside(worlds, cells_[0]))
        if alone or quiet:
            roller = roller.with_(advance=lambda _: None, **({"backend": HookBackend()} if alone else {}))
        rows = roller.decode([job_of(question, cell, worlds, self.thoughts) for cell in cells_])
        for cell, row in zip(cells_, rows, strict=True):
            if cell.world < 0:
                thought = thought_of(row, question.ids_of(cell.run, cell.unit), question.model, question.spec)
                self.thoughts.put(cell.run, cell.unit, cell.draw, thought)
        return rows

    def rows_of(self, world: World) -> list[Row]:
        """Return the row of every unit in one world, after the plain runs that it needs."""
        found: dict[int, Row] = {}
        for cells in (*(self.plain(run) for run in plain_runs([world])), *self.changed([world])):
            for batch in self.batches(cells, [world]):
                found |= {row.job.unit: row for row in self.decode(batch, [world])}
        return [found[unit] for unit in sorted(found)]

    def _cells(self, of_a_unit: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> Cells:
        """Return rows ``(world, run, draw)`` of every unit."""
        n = len(self.question.pairs)
        world, run, draw = np.tile(of_a_unit, (n, 1)).T
        return Cells(world, run, np.repeat(np.arange(n), len(of_a_unit)), draw)

    def _roller(self, inside: Assignment | None) -> Roller:
        if inside not in self._rollers:
            self._rollers[inside] = self._roller_for(inside)
        return self._rollers[inside]


def _inside(worlds: Sequence[World], cell: Cell) -> Assignment | None:
    assignment = worlds[cell.world].assignment if cell.world >= 0 else None
    return None if assignment is None else assignment.inside()
