"""What the passes of a study leave for each other, and the two verbs that run rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...interventions import AbstractIntervention, Donor
from ...sites import Site
from ..captured import Activations, PlainStates
from ..fanout import run_group
from ..passes import Row, capture_rows, reference_logits, run_rows
from ..sizes import Room, halving
from ..study import Execution, Placed, Study
from ._divergence import Divergence
from ._pass import Pass

Outcomes = NDArray[np.float64]


@final
class Session:
    """Activations, keys and values, reference logits and what memory holds, while the passes of a study run.

    Parameters
    ----------
    study, execution
        What is run, and how.
    placed
        Sites and interventions of each world.
    references, room
        Those of another session, if they are shared.
    """

    def __init__(
        self,
        study: Study,
        execution: Execution,
        placed: Sequence[Placed],
        *,
        references: dict[int, Tensor] | None = None,
        room: Room | None = None,
    ) -> None:
        self.study, self.placed = study, placed
        self.activations = Activations(study)
        self.references = {} if references is None and study.prepared.uses_reference else references
        self.room = Room() if room is None else room
        self._backend, self._side = execution.backend, execution.padding_side
        self._states = PlainStates(study, execution.backend)
        self._divergence: Divergence | None = None

    def run(self, one: Pass) -> Outcomes:
        """Run a pass of changed rows and return their outcomes, ``(rows, outcomes)``."""
        if one.group is not None:
            found = run_group(
                self.study,
                self._backend,
                one.group,
                self.activations,
                references=self.references,
                states=self._states,
                room=self.room,
            )
            return found.numpy()

        def run(rows: Sequence[Row]) -> Tensor:
            return run_rows(
                self.study,
                self._backend,
                rows,
                self.placed,
                self.activations,
                references=self.references,
                side=self._side,
                sites=one.sites,
            )

        return self._halved(run, one.cells.rows())

    def capture(self, one: Pass) -> Outcomes:
        """Run rows, keep what the pass says, and return their outcomes; none for rows that only leave things."""
        if one.fresh:
            self.forget()
        found: Outcomes = np.empty(0)
        if one.kind == "reference":
            self._refer(one.cells.rows())
        elif one.kind == "again":
            self._states.run(one.number, one.cells.lanes)
        elif one.kind == "rows":
            found = self.run(one)
        else:
            found = self._capture(one)
        self._states.drop(one.drops)
        return found

    def forget(self) -> None:
        """Drop all that passes left."""
        self.activations.forget()
        self._states.forget()
        if self.references is not None:
            self.references.clear()

    def unchanged(self, worlds: NDArray[np.int64], units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run, since what would be put in is there already.

        That is so to the bit, or because in a causal model base and source read the same tokens up to there.
        """
        known: dict[tuple[Site, AbstractIntervention, str], NDArray[np.bool_]] = {}
        found = np.zeros((len(worlds), len(units)), dtype=bool)
        for index, world in enumerate(worlds.tolist()):
            placed, run = self.placed[world], self.study.worlds[world].run
            if not placed or any(what.needs() != {Donor()} for _, what in placed):
                continue
            same = np.ones(len(units), dtype=bool)
            for site, what in placed:
                key = (site, what, run)
                if key not in known:
                    known[key] = self._puts_back(site, what, run, units)
                same &= known[key]
            found[index] = same
        return found

    def _puts_back(self, site: Site, what: AbstractIntervention, run: str, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return for each unit whether an exchange puts in what is there."""
        self._divergence = self._divergence or Divergence(self.study)
        before, same = self._divergence.before(site)[list(units)], np.zeros(len(units), dtype=bool)
        for some in self.activations.alike(site, run, units):
            asking = [(run, 0, tuple(units[at] for at in some))]
            own = self.activations.supply(Donor("same"), site, asking)
            given = self.activations.supply(Donor(), site, asking)
            early = torch.from_numpy(before[some]).to(own.device).reshape(-1, *(1,) * (own.ndim - 1))
            new = what(own, {Donor(): torch.where(early, own, given)})
            same[some] = (new == own).reshape(len(some), -1).all(1).cpu().numpy()
        return same

    def _capture(self, one: Pass) -> Outcomes:
        def capture(rows: Sequence[Row]) -> Tensor:
            return capture_rows(
                self.study,
                self._backend,
                rows,
                one.sites,
                self.activations,
                references=self.references,
                side=self._side,
                states=self._states if one.states else None,
                number=one.number,
            )

        return self._halved(capture, one.cells.rows())

    def _refer(self, rows: Sequence[Row]) -> None:
        assert self.references is not None

        def refer(some: Sequence[Row]) -> Tensor:
            return reference_logits(self.study, self._backend, some, side=self._side)

        logits = halving(refer, rows, _joined, size=self._tokens, room=self.room)
        self.references.update({row.unit: one for row, one in zip(rows, logits, strict=True)})

    def _halved(self, run: object, rows: Sequence[Row]) -> Outcomes:
        found = halving(run, rows, _joined, size=self._tokens, room=self.room)  # type: ignore[arg-type]
        outcomes: Outcomes = found.double().cpu().numpy()
        return outcomes

    def _tokens(self, rows: Sequence[Row]) -> int:
        return len(rows) * max(self.study.length(row.run, row.unit) for row in rows)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second])
