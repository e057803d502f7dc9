"""Random donors and noise, seeded by unit and draw: the same in every batch, site and arm."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._checks import listed
from ...errors import DataError, DesignError
from ...interventions import Donor
from ...units import Pairs

_NOISE, _DONOR = 1, 2


def noise(shape: tuple[int, ...], *, seed: int, unit: int, draw: int, stream: int) -> Tensor:
    """Return standard normal numbers that depend on `seed`, `unit`, `draw` and `stream` only (float32, CPU)."""
    state = np.random.SeedSequence((seed, _NOISE, unit, draw, stream)).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(state >> np.uint64(1)))
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def donor_units(need: Donor, pairs: Pairs, *, seed: int, draw: int) -> NDArray[np.int64]:
    """Return the donor of every unit.

    Raises
    ------
    DataError
        If there is no other unit to take from.
    DesignError
        If an index does not name one existing unit for each unit.
    """
    n = len(pairs)
    if need.unit == "own":
        return np.arange(n)
    if need.unit == "index":
        index = np.asarray(need.index)
        if len(index) != n or index.min() < 0 or index.max() >= n:
            raise DesignError(
                f"The index of donors has {len(index)} numbers, from {index.min()} to {index.max()}; one unit number a "
                f"unit is needed: {n} of them, from 0 to {n - 1}."
            )
        return index
    if pairs.crossed:
        raise DesignError(
            "A donor drawn from other units makes units dependent by who gave, besides the two kinds of clusters "
            f"({' x '.join(map(str, pairs.crossed))}) that these pairs have. Give clusters of one kind, "
            "cluster='item', or a donor that is not random, such as med.Interchange()."
        )
    if n < 2:
        raise DataError("A donor from another unit needs at least two units; there is one. Add units.")
    rng = np.random.default_rng(np.random.SeedSequence((seed, _DONOR, draw)))
    if need.unit == "random":
        return (np.arange(n) + rng.integers(1, n, size=n)) % n
    groups = [np.arange(n)]
    if need.unit == "matched":
        labels = pairs.column(str(need.column))
        groups = [np.flatnonzero([label == value for label in labels]) for value in dict.fromkeys(labels)]
        lone = [labels[group[0]] for group in groups if len(group) < 2]
        if lone:
            raise DataError(
                f"Matched donors: {listed(lone)} in column {need.column!r} belong to one unit each, which then has no "
                "donor. Drop those units, or match on a coarser column."
            )
    donors = np.empty(n, dtype=np.int64)
    for group in groups:
        donors[group] = group[cycle(len(group), rng)]
    return donors


def cycle(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random permutation that is one cycle (Sattolo 1986), so that no unit is its own donor."""
    order = np.arange(n)
    for i in range(n - 1, 0, -1):
        j = int(rng.integers(0, i))
        order[i], order[j] = order[j], order[i]
    return order
