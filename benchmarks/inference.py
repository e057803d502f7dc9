"""How long intervals take, as ratios within one run: against scipy's bootstrap, and against the bare matrix product.

    python benchmarks/inference.py [--sites 1000] [--units 200] [--resamples 9999] [--json FILE]

Every time is the smallest of several runs. scipy's time is that of a sample of the sites, times their share: it is a
loop over sites. Memory is the peak of what is allocated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from mediation.inference import Inference, mean_intervals
from mediation.inference._resample import _kept_counts, resample_counts


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


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--sites", type=int, default=1000)
    ask.add_argument("--units", type=int, default=200)
    ask.add_argument("--resamples", type=int, default=9999)
    ask.add_argument("--repeats", type=int, default=7)
    ask.add_argument("--scipy-sites", type=int, default=50)
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    found = measure(args.sites, args.units, args.resamples, repeats=args.repeats, scipy_sites=args.scipy_sites)
    memory = peak_megabytes(args.sites, args.units, args.resamples)
    bands, product = found["bootstrap-t with bands"], found["weights x data, bare product"]
    print(f"{args.sites} sites, {args.units} units, B = {args.resamples}, {os.cpu_count()} cores")
    print(f"{'':46}{'seconds':>9}{'x bands':>9}{'x product':>11}")
    for name, took in found.items():
        print(f"{name:46}{took:9.3f}{took / bands:9.2f}{took / product:11.2f}")
    print(f"memory of bootstrap-t with bands, beyond the data: {memory:.0f} MB")
    if args.json:
        args.json.write_text(json.dumps({"seconds": found, "megabytes": memory, **vars(args)}, default=str, indent=1))


if __name__ == "__main__":
    main()
