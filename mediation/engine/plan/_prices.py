"""What the passes of a stream cost, one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from ...interventions import AbstractIntervention, Donor, Interchange
from ..passes import Cells, Index
from ..session import Divergence, Pass
from ..sizes import ModelCost, PassShape, model_cost
from ..study import Study
from ._needed import Needed
from ._planner import Planner
from ._shapes import shape_of, shapes_of
from ._stream import Stream

_KEPT = 64  # changed passes of which one is timed


@final
@dataclass(slots=True)
class Prices:
    """The passes of a run by size, and what is known of its rows.

    Attributes
    ----------
    cost
        Sizes of the model; None for a module whose blocks are not known.
    shapes
        Shapes of all passes.
    null_rows
        Cells ``(world, unit)`` that are known to change nothing.
    needed
        Least FLOPs of the changed rows, beyond plain runs.
    states_held
        Bytes of keys, values and hidden states of plain runs that are held at once.
    reasons
        Why rows do not fan out, with their number.
    changed
        Some passes of changed rows, from all parts of the stream.
    """

    cost: ModelCost | None
    shapes: list[PassShape] = field(default_factory=list)
    null_rows: int = 0
    needed: int = 0
    states_held: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    changed: list[Pass] = field(default_factory=list)


def prices_of(study: Study, stream: Stream) -> Prices:
    """Return what the passes of a stream cost, without running one."""
    found, told = Prices(model_cost(study.model)), _FromTokens(study, stream.planner)
    _before(study, stream, found)
    needed = None if found.cost is None else Needed(study, found.cost)
    stride = 1
    for number, one in enumerate([*stream.outcomes(told), *stream.sample()]):
        found.shapes += shapes_of(one, found.cost, stream.execution)
        if one.check or one.kind not in ("fan-out", "rows") or one.study is not study:
            continue
        if needed is not None:
            found.needed += needed.of(one)
        if one.kind == "rows":
            _note_reasons(found, stream, one)
        if number % stride == 0:
            found.changed.append(one)
        if len(found.changed) > _KEPT:
            found.changed, stride = found.changed[::2], 2 * stride
    found.null_rows = told.found
    found.states_held = 0 if stream.planner.states is None else stream.planner.states.most
    return found


def _before(study: Study, stream: Stream, found: Prices) -> None:
    """Add the passes that were made before the stream: those about the layout, and the first run of one input."""
    for rows in stream.laid.passes:
        found.shapes.append(shape_of(study, found.cost, Cells.of(rows), "checks", stream.execution, like="reference"))
    if stream.naive:
        return
    one = Cells.plain(0, [0])
    for cut in (False, True) if study.unembedding is not None else (False,):
        found.shapes.append(shape_of(study, found.cost, one, "checks", stream.execution, cut=cut))


def _note_reasons(found: Prices, stream: Stream, one: Pass) -> None:
    changed = one.cells.world[[stream.planner.study.worlds[world].assignment is not None for world in one.cells.world]]
    worlds, counts = np.unique(changed, return_counts=True)
    for world, n in zip(worlds.tolist(), counts.tolist(), strict=True):
        why = "the naive path was asked for" if stream.naive else stream.reason or stream.planner.grouping.why[world]
        found.reasons[why or ""] += n


@final
class _FromTokens:
    """Which worlds are known to be the plain run before anything ran: exchanges where both inputs read the same.

    That is so where a causal model has read the same tokens in base and source, and at the token embedding wherever
    the tokens there are the same.
    """

    def __init__(self, study: Study, planner: Planner) -> None:
        self._divergence, self._planner = Divergence(study), planner
        self.found = 0

    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``; see `Told`."""
        found, some = np.zeros((len(worlds), len(units)), dtype=bool), list(units)
        for index, world in enumerate(worlds.tolist()):
            placed = self._planner.placed[world]
            if placed and all(_exchanges(what) for _, what in placed):
                found[index] = np.all([self._divergence.same_tokens(site)[some] for site, _ in placed], axis=0)
        self.found += int(found.sum())
        return found

    def checked(self, check: str) -> bool:
        """Return False: a plan counts all checks."""
        return False


def _exchanges(what: AbstractIntervention) -> bool:
    return isinstance(what, Interchange) and what.needs() == {Donor()}
