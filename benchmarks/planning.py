"""What a row costs beside its forward pass: planning, checking and filling, in microseconds per world and unit.

    python benchmarks/planning.py [--layers 15] [--tokens 14] [--units 32 128] [--rounds 3]

A sweep of the residual stream over all layers and positions of a tiny random model, both directions. Timed is what lies
between the passes: the planner makes the next one, worlds that turn out to be the plain run are found, outcomes are
filled in. Binding the study (`make_study`, one forward pass included) is timed apart. Left out are forward passes, and
what a pass does itself: making its batch, and putting activations in. Times are of the processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import mediation as med
from mediation.engine import AbstractExecutor, Execution, HookBackend, Pass, make_study, progress_for, run_study


class Between(AbstractExecutor):
    """Hands passes on, and measures the time between them."""

    def __init__(self, inner: AbstractExecutor) -> None:
        self.inner, self.seconds, self.passes = inner, 0.0, 0
        self._left = time.process_time()

    def outcomes(self, one: Pass) -> NDArray[np.float64]:
        """Hand a pass on."""
        self.seconds += time.process_time() - self._left
        self.passes += 1
        found = self.inner.outcomes(one)
        self._left = time.process_time()
        return found

    def unchanged(self, worlds: NDArray[np.int64], units: Sequence[int]) -> NDArray[np.bool_]:
        """Hand the question on."""
        return self.inner.unchanged(worlds, units)


def once(layers: int, tokens: int, units: int) -> tuple[int, int, float, float]:
    """Return rows, passes, and the seconds of binding and of all that lies between the passes."""
    model = med.load(med.testing.tiny_model("llama", layers=layers, attention="sdpa"))
    draw = torch.Generator().manual_seed(0)
    base, source = ([torch.randint(3, 250, (tokens,), generator=draw) for _ in range(units)] for _ in range(2))
    pairs = med.Pairs(base=base, source=source)
    sites = [med.residual(layer, at=position) for layer in range(layers) for position in range(tokens)]
    worlds = [med.World("base"), med.World("source")]
    worlds += [med.World(run, med.Interchange().at(site)) for run in ("base", "source") for site in sites]
    begun = time.process_time()
    study = make_study(model, pairs, worlds, med.LogitDiff(5, 6), seed=0)
    bound, watches = time.process_time() - begun, list[Between]()

    def through(inner: AbstractExecutor) -> AbstractExecutor:
        watches.append(Between(inner))
        return watches[-1]

    run_study(study, Execution(backend=HookBackend(), checks=0), progress_for(False), through=through)
    return len(worlds) * units, watches[0].passes, bound, watches[0].seconds


def main() -> None:
    """Time and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--layers", type=int, default=15)
    ask.add_argument("--tokens", type=int, default=14)
    ask.add_argument("--units", type=int, nargs="+", default=[32, 128])
    ask.add_argument("--rounds", type=int, default=3)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for units in asked.units:
        rounds = [once(asked.layers, asked.tokens, units) for _ in range(asked.rounds)]
        rows, passes, *_ = rounds[0]
        bound, between = ([1e6 * one[at] / rows for one in rounds] for at in (2, 3))
        shown = [f"{statistics.median(some):.2f} [{min(some):.2f}, {max(some):.2f}]" for some in (bound, between)]
        print(
            f"{units} units, {rows:,} rows, {passes} passes: binding {shown[0]} us, between passes {shown[1]} us a row"
        )


if __name__ == "__main__":
    main()
