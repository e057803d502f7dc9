"""Coverage of the intervals of sampled Shapley effects, in games of which they are known.

A unit's game is a sum of unanimity games, v(S) = sum over sets T of c_T [T is part of S], whose Shapley effects are
sum over T with i in T of c_T / |T| (Shapley 1953). Units draw c_T at random; orders are drawn anew in each study.

`python -m tests.statistical.interactions` prints the table of docs/inference/interactions.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mediation.estimands._coalitions import Coalition, needed_coalitions, order_contributions, sampled_orders
from mediation.inference import Inference, crossed_intervals, mean_intervals

Array = NDArray[np.float64]
_T = Inference(method="t")


@dataclass(frozen=True)
class Family:
    """Unanimity games of `k` players: sets T, the mean of c_T, and its spread between units."""

    sets: tuple[Coalition, ...]
    mean: Array
    spread: float
    k: int

    @property
    def shapley(self) -> Array:
        """The mean Shapley effects, (k,)."""
        effects = np.zeros(self.k)
        for members, worth in zip(self.sets, self.mean, strict=True):
            effects[list(members)] += worth / len(members)
        return effects

    def worths(self, rng: np.random.Generator, n: int, coalitions: list[Coalition]) -> Array:
        """Return worths of `n` random units, (n, coalitions)."""
        each = self.mean + self.spread * (rng.exponential(size=(n, len(self.sets))) - 1.0)
        inside = [[set(members) <= set(coalition) for coalition in coalitions] for members in self.sets]
        return np.asarray(each @ np.array(inside, dtype=float))


def family(k: int, *, spread: float, largest: int, seed: int = 5) -> Family:
    """Return a family with every single player and 20 random sets of 3 to `largest` players."""
    rng = np.random.default_rng(seed)
    drawn = [tuple(sorted(rng.permutation(k)[: rng.integers(3, largest + 1)].tolist())) for _ in range(20)]
    sets = (*((i,) for i in range(k)), *drawn)
    return Family(sets, rng.normal(size=len(sets)), spread, k)


@dataclass(frozen=True)
class Coverage:
    """Shares of intervals that hold the true Shapley effect, and their mean half width: over units and orders, and
    over units alone, as if the orders that were drawn were all there are."""

    crossed: float
    units: float
    crossed_width: float
    units_width: float


def coverage(games: Family, *, n: int, n_orders: int, studies: int, seed: int = 0) -> Coverage:
    """Return the coverage of nominal 95% intervals over `studies` studies of `n` units, all players counted."""
    rng = np.random.default_rng(seed)
    held, widths = np.zeros(2), np.zeros(2)
    for _ in range(studies):
        orders = sampled_orders(games.k, n_orders, rng)
        coalitions = needed_coalitions(games.k, orders, pairwise=False)
        added = order_contributions(orders, games.worths(rng, n, coalitions), coalitions)
        found = crossed_intervals(added), mean_intervals(added.mean(axis=1), settings=_T)
        held += [np.mean((one.conf_low <= games.shapley) & (games.shapley <= one.conf_high)) for one in found]
        widths += [np.mean(one.conf_high - one.conf_low) / 2 for one in found]
    return Coverage(*(held / studies), *(widths / studies))


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--studies", type=int, default=1000)
    studies = ask.parse_args().studies
    print("| sites | interactions of up to | units differ by | n | orders | over units and orders | over units alone |")
    print("|---|---|---|---|---|---|---|")
    for k, largest, spread, n, n_orders in (
        (12, 6, 0.3, 50, 64),
        (12, 6, 1.0, 50, 64),
        (12, 6, 3.0, 50, 64),
        (12, 6, 1.0, 20, 64),
        (12, 6, 1.0, 200, 64),
        (12, 6, 1.0, 50, 16),
        (20, 10, 1.0, 50, 64),
    ):
        row = coverage(family(k, spread=spread, largest=largest), n=n, n_orders=n_orders, studies=studies)
        print(
            f"| {k} | {largest} | {spread:g} | {n} | {n_orders} "
            f"| {row.crossed:.3f} (half width {row.crossed_width:.2f}) | {row.units:.3f} ({row.units_width:.2f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
