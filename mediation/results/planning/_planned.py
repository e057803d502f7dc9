"""What was found of a plan: the curve, the sizes that are needed, and both in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from ..._printable import printable
from ...inference.power import Simulated
from ..text import Field, Summary, meaning_of
from ._plan import Plan, Target

_CLOSE = 0.02  # a simulated power that falls short of the formula's by less is as good
BEYOND = "more than 10 million"


def digits(value: float) -> str:
    """Return a planned number in two significant digits; more would be false.

    Examples
    --------
    >>> digits(0.04321), digits(0.1), digits(12345.0), digits(float("nan"))
    ('0.043', '0.10', '12,000', 'none')
    """
    if np.isnan(value):
        return "none"
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:#.2g}"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Power:
    """What studies like a pilot can tell of one effect; made by `power`.

    Parameters
    ----------
    estimand, where, outcome
        Key of the estimand, its site or arm (empty where there is one), and the outcome.
    target
        The effect, margin, level and power that were asked for.
    plan
        The pilot, and the formulas.
    clusters_needed, clusters_for_margin
        Clusters (units, when there are none) at which the power to find the effect, and to show equivalence at the
        margin, is reached; None when that was not asked, or takes more than ten million.
    simulated
        Powers by simulation, each with what it is the power of: 'effect' or 'margin'.
    curve
        The frame that `tidy` returns.
    """

    estimand: str
    where: str
    outcome: str
    target: Target
    plan: Plan
    clusters_needed: int | None
    clusters_for_margin: int | None
    simulated: tuple[tuple[str, Simulated], ...]
    curve: pd.DataFrame

    @property
    def n(self) -> int:
        """Number of units of the pilot."""
        return self.plan.pilot.n

    @property
    def n_clusters(self) -> int:
        """Number of clusters of the pilot; equal to n when units are independent."""
        return self.plan.pilot.n_clusters

    @property
    def n_needed(self) -> int | None:
        """Number of units at which the effect is told from 0 with the power wanted."""
        return None if self.clusters_needed is None else self.plan.units_of(self.clusters_needed)

    @property
    def n_for_margin(self) -> int | None:
        """Number of units at which an effect of 0 is shown to lie within the margin with the power wanted."""
        return None if self.clusters_for_margin is None else self.plan.units_of(self.clusters_for_margin)

    @property
    def detectable_effect(self) -> float:
        """Smallest effect that the pilot's number of units tells from 0 with the power wanted; NaN if none is."""
        return float(self._row(self.n_clusters)["detectable_effect"])

    @property
    def smallest_margin(self) -> float:
        """Smallest margin that the pilot's number of units shows an effect of 0 to lie in, with the power wanted."""
        return float(self._row(self.n_clusters)["smallest_margin"])

    @property
    def method(self) -> str:
        """How the powers were computed."""
        return self.plan.method

    def tidy(self) -> pd.DataFrame:
        """Return the curve: `n, n_clusters, power, detectable_effect, smallest_margin, equivalence_power`.

        `power` is that of finding the effect; `equivalence_power`, at a true effect of 0, is NaN without a margin.
        """
        return self.curve.copy()

    def summary(self) -> Summary:
        """Return what was found, at the pilot's size and at those that are needed, as text for a paper."""
        sizes = {self.n_clusters, self.clusters_needed, self.clusters_for_margin} - {None}
        asked = self.curve if len(self.curve) <= 8 else self.curve[self.curve["n_clusters"].isin(sizes)]
        fields = [Field("n", tuple(f"{n:,}" for n in asked["n"]), "right")]
        if self.plan.clustered:
            fields.append(Field("clusters", tuple(f"{size:,}" for size in asked["n_clusters"]), "right"))
        if self.target.effect:
            fields.append(self._powers(f"power at {digits(self.target.effect)}", asked, "power"))
        fields += self._simulations("effect", asked)
        if self.target.margin is not None:
            fields.append(self._powers(f"power at ±{self.target.margin:.3g}", asked, "equivalence_power"))
            fields += self._simulations("margin", asked)
        for header, name in (("detectable", "detectable_effect"), ("margin", "smallest_margin")):
            fields.append(Field(header, tuple(digits(value) for value in asked[name]), "right"))
        return Summary(f"Power to tell {self._named()} from 0, and from a margin", tuple(fields), self._notes())

    def __repr__(self) -> str:
        needs = f"needs {self._count(self.clusters_needed)}" if self.target.effect else "of no effect"
        own = " (the pilot's own)" if self.target.own else ""
        return (
            f"<Power: {self._named()} of {digits(self.target.effect)}{own} {needs} for power {self.target.power:g}; "
            f"the pilot's {self._count(self.n_clusters)} detect {digits(self.detectable_effect)}, or show a margin of "
            f"{digits(self.smallest_margin)}>"
        )

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def _row(self, size: int) -> pd.Series:
        row: pd.Series = self.curve[self.curve["n_clusters"] == size].iloc[0]
        return row

    def _named(self) -> str:
        symbol = meaning_of(self.estimand).symbol
        return f"{symbol} at {printable(self.where)}" if self.where else symbol

    def _count(self, size: int | None) -> str:
        if size is None:
            return f"{BEYOND} {self.plan.called}"
        units = f"{self.plan.units_of(size):,} units"
        return f"{units} ({size:,} clusters)" if self.plan.clustered else units

    def _powers(self, header: str, rows: pd.DataFrame, name: str) -> Field:
        return Field(header, tuple(print_power(value) for value in rows[name]), "right")

    def _simulations(self, what: str, rows: pd.DataFrame) -> list[Field]:
        found = {one.n_clusters: one for key, one in self.simulated if key == what}
        if not found:
            return []
        cells = [found.get(int(size)) for size in rows["n_clusters"]]
        texts = ("" if one is None else f"{one.power:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in cells)
        return [Field("simulated", tuple(texts), "right")]

    def _notes(self) -> tuple[str, ...]:
        target = self.target
        level, half = f"{100 * (1 - target.alpha):.6g}%", target.alpha / 2
        own = ", the pilot's own estimate," if target.own else ""
        said = []
        if target.effect:
            said.append(
                f"To tell an effect of {digits(target.effect)}{own} from 0 with power {target.power:g} takes "
                f"{self._count(self.clusters_needed)}."
            )
        if target.margin is not None:
            said.append(
                f"To show that an effect of 0 lies within ±{target.margin:.3g} with power {target.power:g} takes "
                f"{self._count(self.clusters_for_margin)}."
            )
        said += [
            f"detectable: the smallest effect found with power {target.power:g}. margin: the smallest that an effect "
            "of 0 is shown to lie in with that power.",
            f"Tests: the {level} interval leaves out 0, or lies within the margin (two one-sided tests at {half:g}).",
            self._spread(),
            f"Formula: {self.method}.",
            self._simulation(),
            *self._cautions(),
            f"Outcome: {self.outcome}." if self.outcome else "",
        ]
        return tuple(filter(None, said))

    def _spread(self) -> str:
        pilot, plan = self.plan.pilot, self.plan
        who = f"n = {pilot.n:,} units" + (f" in {pilot.n_clusters:,} clusters" if plan.clustered else "")
        kept = " Clusters are taken to be of the pilot's sizes, so its design effect is kept." if plan.clustered else ""
        widened = ""
        if plan.sd == "upper":
            widened = (
                f" The standard deviation is its upper {100 * plan.share:g}% confidence limit, {plan.widening:.2f} "
                "times the estimate."
            )
        return f"Pilot: {who}, standard error {digits(pilot.std_error)}.{widened}{kept}"

    def _simulation(self) -> str:
        if not self.simulated:
            return ""
        samples = self.simulated[0][1].n_samples
        said = (
            f"Simulated: share of {samples:,} samples drawn from the pilot in which the test itself says so, with its "
            "95% interval."
        )
        short = {
            what: f"{print_power(one.power)} at {self._count(one.n_clusters)} (against {what_in_words(what)})"
            for what, one in self._decisive()
            if one.high < self._formula(what, one.n_clusters) - _CLOSE
        }
        if not short:
            return said
        return (
            f"{said} The formula promises too much here, since the pilot is skewed or has heavy tails: the power is "
            f"{' and '.join(short.values())}. Plan with more."
        )

    def _decisive(self) -> list[tuple[str, Simulated]]:
        """Return the simulated powers at the sizes that are needed, or the pilot's where no such one was simulated."""
        needed = {"effect": self.clusters_needed, "margin": self.clusters_for_margin}
        sizes = {(what, one.n_clusters) for what, one in self.simulated}
        chosen = {what: size if (what, size) in sizes else self.n_clusters for what, size in needed.items()}
        return [(what, one) for what, one in self.simulated if one.n_clusters == chosen[what]]

    def _formula(self, what: str, size: int) -> float:
        return float(self._row(size)["power" if what == "effect" else "equivalence_power"])

    def _cautions(self) -> list[str]:
        found = []
        if self.target.own and self.plan.picked:
            found.append(
                "The effect is the estimate of one row of several. If the row was picked for its estimate, that is too "
                "large on average (winner's curse): give effect=..., the smallest that matters."
            )
        elif self.target.own:
            found.append(
                "The pilot's own estimate may be too large by chance, and then the number needed is too small: give "
                "effect=..., the smallest that matters."
            )
        if self.plan.sd == "estimate" and self.plan.pilot.n_clusters < 50:
            found.append(
                f"The standard deviation of {self.plan.pilot.n_clusters} {self.plan.called} is uncertain: sd='upper' "
                "plans with its upper 80% confidence limit."
            )
        return found


def what_in_words(what: str) -> str:
    """Return what a power is against.

    Examples
    --------
    >>> what_in_words("effect"), what_in_words("margin")
    ('no effect', 'the margin')
    """
    return "no effect" if what == "effect" else "the margin"


def print_power(value: float) -> str:
    """Return a power in two decimals, never as 0 and never as 1.

    Examples
    --------
    >>> print_power(0.80123), print_power(1.0), print_power(float("nan"))
    ('0.80', '>0.99', '')
    """
    if np.isnan(value):
        return ""
    return ">0.99" if value > 0.99 else "<0.01" if value < 0.01 else f"{value:.2f}"
