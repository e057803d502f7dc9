"""Arms, the clock, and the bare matrix product."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from .case import Case, Site

Cell = tuple[int, int, int]  # unit, layer, position

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
_SIDE = {"cpu": 2048, "cuda": 8192}


@dataclass
class Watch:
    """Adds up the seconds of named parts of one run."""

    clock: Callable[[], float]
    cuda: bool = False
    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, part: str) -> Any:
        """Time a ``with`` block; on a GPU, until its work is done."""
        self._wait()
        start = self.clock()
        yield
        self._wait()
        self.spent[part] = self.spent.get(part, 0.0) + self.clock() - start

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Timed:
    """One run of an arm: its outcomes, and how many cells each second stands for.

    Attributes
    ----------
    values
        Outcome of the base input with the source's activation at a site, by cell.
    once
        Seconds that a full sweep of these units takes once, such as to read the source's activations.
    cells
        Seconds of the cells that were run.
    ran
        How many cells that were.
    other
        Other numbers to keep.
    """

    values: dict[Cell, float]
    once: float
    cells: float
    ran: int
    other: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """A way to do the sweep.

    Attributes
    ----------
    run
        From sites and the clock to a timed run. `mediation` always does all sites.
    units
        Units that a run does.
    directions
        1 if only the base is patched, 2 if the source is, too.
    exact
        False if numbers are compared by another rule, as in half precision.
    """

    name: str
    run: Callable[[Sequence[Site], Watch], Timed]
    units: int = 1
    directions: int = 1
    exact: bool = True

    def seconds(self, timed: Timed, sites: int) -> float:
        """Return seconds a cell of a full sweep over `sites` sites."""
        return timed.once / (sites * self.units * self.directions) + timed.cells / timed.ran


def bare_rate(device: str, dtype: torch.dtype, watch: Watch, *, at_least: float = 0.4) -> float:
    """Return FLOPs a second of a large square matrix product.

    Parameters
    ----------
    at_least
        Seconds of products to time, after one that is not.
    """
    side = _SIDE["cuda" if watch.cuda else "cpu"]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    torch.mm(left, right, out=out)
    done, fresh = 0, Watch(watch.clock, watch.cuda)
    while fresh.spent.get("product", 0.0) < at_least:
        with fresh("product"):
            torch.mm(left, right, out=out)
        done += 1
    return 2.0 * side**3 * done / fresh.spent["product"]


def model_rate(what: Case, watch: Watch, *, rows: int = 64, at_least: float = 0.4) -> float:
    """Return FLOPs a second of the model's own blocks, in plain passes over `rows` inputs of the sweep's length.

    The same FLOPs are counted as for the patched rows: the model's matrices and attention. What this rate lacks of the
    bare product's is what the model itself spends on norms, rotations, activations, the softmax and small products.

    Parameters
    ----------
    at_least
        Seconds of passes to time, after one that is not.
    """
    blocks, ids = what.bare().base_model, what.base[:1].repeat(rows, 1)
    done, fresh = 0, Watch(watch.clock, watch.cuda)
    with torch.no_grad():
        blocks(ids, use_cache=False)
        while fresh.spent.get("passes", 0.0) < at_least:
            with fresh("passes"):
                blocks(ids, use_cache=False)
            done += 1
    return rows * what.flops([(-1, 0)]) * done / fresh.spent["passes"]
