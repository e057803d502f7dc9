"""Which worlds share a growing pass: the same changes at the same places, in inputs of equal length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import final

from ...interventions import AbstractIntervention
from ...models import Model
from ...sites import Site
from ..captured import KINDS, born
from ..passes import Row
from ..study import Placed, Study

_MOST_LOGITS = 64 * 2**20  # numbers
_MOST_KEYS = 2**17  # tokens whose keys and values are held for the rows of one block


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One intervention, and the token positions at which it acts."""

    site: Site
    intervention: AbstractIntervention
    positions: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """One patched row of every lane.

    Attributes
    ----------
    born
        Block at whose output the row is appended, a copy of what the plain run has there: it changes that output, or
        something in the block after. -1 if it is there from the first block on.
    changes
        What is done to it, in order of execution.
    """

    born: int
    changes: tuple[Change, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Inputs of equal length, and the changed rows that each of them grows.

    Attributes
    ----------
    lanes
        ``(run, unit)`` of each input; those of the base and of the source share the pass.
    length
        Tokens of each input.
    start
        First token that a change reaches: the pass is fed from there on.
    slots
        Changed rows of a lane, in order of birth.
    combos
        ``(world, draw)`` of each lane, for each slot.
    """

    lanes: tuple[tuple[str, int], ...]
    length: int
    start: int
    slots: tuple[Slot, ...]
    combos: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def rows(self) -> list[Row]:
        """The rows that the group stands for, by slot and then by lane."""
        return [
            Row(world, run, unit, draw)
            for combos in self.combos
            for (run, unit), (world, draw) in zip(self.lanes, combos, strict=True)
        ]

    @property
    def suffix(self) -> int:
        """Number of tokens that are fed."""
        return self.length - self.start

    def alive(self, n_blocks: int) -> list[int]:
        """Return how many rows each block runs for; before the first one is born, one runs that is dropped then."""
        born = [sum(slot.born < block for slot in self.slots) for block in range(n_blocks)]
        return [max(1, len(self.lanes) * slots) for slots in born]

    def of_lanes(self, lanes: Sequence[int]) -> Group:
        """Return the group of some of its lanes."""
        return Group(
            tuple(self.lanes[i] for i in lanes),
            self.length,
            self.start,
            self.slots,
            tuple(tuple(combos[i] for i in lanes) for combos in self.combos),
        )

    def of_slots(self, slots: Sequence[int]) -> Group:
        """Return the group of some of its slots."""
        return Group(
            self.lanes,
            self.length,
            self.start,
            tuple(self.slots[i] for i in slots),
            tuple(self.combos[i] for i in slots),
        )


def groups_of(
    study: Study, rows: Sequence[Row], placed: Sequence[Placed], *, tokens: int, rows_per_pass: int | None
) -> tuple[list[Group], list[Row]]:
    """Return the groups that fan out, and the rows that do not.

    Parameters
    ----------
    tokens
        Tokens that a pass should hold.
    rows_per_pass
        Rows that it may hold at most; None for what fits.
    """
    lanes: dict[tuple[str, int, int, int], list[tuple[Slot, int, int]]] = {}
    rest = []
    for row in rows:
        if why_not_grown(placed[row.world]) is not None:
            rest.append(row)
            continue
        slot = _slot(study, row, placed[row.world])
        start = min(min(change.positions) for change in slot.changes)
        key = (row.run, row.unit, study.length(row.run, row.unit), start)
        lanes.setdefault(key, []).append((slot, row.world, row.draw))
    shared: dict[Hashable, list[tuple[tuple[str, int], list[tuple[Slot, int, int]]]]] = {}
    for (run, unit, length, start), entries in lanes.items():
        ordered = sorted(entries, key=lambda entry: (entry[0].born, entry[1], entry[2]))
        like = (length, start, tuple((slot, draw) for slot, _, draw in ordered))
        shared.setdefault(like, []).append(((run, unit), ordered))
    groups: list[Group] = []
    for members in shared.values():
        (run, unit), entries = members[0]
        whole = Group(
            tuple(lane for lane, _ in members),
            study.length(run, unit),
            min(min(change.positions) for change in entries[0][0].changes),
            tuple(slot for slot, _, _ in entries),
            tuple(
                tuple((ordered[index][1], ordered[index][2]) for _, ordered in members) for index in range(len(entries))
            ),
        )
        groups.extend(_pieces(whole, _rows_that_fit(study, whole, tokens, rows_per_pass)))
    return sorted(groups, key=lambda group: (group.lanes, group.start)), rest


def why_not_grown(placed: Placed) -> str | None:
    """Return why a world's rows cannot be grown, or None."""
    kinds = [site.kind for site, _ in placed if site.kind not in KINDS]
    if kinds:
        return f"{kinds[0]} sites do not fan out"
    return None if placed else "nothing is changed"


def _slot(study: Study, row: Row, placed: Placed) -> Slot:
    changes = []
    for site, what in placed:
        positions = study.positions(site, row.run, row.unit)
        assert positions
        changes.append(Change(site, what, positions))
    return Slot(min(born(change.site) for change in changes), tuple(changes))


def _pieces(whole: Group, most: int) -> list[Group]:
    """Return parts of a group that end with at most `most` rows."""
    width = min(len(whole.slots), most)
    per_pass = max(1, most // width)
    return [
        whole.of_slots(range(first, min(first + width, len(whole.slots)))).of_lanes(
            range(lane, min(lane + per_pass, len(whole.lanes)))
        )
        for first in range(0, len(whole.slots), width)
        for lane in range(0, len(whole.lanes), per_pass)
    ]


def _rows_that_fit(study: Study, group: Group, tokens: int, rows: int | None) -> int:
    """Return how many rows a growing pass may end with."""
    by_tokens = 2 * tokens // max(1, group.suffix)  # on average half of the rows are alive
    by_keys = _MOST_KEYS // group.length
    by_logits = by_keys if study.unembedding is not None else _MOST_LOGITS // _vocabulary(study.model)
    most = max(1, min(by_tokens, by_keys, by_logits))
    return most if rows is None else min(most, rows)


def _vocabulary(model: Model) -> int:
    return model.vocabulary or 1
