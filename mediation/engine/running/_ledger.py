"""What comes out of the passes: outcomes by world, unit and draw, and what the self-checks found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import OutcomeError
from .._progress import Progress
from ..oracle import Reference
from ..passes import RUNS, Cells, Index, Row
from ..session import Pass
from ..study import Study, World
from ..verify import compared, settle_self_patches
from ._notes import by_outcome, each_of, noted

Outcomes = NDArray[np.float64]
_MARGIN = 4.0
_REPORT = "and please report the model."


@final
class Ledger:
    """Outcomes of a study as they come.

    Attributes
    ----------
    values
        ``(worlds, units, draws, outcomes)``; worlds that are not random have the same number in every draw.
    plain
        Outcomes of the plain runs, ``(runs, units, outcomes)``.
    checks
        How many cells each self-check compared, and the largest difference; of several outcomes also that of each.
    """

    def __init__(self, study: Study, progress: Progress, backend: str) -> None:
        self._study, self._progress, self._backend = study, progress, backend
        outcomes = len(study.prepared.each)
        self.values = np.full((len(study.worlds), len(study.pairs), study.n_draws, outcomes), np.nan)
        self.plain = np.full((2, len(study.pairs), outcomes), np.nan)
        self.checks: dict[str, dict[str, Any]] = {}
        self._random = np.array([study.is_random(world) for world in study.worlds], dtype=bool)
        self._run = np.array([RUNS.index(world.run) for world in study.worlds], dtype=np.int64)
        self._plain_world = {RUNS.index(one.run): at for at, one in enumerate(study.worlds) if one.assignment is None}

    def take(self, one: Pass, outcomes: Outcomes) -> None:
        """Fill in the outcomes of a pass, or compare them with what they must be."""
        if not len(outcomes):
            return
        if one.kind == "plain" and not one.check:
            run = int(one.cells.run[0])
            self.plain[run, one.cells.unit] = outcomes
            if run in self._plain_world:
                world = np.full_like(one.cells.unit, self._plain_world[run])
                self._fill(Cells(world, one.cells.run, one.cells.unit, one.cells.draw), outcomes)
        elif not one.check:
            self._fill(one.cells, outcomes)
        elif one.kind != "plain":
            for row, values in zip(one.cells.rows(), outcomes.tolist(), strict=True):
                self._compare(one, row, values)

    def fill_plain(self, worlds: Index, units: list[int], unchanged: NDArray[np.bool_]) -> None:
        """Fill in the outcomes of worlds that are the plain run, ``(worlds, units)``."""
        index, at = np.nonzero(unchanged)
        world, unit = worlds[index], np.asarray(units, dtype=np.int64)[at]
        run = self._run[world]
        self._fill(Cells(world, run, unit, np.zeros_like(unit)), self.plain[run, unit])

    def settle(self) -> dict[str, Any]:
        """Let outcomes that differ from the plain ones by float rounding only be equal to them.

        How far rounding reaches is measured: it is what patching units with themselves changed. Without this, a
        site that cannot matter (any but the last position in the last block) would show an effect of 1e-6, and
        an interval as narrow. Not done in half precision, where rounding is as large as small effects.
        """
        settled = np.zeros(self.plain.shape[-1], dtype=np.int64)
        noise = _MARGIN * np.broadcast_to(by_outcome(self.checks["consistency"]), settled.shape)
        if noise.any() and self._study.model.dtype in (torch.float32, torch.float64):
            for index, world in enumerate(self._study.worlds):
                if world.assignment is None:
                    continue
                plain = self.plain[self._run[index]][:, None]
                close = np.abs(self.values[index] - plain) <= noise
                settled += (close & (self.values[index] != plain)).sum((0, 1))
                self.values[index] = np.where(close, plain, self.values[index])
        return {"rounding": each_of(noise), "settled_rows": each_of(settled)}

    def settle_self_patches(self, oracle: Reference | None = None) -> dict[str, Any]:
        """Set worlds that patch units with themselves to the plain outcome; see `verify.settle_self_patches`."""

        def plain(run: str, unit: int, draw: int) -> tuple[float, ...]:
            if oracle is not None:
                return oracle.outcomes(World(run), unit, draw)  # type: ignore[arg-type]
            world, known = self._plain_world.get(RUNS.index(run)), self.plain[RUNS.index(run), unit]
            if self._study.sampled and draw:
                known = np.full_like(known, np.nan) if world is None else self.values[world, unit, draw]
            return tuple(known.tolist())

        found = settle_self_patches(self._study, self.values, plain)
        return {} if found is None else {"self_patch": found}

    def _fill(self, cells: Cells, outcomes: Outcomes) -> None:
        odd, which = np.nonzero(~np.isfinite(outcomes))
        if len(odd):
            row, label = cells.pick(odd[:1]).rows()[0], self._study.prepared.each[which[0]].label
            raise OutcomeError(
                f"The outcome of unit {row.unit} in world {self._study.worlds[row.world]} is "
                f"{outcomes[odd[0], which[0]]}: {label} must be finite. "
                "Look at the outcome's own function, the intervention's scale, the model's dtype and the unit's input."
            )
        one, all_draws = self._random[cells.world], ~self._random[cells.world]
        self.values[cells.world[one], cells.unit[one], cells.draw[one]] = outcomes[one]
        self.values[cells.world[all_draws], cells.unit[all_draws]] = outcomes[all_draws][:, None]
        self._progress.advance(len(cells))

    def _compare(self, one: Pass, row: Row, values: Sequence[float]) -> None:
        """Compare the outcomes of a self-check with what they must be."""
        name = one.check.replace(" ", "_")
        plain = self.plain[RUNS.index(row.run), row.unit]
        held = self.values[row.world, row.unit, row.draw] if one.check == "sample" else plain
        apart = []
        for part, ran, known in zip(self._study.prepared.each, values, held.tolist(), strict=True):
            value, expected = (ran, known) if one.check == "consistency" else (known, ran)
            what, blame = self._told(one, row, value, expected, self._study.naming(part))
            apart.append(compared(self._study, value, expected, what=what, blame=blame, at=(row.run, row.unit)))
        self.checks[name] = noted(self.checks.get(name), apart)

    def _told(self, one: Pass, row: Row, value: float, expected: float, outcome: str) -> tuple[str, str]:
        """Return what is said of a difference, and what is blamed for it."""
        if one.check == "consistency":
            (site, _), *_ = one.study.placed(one.study.worlds[row.world])
            return (
                f"Patching {site} of unit {row.unit} with its own activation changed {outcome} from {expected:.6g} "
                f"to {value:.6g} ({row.run} input).",
                f"The backend {self._backend!r} does not put activations back where it found them, so no effect can be "
                "reported.",
            )
        if one.check == "most padded":
            return (
                f"The {row.run} input of unit {row.unit}, run plain in a batch, has {outcome} {value:.6g}, and one "
                f"plain forward pass of it alone gives {expected:.6g}.",
                f"Nothing is reported. Try batch_size=1 or backend='reference', {_REPORT}",
            )
        of = f", {outcome}" if self._study.prepared.parts else ""
        return (
            f"World {self._study.worlds[row.world]} of unit {row.unit}{of}: the run gave {value:.6g} and one plain "
            f"forward pass gives {expected:.6g}.",
            f"Nothing is reported. Try fan_out=False or backend='reference', {_REPORT}",
        )
