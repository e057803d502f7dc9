"""Which worlds share a growing pass: the same changes at the same places, in inputs of equal length."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ..captured import Lane, born
from ..passes import RUNS, Index
from ..study import Placed, Study, Table
from ._groups import Change, Group, Slot, why_not_grown

_MOST_LOGITS = 64 * 2**20  # numbers
_MOST_KEYS = 2**17  # tokens whose keys and values are held for the rows of one block
_POSITIONS = 2**32  # more than there are tuples of positions


class _Member(NamedTuple):
    """A lane of a group: when its first row comes, and the worlds and draws of its rows in order of birth."""

    order: tuple[int, int]
    lane: Lane
    worlds: Index


@final
class Grouping:
    """Finds the groups of a study's worlds.

    What depends on a world is worked out once, and what depends on positions once for all units that share them, so
    that a row costs no more than an entry in an array.

    Parameters
    ----------
    study, placed
        The study, and the sites and interventions of its worlds.
    tokens
        Tokens that a pass should hold.
    rows_per_pass
        Rows that it may hold at most; None for what fits.
    """

    def __init__(self, study: Study, placed: Sequence[Placed], *, tokens: int, rows_per_pass: int | None) -> None:
        self._study, self._placed, self._tokens, self._rows = study, placed, tokens, rows_per_pass
        self.why = [why_not_grown(one) for one in placed]
        self.grows = np.array([why is None for why in self.why], dtype=bool)
        self._run = np.array([RUNS.index(world.run) for world in study.worlds], dtype=np.int64)
        self._draws = np.array([study.draws_of(world) for world in study.worlds], dtype=np.int64)
        self._born = np.array(
            [0 if self.why[world] else min(born(site) for site, _ in one) for world, one in enumerate(placed)]
        )
        known: dict[Placed, int] = {}
        self._what = np.array([known.setdefault(one, len(known)) for one in placed], dtype=np.int64)
        self._ids: dict[Hashable, int] = {}
        self._tables: dict[int, tuple[Index, Index]] = {}
        self._slots: dict[int, Slot] = {}

    def groups(self, worlds: Index, units: Sequence[int], changed: NDArray[np.bool_]) -> Iterator[Group]:
        """Yield the growing passes of some worlds and units.

        Parameters
        ----------
        changed
            ``(worlds, units)``: which rows have to be run.
        """
        self._slots.clear()
        shared: dict[Hashable, list[_Member]] = {}
        about: dict[Hashable, tuple[int, int, Index, list[Slot]]] = {}
        for run in (0, 1):
            mine = np.flatnonzero(self.grows[worlds] & (self._run[worlds] == run))
            if len(mine):
                self._of_run(run, worlds[mine], units, changed[mine], shared, about)
        found: list[tuple[tuple[tuple[Lane, ...], int], Hashable, range, list[_Member]]] = []
        for like, members in shared.items():
            members.sort(key=lambda member: member.order)
            length, start, draws, _ = about[like]
            found += [
                ((tuple(member.lane for member in some), start), like, slots, some)
                for slots, some in self._pieces(length, start, len(draws), members)
            ]
        for (lanes, start), like, slots, some in sorted(found, key=lambda one: one[0]):
            length, _, draws, made = about[like]
            matrix = np.stack([member.worlds[slots.start : slots.stop] for member in some], axis=1)
            cut = slice(slots.start, slots.stop)
            yield Group(lanes, length, start, tuple(made[cut]), matrix, draws[cut])

    def _of_run(
        self,
        run: int,
        worlds: Index,
        units: Sequence[int],
        changed: NDArray[np.bool_],
        shared: dict[Hashable, list[_Member]],
        about: dict[Hashable, tuple[int, int, Index, list[Slot]]],
    ) -> None:
        """Sort the rows of one run: by inputs alike, first changed token, and which of their rows are run."""
        tables = [[self._study.table(site, RUNS[run]) for site, _ in self._placed[world]] for world in worlds.tolist()]
        for alike in self._inputs_alike(run, tables, units):
            unit = units[alike[0]]
            starts, where = self._where(tables, unit)
            for start in np.unique(starts).tolist():
                here = np.flatnonzero(starts == start)
                active = changed[here][:, alike]
                for some in _equal_columns(active):
                    kept = here[active[:, some[0]]]
                    if not len(kept):
                        continue
                    many = self._draws[worlds[kept]]
                    which = np.repeat(kept, many)
                    draw = np.concatenate([np.arange(n) for n in many.tolist()])
                    order = np.lexsort((draw, worlds[which], self._born[worlds[which]]))
                    which, draw = which[order], draw[order]
                    mine, length = worlds[which], self._study.length(RUNS[run], unit)
                    keys = self._what[mine] * _POSITIONS + where[which]
                    like = (length, start, keys.tobytes(), draw.tobytes())
                    if like not in about:
                        slots = [
                            self._slot(key, world, run, unit)
                            for key, world in zip(keys.tolist(), mine.tolist(), strict=True)
                        ]
                        about[like] = (length, start, draw, slots)
                    first = int(worlds[kept].min())
                    shared.setdefault(like, []).extend(
                        _Member((first, at), (RUNS[run], units[at]), mine) for at in (alike[i] for i in some)
                    )

    def _inputs_alike(self, run: int, tables: Sequence[Sequence[Table]], units: Sequence[int]) -> list[list[int]]:
        """Return the places of units whose inputs have one length and the same positions."""
        distinct = list({id(table): table for some in tables for table in some}.values())
        columns = [[self._study.length(RUNS[run], unit) for unit in units]]
        columns += [self._numbers(table)[0][list(units)].tolist() for table in distinct]
        alike: dict[tuple[int, ...], list[int]] = {}
        for at, key in enumerate(zip(*columns, strict=True)):
            alike.setdefault(key, []).append(at)
        return list(alike.values())

    def _where(self, tables: Sequence[Sequence[Table]], unit: int) -> tuple[Index, Index]:
        """Return for each world its first changed token in one unit, and a number for its positions there."""
        kinds = {id(table): table for some in tables for table in some}
        first = {key: int(self._numbers(table)[1][unit]) for key, table in kinds.items()}
        number = {key: int(self._numbers(table)[0][unit]) for key, table in kinds.items()}
        starts = [min(first[id(table)] for table in some) for some in tables]
        where = [
            number[id(some[0])] if len(some) == 1 else self._id(("together", *(number[id(table)] for table in some)))
            for some in tables
        ]
        return np.array(starts), np.array(where)

    def _numbers(self, table: Table) -> tuple[Index, Index]:
        """Return for each unit a number for its positions, and the first of them."""
        found = self._tables.get(id(table))
        if found is None:
            ids = np.array([self._id(positions) for positions in table], dtype=np.int64)
            firsts = np.array([min(positions) if positions else 0 for positions in table], dtype=np.int64)
            found = self._tables[id(table)] = ids, firsts
        return found

    def _id(self, key: Hashable) -> int:
        return self._ids.setdefault(key, len(self._ids))

    def _slot(self, key: int, world: int, run: int, unit: int) -> Slot:
        found = self._slots.get(key)
        if found is None:
            changes = []
            for site, what in self._placed[world]:
                positions = self._study.table(site, RUNS[run])[unit]
                assert positions
                changes.append(Change(site, what, positions))
            found = self._slots[key] = Slot(int(self._born[world]), tuple(changes))
        return found

    def _pieces(
        self, length: int, start: int, n_slots: int, members: list[_Member]
    ) -> Iterator[tuple[range, list[_Member]]]:
        """Yield parts of a group that end with no more rows than fit."""
        most = self._rows_that_fit(length, start)
        width = min(n_slots, most)
        per_pass = max(1, most // width)
        for first in range(0, n_slots, width):
            for lane in range(0, len(members), per_pass):
                yield range(first, min(first + width, n_slots)), members[lane : lane + per_pass]

    def _rows_that_fit(self, length: int, start: int) -> int:
        """Return how many rows a growing pass may end with."""
        by_tokens = 2 * self._tokens // max(1, length - start)  # on average half of the rows are alive
        by_keys = _MOST_KEYS // length
        by_logits = by_keys
        if self._study.unembedding is None:
            by_logits = _MOST_LOGITS // (self._study.model.vocabulary or 1)
        most = max(1, min(by_tokens, by_keys, by_logits))
        return most if self._rows is None else min(most, self._rows)


def _equal_columns(active: NDArray[np.bool_]) -> list[list[int]]:
    """Return the columns of a matrix by what they hold."""
    if active.all():
        return [list(range(active.shape[1]))]
    packed, alike = np.packbits(active, axis=0), dict[bytes, list[int]]()
    for at in range(active.shape[1]):
        alike.setdefault(packed[:, at].tobytes(), []).append(at)
    return list(alike.values())
