"""A study as a stream of passes: what a run executes, and what a plan prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from ...interventions import Assignment, Interchange
from ...sites import Site
from ..captured import Lane, captures, donor_sites, needs_all_units
from ..fanout import Grouping
from ..passes import RUNS, Cells, Index, Row
from ..session import Check, Pass
from ..sizes import PassKind, most_padded, splits
from ..study import Execution, Study, World
from ._chunks import Split
from ._states import PlannedStates

_CELLS = 2**20  # rows that are looked at together


class Told(Protocol):
    """What the stream depends on, and only a run can know; a plan answers from the tokens."""

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run, so that nothing has to be run for them."""

    def checked(self, check: str) -> bool:
        """Return True if the outcome of a self-check is known from an earlier run."""


@final
class Planner:
    """Yields the passes of a study, in order.

    Parameters
    ----------
    study, execution
        What is run, and how, with the layout found.
    split
        How it is split.
    grows
        True if worlds share growing passes.
    outer
        For the worlds of a self-check: the planner whose stream it is a part of.
    """

    def __init__(
        self,
        study: Study,
        execution: Execution,
        split: Split,
        *,
        grows: bool,
        outer: Planner | None = None,
    ) -> None:
        self.study, self.grows = study, grows
        self._execution, self._split = execution, split
        self.placed = [study.placed(world) for world in study.worlds]
        self.grouping = Grouping(study, self.placed, tokens=split.tokens, rows_per_pass=execution.batch_size)
        self._run = np.array([RUNS.index(world.run) for world in study.worlds], dtype=np.int64)
        self._sampled = study.sampled and study.n_draws > 1
        self._patched = np.flatnonzero([self._sampled or world.assignment is not None for world in study.worlds])
        self._draws = np.array([study.draws_of(world) for world in study.worlds], dtype=np.int64)
        runs = [run for run in RUNS if run in study.encoding.runs]
        self._lengths = np.array([[study.length(run, unit) for unit in range(len(study.pairs))] for run in runs])
        self._wanted = captures(study)
        self._donors = donor_sites(study)
        self._patched = np.setdiff1d(self._patched, list(self._donors))
        self._numbers: Iterator[int] = count() if outer is None else outer._numbers
        self._references: tuple[int, ...] = () if outer is None else outer._references
        self._live = self._references
        self._batches_of_chunk: list[Cells] = []
        self._outer = outer
        self.states = PlannedStates(study, split.held) if grows else None

    def passes(self, told: Told) -> Iterator[Pass]:
        """Yield all passes; what `told` says is asked for when it is needed."""
        n, size = len(self.study.pairs), self._split.units
        chunks = [list(range(start, min(start + size, n))) for start in range(0, n, size)]
        whole = needs_all_units(self.study)
        for chunk in chunks if whole else ():
            yield from self._plain(chunk)
        for position, chunk in enumerate(chunks):
            if not whole:
                yield from self._plain(chunk, fresh=position > 0)
            if position == 0:
                yield from self._first_checks(chunk, told)
            yield from self._changed(chunk, told)

    def some(self, cells: Cells) -> Iterator[Pass]:
        """Yield the passes that some rows need, each row in a batch of full inputs."""
        units = range(len(self.study.pairs)) if needs_all_units(self.study) else dict.fromkeys(cells.unit.tolist())
        yield from self._plain(list(units), bare=False)
        yield from self._donor_worlds(list(units))
        yield from self._rows(cells)

    def naive(self) -> Iterator[Pass]:
        """Yield one pass a row, each by the naive path."""
        for world, draws in enumerate(self._draws.tolist()):
            for unit in range(len(self.study.pairs)):
                for draw in range(draws):
                    row = Cells(*(np.array([x]) for x in (world, self._run[world], unit, draw)))
                    yield self.alone("rows", row)

    def batches(self, cells: Cells) -> Iterator[Cells]:
        """Yield rows that share a padded batch."""
        how, sizes = self._execution, self._lengths[cells.run, cells.unit]
        for some in splits(sizes, tokens=self._split.tokens, rows=how.batch_size, layout=how.layout):
            yield cells.pick(some)

    def alone(self, kind: PassKind, cells: Cells, *, check: Check = "", sites: tuple[Site, ...] = ()) -> Pass:
        """Return a pass of one row by the naive path."""
        return self.pass_of(kind, cells, alone=True, check=check, sites=sites)

    # ------------------------------------------------------------------------------------------------ plain runs
    def _plain(self, chunk: Sequence[int], *, fresh: bool = False, bare: bool = True) -> Iterator[Pass]:
        """Yield the plain runs of some units; those without captures only if `bare` and a world is that run."""
        if fresh:
            self._live = self._references = ()
            if self.states is not None:
                self.states.forget()
        self._batches_of_chunk = []
        if self.study.prepared.uses_reference and self._outer is None:
            for batch in self.batches(Cells.plain(0, chunk)):
                yield self._capture("reference", batch, fresh=fresh)
                fresh, self._references = False, self._live
        for run, name in enumerate(RUNS):
            if self._wanted[name] or (bare and (self._run == run).any()):
                for batch in self.batches(Cells.plain(run, chunk)):
                    self._batches_of_chunk.append(batch)
                    yield self._capture("plain", batch, sites=self._wanted[name], fresh=fresh)
                    fresh = False

    def _capture(
        self,
        kind: PassKind,
        cells: Cells,
        *,
        fresh: bool = False,
        sites: tuple[Site, ...] = (),
        spare: Sequence[Lane] = (),
    ) -> Pass:
        keeps = self.states is not None and kind != "reference"
        one = self.pass_of(kind, cells, sites=sites, states=keeps, fresh=fresh)
        self._live = (*self._live, one.number)
        if keeps:
            assert self.states is not None
            width = int(self._lengths[cells.run, cells.unit].max())
            one = replace(one, drops=self.states.keep(one.number, cells.lanes, width, spare))
        return one

    # ------------------------------------------------------------------------------------------- changed worlds
    def _changed(self, chunk: Sequence[int], told: Told) -> Iterator[Pass]:
        yield from self._donor_worlds(chunk)
        size = max(1, _CELLS // len(chunk))
        for first in range(0, len(self._patched), size):
            worlds = self._patched[first : first + size]
            # Of what is sampled, a plain run has one draw; worlds that change nothing have others.
            changed = np.ones((len(worlds), len(chunk)), dtype=bool)
            if not self._sampled:
                changed = ~told.unchanged(worlds, chunk)
            if self.states is None:
                yield from self._rows(self._cells(worlds, chunk, changed))
                continue
            for group in self.grouping.groups(worlds, chunk, changed):
                missing = self.states.missing(group.lanes)
                if missing:
                    again = Cells.of([Row(-1, run, unit, 0) for run, unit in missing])
                    yield self._capture("again", again, spare=group.lanes)
                yield self.pass_of("fan-out", group.cells, group=group)
            rest = ~self.grouping.grows[worlds]
            yield from self._rows(self._cells(worlds[rest], chunk, changed[rest]))

    def _donor_worlds(self, chunk: Sequence[int]) -> Iterator[Pass]:
        """Yield the worlds whose activations are put in elsewhere, each after those that it needs itself."""
        for world, sites in self._donors.items():
            every = np.ones((1, len(chunk)), dtype=bool)
            live = self._live
            for batch in self.batches(self._cells(np.array([world]), chunk, every)):
                one = self.pass_of("rows", batch, sites=sites)
                live = (*live, one.number)
                yield one
            self._live = live

    def _cells(self, worlds: Index, chunk: Sequence[int], changed: NDArray[np.bool_]) -> Cells:
        index, at = np.nonzero(changed)
        world, unit = worlds[index], np.asarray(chunk, dtype=np.int64)[at]
        many = self._draws[world]
        draw = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
        world, unit = np.repeat(world, many), np.repeat(unit, many)
        return Cells(world, self._run[world], unit, draw)

    def _rows(self, cells: Cells) -> Iterator[Pass]:
        for batch in self.batches(cells):
            yield self.pass_of("rows", batch)

    def pass_of(self, kind: PassKind, cells: Cells, **more: object) -> Pass:
        """Return the next pass of the stream; `more` are fields of `Pass`."""
        about: dict[str, Any] = {"check": "" if self._outer is None else "consistency", **more}
        needs = () if about.get("alone") or kind in ("reference", "again") else self._live
        return Pass(number=next(self._numbers), study=self.study, kind=kind, cells=cells, needs=needs, **about)

    # --------------------------------------------------------------------------------------------------- checks
    def _first_checks(self, chunk: Sequence[int], told: Told) -> Iterator[Pass]:
        """Yield two units patched with themselves, by every path of the run, and the row with the most padding."""
        plain = [batch.rows() for batch in self._batches_of_chunk]
        if not told.checked("consistency"):
            for run in RUNS:
                if (self._run == RUNS.index(run)).any():
                    yield from self._self_patched(run, chunk[:2])
        row = most_padded(plain, lambda row: self.study.length(row.run, row.unit))
        if row is not None:
            yield self.alone("rows", Cells.of([row]), check="most padded")

    def _self_patched(self, run: str, units: Sequence[int]) -> Iterator[Pass]:
        """Yield the passes of a few units that are patched with their own activations, at three sites."""
        study = self.study
        sites = sorted(study.places, key=lambda site: study.when(study.places[site]))
        picks = [sites[i] for i in sorted({0, len(sites) // 2, len(sites) - 1})] if sites else []
        if not picks:
            return
        worlds = tuple(World(run, Assignment(((site, Interchange(run="same")),))) for site in picks)  # type: ignore[arg-type]
        probe = replace(study, worlds=worlds, n_draws=1)
        inner = Planner(probe, self._execution, self._split, grows=self.grows, outer=self)
        yield from inner._plain(units)
        yield from inner._changed(units, _Everything())


@final
class _Everything:
    """Every world is run."""

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        return np.zeros((len(worlds), len(units)), dtype=bool)

    def checked(self, check: str) -> bool:
        return False
