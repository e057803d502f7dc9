"""A plan made from a pilot: what the formulas say at each size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...inference.power import (
    Flips,
    Pilot,
    can_enumerate,
    detectable_effect,
    equivalence_power,
    fewest,
    flip_detectable,
    flip_margin,
    flip_power,
    flip_units,
    flips_of,
    pilot_of,
    smallest_margin,
    t_power,
)

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked of a study.

    Parameters
    ----------
    effect, own
        True effect to be found, and whether it is the pilot's own estimate.
    margin
        Margin of the equivalence test; None when none is planned.
    alpha, power
        One minus the level of the interval that decides, and the power wanted.
    """

    effect: float
    own: bool
    margin: float | None
    alpha: float
    power: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A pilot of one quantity, and what the formulas make of it.

    Parameters
    ----------
    key, where
        The estimand, and the site or arm.
    values, clusters, weights
        The pilot's units, (n,) each.
    pilot
        Its mean, standard error and size; the error is the wider one where `sd` is 'upper'.
    flips
        Shares of +1 and -1, where the values are differences of right and wrong answers of independent units.
    sd, share
        Which standard deviation is used, and of which confidence limit.
    widening
        The standard deviation that is used, relative to the estimated one.
    picked
        Whether the row is one of several, of which it may have been picked for its estimate.
    """

    key: str
    where: str
    values: Array
    clusters: NDArray[np.object_]
    weights: Array
    pilot: Pilot
    flips: Flips | None
    sd: Literal["estimate", "upper"] = "estimate"
    share: float = math.nan
    picked: bool = False

    @staticmethod
    def of(key: str, where: str, values: Array, clusters: Array, weights: Array, *, picked: bool) -> Plan:
        """Return the plan of a pilot's units."""
        clustered = len(set(clusters.tolist())) < len(clusters)
        pilot = pilot_of(values, clusters if clustered else None, weights)
        plain = not clustered and len(set(weights.tolist())) == 1
        return Plan(
            key=key,
            where=where,
            values=values,
            clusters=np.asarray(clusters, dtype=object),
            weights=weights,
            pilot=pilot,
            flips=flips_of(values) if plain else None,
            picked=picked,
        )

    @property
    def clustered(self) -> bool:
        """Whether some cluster holds more than one unit."""
        return self.pilot.n_clusters < self.pilot.n

    @property
    def called(self) -> str:
        """What is sampled: 'clusters' or 'units'."""
        return "clusters" if self.clustered else "units"

    @property
    def widening(self) -> float:
        """The standard error that is used, relative to the estimated one."""
        own = pilot_of(self.values, self.clusters if self.clustered else None, self.weights)
        return self.pilot.std_error / own.std_error

    @property
    def method(self) -> str:
        """How powers are computed."""
        if self.flips is not None:
            return "enumeration of the flips (Bonett-Price below 10 units that differ from the commonest value, else t)"
        return f"noncentral t with J - 1 degrees of freedom, J the number of {self.called}"

    def units_of(self, n_clusters: int) -> int:
        """Return the number of units in that many clusters of the pilot's mean size."""
        return round(n_clusters * self.pilot.n / self.pilot.n_clusters)

    def clusters_of(self, n: int) -> int:
        """Return the number of whole clusters of the pilot's mean size in `n` units."""
        return math.floor(n * self.pilot.n_clusters / self.pilot.n + 1e-9)

    def curve(self, sizes: Sequence[int], target: Target) -> pd.DataFrame:
        """Return power, detectable effect and smallest margin by the number of clusters."""
        rows = [self._at(size, target) for size in sizes]
        names = ["n", "n_clusters", "power", "detectable_effect", "smallest_margin", "equivalence_power"]
        return pd.DataFrame(rows, columns=names).astype({"n": "int64", "n_clusters": "int64"})

    def _at(self, size: int, target: Target) -> tuple[int, int, float, float, float, float]:
        wish = {"alpha": target.alpha, "power": target.power}
        flips = self._enumerated(size, target.effect)
        if flips is None:
            error = float(self.pilot.error_at(size))
            least, small = detectable_effect(error, size, **wish), smallest_margin(error, size, **wish)
        else:
            least, small = flip_detectable(flips, size, **wish), flip_margin(flips, size, **wish)
        found = self.power_at(size, target)
        shown = math.nan if target.margin is None else self.power_at(size, target, equivalence=True)
        return self.units_of(size), size, found, least, small, shown

    def power_at(self, size: int, target: Target, *, equivalence: bool = False) -> float:
        """Return the power at `size` clusters: against no effect, or of the equivalence test."""
        effect = 0.0 if equivalence else target.effect
        flips = self._enumerated(size, effect)
        if flips is not None:
            margin = target.margin if equivalence else None
            return flip_power(flips.shifted(effect), size, alpha=target.alpha, margin=margin)
        error = float(self.pilot.error_at(size))
        if equivalence:
            assert target.margin is not None
            return float(equivalence_power(target.margin, error, size, alpha=target.alpha))
        return float(t_power(effect, error, size, alpha=target.alpha))

    def _enumerated(self, size: int, effect: float) -> Flips | None:
        """Return the flips if their pairs are few enough to go through, and the effect is one that flips can have."""
        if self.flips is None or abs(effect) >= 1.0:
            return None
        flips = self.flips.scaled(self.widening**2)
        return flips if can_enumerate(flips.shifted(effect), size) else None

    def needed(self, target: Target, *, equivalence: bool = False) -> int | None:
        """Return the number of clusters at which the power is reached; None if it is not asked, or beyond counting."""
        if equivalence and target.margin is None:
            return None
        if not equivalence and target.effect == 0.0:
            return None
        flips = self._enumerated(2, target.effect)
        if flips is not None:
            effect, margin = (0.0, target.margin) if equivalence else (target.effect, None)
            found = flip_units(flips.shifted(effect), alpha=target.alpha, power=target.power, margin=margin)
            if found is not None:
                return found
        return fewest(lambda size: self.power_at(size, target, equivalence=equivalence), target.power)
