"""Which passes a study would run, without running them: the same chunks, batches and groups as in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import torch

from ...interventions import Assignment, Donor, Interchange, Moment, Need
from ...sites import Site
from ..backends import ReferenceBackend
from ..captured import captures, needs_all_units
from ..fanout import fan_out_reason, groups_of, why_not_grown
from ..oracle import captures_with_few_logits
from ..passes import Row, sees_logits
from ..sizes import ModelCost, PassKind, PassShape, model_cost, most_padded, split, tokens_for
from ..study import Execution, Placed, Study, World, run_of
from ..verify import alone, lay_out
from ._chunks import units_at_a_time
from ._group_cost import HeldStates, asked_columns, cost_of


@final
@dataclass(slots=True)
class Schedule:
    """The passes of a run in their order, and what is known of its rows.

    Attributes
    ----------
    cost
        Sizes of the model; None for a module whose blocks are not known.
    tokens, chunk
        Tokens in a pass and units held together.
    passes
        Shapes of all passes.
    changed
        Rows that are run in changed worlds.
    null_rows
        Cells ``(world, unit)`` that are known to change nothing.
    states_held
        Bytes of keys, values and hidden states of plain runs that are held at once.
    reasons
        Why rows do not fan out, with their number.
    """

    cost: ModelCost | None
    tokens: int
    chunk: int
    passes: list[PassShape] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    null_rows: int = 0
    states_held: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def schedule_of(study: Study, execution: Execution) -> Schedule:
    """Return the passes that `run_study` would run."""
    scheduler = _Scheduler(study, execution)
    if isinstance(execution.backend, ReferenceBackend):
        scheduler.naively()
    else:
        scheduler.run()
    return scheduler.found


@final
class _Scheduler:
    def __init__(self, study: Study, execution: Execution) -> None:
        self.study = study
        self.execution, laid = lay_out(study, execution)
        execution = self.execution
        self.found = Schedule(model_cost(study.model), tokens_for(study), units_at_a_time(study))
        self.placed: list[Placed] = [study.placed(world) for world in study.worlds]
        self.reason = "switched off" if not execution.fan_out else fan_out_reason(study, execution.backend)
        cost = self.found.cost
        self.keys = HeldStates(study, cost) if cost is not None and self.reason is None else None
        for rows in laid.passes:
            shape = batch_shape(study, cost, rows, "reference", execution)
            self.found.passes.append(replace(shape, kind="checks"))
        self.plain_batches: list[list[Row]] = []
        self.unit_rows = [Row(-1, "base", unit, 0) for unit in range(len(study.pairs))]

    def run(self) -> None:
        n, size = len(self.study.pairs), self.found.chunk
        chunks = [range(start, min(start + size, n)) for start in range(0, n, size)]
        whole = needs_all_units(self.study)
        for chunk in chunks if whole else ():
            self._plain(chunk)
        for position, chunk in enumerate(chunks):
            if not whole:
                if self.keys is not None:
                    self.keys.forget()
                self._plain(chunk)
            if position == 0:
                self._most_padded()
                self._consistency(chunk[:2])
            self._patched(chunk)
        self._sample()
        self.found.states_held = self.keys.most if self.keys is not None else 0

    def naively(self) -> None:
        """One pass a row, with all logits; activations that the naive path captures beside are not counted."""
        for row in self._rows(range(len(self.study.pairs)), plain=True):
            self._add("rows", [row], cut=False)
        self.found.changed = list(self._rows(range(len(self.study.pairs))))
        self.found.reasons["the naive path was asked for"] = len(self.found.changed)

    def _rows(self, units: Sequence[int], *, plain: bool = False) -> Iterator[Row]:
        for index, world in enumerate(self.study.worlds):
            if world.assignment is not None or plain:
                for unit in units:
                    yield from (Row(index, world.run, unit, draw) for draw in range(self.study.draws_of(world)))

    def _most_padded(self) -> None:
        """Add the passes of `check_plain`: one row, alone."""
        row = most_padded(self.plain_batches, lambda row: self.study.length(row.run, row.unit))
        if row is not None:
            runs = (row.run, "base") if self.study.prepared.uses_reference else (row.run,)
            for run in runs:
                self._add("checks", [Row(-1, run, row.unit, 0)], cut=False)

    def _plain(self, chunk: Sequence[int]) -> None:
        wanted = captures(self.study)
        if self.study.prepared.uses_reference:
            for batch in self._batches([Row(-1, "base", unit, 0) for unit in chunk]):
                self._add("reference", batch)
        for run in ("base", "source"):
            if wanted[run] or any(world.run == run for world in self.study.worlds):
                for batch in self._batches([Row(-1, run, unit, 0) for unit in chunk]):
                    self._add("plain", batch)
                    self.plain_batches.append(batch)
                    if self.keys is not None:
                        lanes = [(row.run, row.unit) for row in batch]
                        self.keys.keep(lanes, self.found.passes[-1].queries)

    def _patched(self, chunk: Sequence[int]) -> None:
        pending = []
        null: set[tuple[int, int]] = set()
        for row in self._rows(chunk):
            if (row.world, row.unit) in null or _known_null(self.study, self.placed[row.world], row):
                null.add((row.world, row.unit))
            else:
                pending.append(row)
        self.found.null_rows += len(null)
        self.found.changed += pending
        remaining = self._grow(self.study, pending, self.placed, "fan-out", self.keys)
        self.found.reasons.update(self.reason or why_not_grown(self.placed[row.world]) or "" for row in remaining)
        for batch in self._batches(remaining):
            self._add("rows", batch)

    def _grow(
        self, study: Study, rows: Sequence[Row], placed: Sequence[Placed], kind: PassKind, keys: HeldStates | None
    ) -> list[Row]:
        """Add the growing passes of some rows; return the rows that do not fan out."""
        cost = self.found.cost
        if cost is None or keys is None:
            return list(rows)
        most = self.execution.batch_size
        groups, remaining = groups_of(study, rows, placed, tokens=self.found.tokens, rows_per_pass=most)
        for group in groups:
            before = keys.before(group)
            if before is not None:
                self.found.passes.append(before if kind == "fan-out" else replace(before, kind=kind))
            self.found.passes.append(replace(cost_of(study, cost, group), kind=kind))
        return remaining

    def _consistency(self, units: Sequence[int]) -> None:
        """Add the passes of `check_consistency`: a few units patched with their own activations."""
        study = self.study
        for cut in (False, True) if study.unembedding is not None else (False,):
            self._add("checks", [self.unit_rows[0]], cut=cut)  # the first run: order of modules, and the unembedding
        sites = sorted(study.places, key=lambda site: study.when(study.places[site]))
        picks = [sites[i] for i in sorted({0, len(sites) // 2, len(sites) - 1})] if sites else []
        for run in sorted({world.run for world in study.worlds}) if picks else ():
            worlds = tuple(World(run, Assignment(((site, Interchange(run="same")),))) for site in picks)
            probe = replace(study, worlds=worlds)
            placed = [probe.placed(world) for world in worlds]
            rows = [Row(index, run, unit, 0) for index in range(len(worlds)) for unit in units]
            keys = HeldStates(probe, self.found.cost) if self.keys is not None and self.found.cost is not None else None
            for batch in self._batches([Row(-1, run, unit, 0) for unit in units]):
                self._add("checks", batch)
                if keys is not None:
                    keys.keep([(row.run, row.unit) for row in batch], self.found.passes[-1].queries)
            for batch in self._batches(self._grow(probe, rows, placed, "checks", keys)):
                self._add("checks", batch)

    def _sample(self) -> None:
        """Add the passes of `check_sample`: random cells, and the activations that they are given, one row each."""
        study = self.study
        patched = [index for index, world in enumerate(study.worlds) if world.assignment is not None]
        rng = np.random.default_rng(study.seed)
        seen: set[tuple[Site, str, int]] = set()
        for _ in range(self.execution.checks if patched else 0):
            index, unit = int(rng.choice(patched)), int(rng.integers(len(study.pairs)))
            world = study.worlds[index]
            draw = int(rng.integers(study.draws_of(world)))
            given = {
                (site, run, donor)
                for site, what in self.placed[index]
                for need in what.needs()
                for run, donor in _read_by(study, world, need, unit, draw)
            }
            again = [("base", unit)] if study.prepared.uses_reference else []
            for run, one in [(world.run, unit), *again]:
                self._add("checks", [Row(-1, run, one, 0)], cut=False)
            for _, run, donor in given - seen:
                self._add("checks", [Row(-1, run, donor, 0)], cut=False)
                if captures_with_few_logits(study):
                    self.found.passes[-1] = replace(self.found.passes[-1], read=1)
            seen |= given

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        width = lambda row: self.study.length(row.run, row.unit)  # noqa: E731
        how = self.execution
        return list(split(rows, width, tokens=self.found.tokens, rows=how.batch_size, layout=how.layout))

    def _add(self, kind: PassKind, rows: Sequence[Row], *, cut: bool = True) -> None:
        self.found.passes.append(batch_shape(self.study, self.found.cost, rows, kind, self.execution, cut=cut))


def _read_by(study: Study, world: World, need: Need, unit: int, draw: int) -> list[tuple[str, int]]:
    """Return the plain runs ``(run, unit)`` that the naive path makes for one need of one cell."""
    if isinstance(need, Donor):
        return [(run_of(need.run, world.run), unit if need.unit == "own" else study.donors(need, draw)[unit])]
    if isinstance(need, Moment):
        return [(run_of(need.run, world.run), one) for one in alone(study)]
    return [(world.run, unit)]


def batch_shape(
    study: Study, cost: ModelCost | None, rows: Sequence[Row], kind: PassKind, execution: Execution, *, cut: bool = True
) -> PassShape:
    """Return the shape of one padded batch.

    Parameters
    ----------
    cut
        Compute only logits that are read, where the model can.
    """
    lengths = [study.length(row.run, row.unit) for row in rows]
    width, n = max(lengths), len(rows)
    last = cut and _reads_last_only(study, lengths, execution.padding_side)
    narrow = cut and cost is not None and kind != "reference"
    columns = asked_columns(study, cost, [row.unit for row in rows]) if narrow and cost is not None else None
    return PassShape(
        kind=kind,
        alive=(n,) * (len(cost.blocks) if cost is not None else 0),
        queries=width,
        keys=width,
        entered=n,
        left=n,
        outcomes=n,
        read=1 if columns is not None else study.prepared.kept if last else width,
        columns=columns,
    )


def _reads_last_only(study: Study, lengths: Sequence[int], side: str) -> bool:
    """Return True if the model is asked for the logits of the last tokens alone; see `reading`."""
    model = study.model
    names = model.forward_names
    left = side == "left" and "attention_mask" in names and model.dtype != torch.float64
    flush = left or len(set(lengths)) == 1
    known = model.is_causal and "logits_to_keep" in names and study.prepared.at == "last"
    return known and flush and not sees_logits(study)


def _known_null(study: Study, placed: Placed, row: Row) -> bool:
    """Return True if a row is known to change nothing before anything ran.

    That is so for exchanges of the unit's own activation where a causal model has read the same tokens in base and
    source, and at the token embedding wherever the tokens there are the same.
    """
    if not placed or not study.model.is_causal:
        return False
    encoded = [study.encoding.of(run, row.unit) for run in ("base", "source")]
    if any(one.length is None or not one.tokens_only for one in encoded):
        return False
    return all(what.needs() == {Donor()} and _same_tokens(study, site, row.unit) for site, what in placed)


def _same_tokens(study: Study, site: Site, unit: int) -> bool:
    base, source = (study.positions(site, run, unit) for run in ("base", "source"))
    ids = [study.encoding.of(run, unit).ids for run in ("base", "source")]
    if not base or not source or ids[0] is None or ids[1] is None:
        return False
    if site.kind == "embedding":
        return bool(torch.equal(ids[0][list(base)], ids[1][list(source)]))
    stop = max(base) + 1
    return base == source and torch.equal(ids[0][:stop], ids[1][:stop])
