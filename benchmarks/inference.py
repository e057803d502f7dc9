"""How long intervals take, as ratios within one run: against scipy's bootstrap, and against the bare matrix product.

    python benchmarks/inference.py [--sites 1000] [--units 200] [--resamples 9999] [--small] [--json FILE]

Every time is the smallest of several runs. scipy's time is that of a sample of the sites, times their share: it is a
loop over sites. Memory is the peak of what is allocated.

The last lines are of `med.effects` on a frame of 1,000 units x 5,000 sites (`--small`: 500 sites), beside the matrix
products of its resampling alone: the sums of residuals and of their squares in every resample, with counts made before.
The two take turns, each in a process of its own; its memory is the most that the process held, the frame included.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import mediation as med
from mediation.inference import Inference, mean_intervals
from mediation.inference.resampling._resample import _kept_counts, resample_counts


def seconds(function: Callable[[], object], *, repeats: int) -> float:
    """Return the shortest time of `function`; the resamples are made afresh in every run."""
    best = np.inf
    for _ in range(repeats):
        _kept_counts.cache_clear()
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return float(best)


def sample(sites: int, units: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.exponential(1.0, (units, sites)) - 0.8 + rng.normal(0.0, 0.3, (units, 1))


def peak_megabytes(sites: int, units: int, n_resamples: int) -> float:
    """Return the most memory that bands over all sites hold at once, as numpy reports it to tracemalloc."""
    values = sample(sites, units)
    _kept_counts.cache_clear()
    tracemalloc.start()
    mean_intervals(values, settings=Inference(n_resamples=n_resamples), bands=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def measure(sites: int, units: int, n_resamples: int, *, repeats: int, scipy_sites: int) -> dict[str, float]:
    values = sample(sites, units)
    settings = {
        name: Inference(method=name, n_resamples=n_resamples)  # type: ignore[arg-type]
        for name in ("bootstrap-t", "percentile", "basic", "bca", "expanded-percentile", "normal", "t")
    }
    counts = np.concatenate([block for _, block in resample_counts(units, n_resamples, 0)])
    found = {"weights x data, bare product": seconds(lambda: counts @ values, repeats=repeats)}
    found["bootstrap-t with bands"] = seconds(
        lambda: mean_intervals(values, settings=settings["bootstrap-t"], bands=True), repeats=repeats
    )
    for name, one in settings.items():
        found[name] = seconds(lambda one=one: mean_intervals(values, settings=one), repeats=repeats)
    for method in ("percentile", "BCa"):
        start = time.perf_counter()
        for site in range(scipy_sites):
            stats.bootstrap((values[:, site],), np.mean, n_resamples=n_resamples, method=method, rng=1)
        found[f"scipy.stats.bootstrap, {method}, site by site"] = (time.perf_counter() - start) / scipy_sites * sites
    return found


def products_alone(sites: int, units: int, n_resamples: int) -> float:
    """Return the seconds of the products of counts with residuals and their squares, in blocks."""
    residuals = np.random.default_rng(0).normal(size=(sites, units))
    left = np.concatenate([residuals, np.square(residuals)])
    blocks = [counts for _, counts in resample_counts(units, n_resamples, 0)]
    start = time.perf_counter()
    for counts in blocks:
        for first in range(0, len(left), 1000):
            left[first : first + 1000] @ counts.T
    return time.perf_counter() - start


def whole_call(sites: int, units: int, n_resamples: int) -> float:
    """Return the seconds of `med.effects` on a frame of `units` x `sites` rows, unit by unit."""
    frame = pd.DataFrame({"unit": np.repeat(np.arange(units), sites), "site": np.tile(np.arange(sites), units)})
    rng = np.random.default_rng(0)
    for name, shift in (("y00", 0.0), ("y01", 0.1)):
        frame[name] = rng.normal(shift, 1.0, units * sites)
    start = time.perf_counter()
    med.effects(frame, estimands="pnie", rng=0, n_resamples=n_resamples)
    return time.perf_counter() - start


def with_memory(function: Callable[..., float], *sizes: int) -> tuple[float, float]:
    """Return the seconds that `function` tells of, and the most megabytes that this process has held."""
    return function(*sizes), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def side_by_side(*sizes: int, repeats: int) -> dict[str, float]:
    """Return the shortest seconds of `med.effects` and of its products alone, and the most memory of the former."""
    told: dict[Callable[..., float], list[tuple[float, float]]] = {products_alone: [], whole_call: []}
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for _ in range(repeats):
            for function, found in told.items():
                found.append(pool.submit(with_memory, function, *sizes).result())
    return {
        "products": min(took for took, _ in told[products_alone]),
        "effects": min(took for took, _ in told[whole_call]),
        "megabytes": max(held for _, held in told[whole_call]),
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--sites", type=int, default=1000)
    ask.add_argument("--units", type=int, default=200)
    ask.add_argument("--resamples", type=int, default=9999)
    ask.add_argument("--repeats", type=int, default=7)
    ask.add_argument("--scipy-sites", type=int, default=50)
    ask.add_argument("--small", action="store_true", help="a tenth of the sites of med.effects")
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    sizes = (500 if args.small else 5000, 1000, args.resamples)
    frame = side_by_side(*sizes, repeats=3)  # first: a process starts with the memory of the one that starts it
    found = measure(args.sites, args.units, args.resamples, repeats=args.repeats, scipy_sites=args.scipy_sites)
    memory = peak_megabytes(args.sites, args.units, args.resamples)
    bands, product = found["bootstrap-t with bands"], found["weights x data, bare product"]
    print(f"{args.sites} sites, {args.units} units, B = {args.resamples}, {os.cpu_count()} cores")
    print(f"{'':46}{'seconds':>9}{'x bands':>9}{'x product':>11}")
    for name, took in found.items():
        print(f"{name:46}{took:9.3f}{took / bands:9.2f}{took / product:11.2f}")
    print(f"memory of bootstrap-t with bands, beyond the data: {memory:.0f} MB")
    print(
        f"med.effects of {sizes[1]} units x {sizes[0]} sites: {frame['effects']:.2f} s, the products alone "
        f"{frame['products']:.2f} s, ratio {frame['effects'] / frame['products']:.2f}, in {frame['megabytes']:.0f} MB"
    )
    if args.json:
        args.json.write_text(
            json.dumps({"seconds": found, "frame": frame, "megabytes": memory, **vars(args)}, default=str, indent=1)
        )


if __name__ == "__main__":
    main()
