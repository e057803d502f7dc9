"""The table of controls: variances that count what a unit gave, against sums over all pairs of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from mediation.analysis._control_runs import donors_of
from mediation.errors import DegenerateWarning
from mediation.estimands import NaturalIndirectEffect
from mediation.estimate import tabulate_controls
from mediation.inference import Inference
from tests.inference.naive import bell_mccaffrey

PNIE = (NaturalIndirectEffect("pure"),)
T = Inference(method="t", n_resamples=99)


def frame(values: np.ndarray, donors: np.ndarray, own: np.ndarray, weights: np.ndarray | None = None) -> pd.DataFrame:
    """Units whose effect is `own`, and whose control in each draw is ``values[unit, donor]``."""
    draws, n = donors.shape
    unit, draw = np.tile(np.arange(n), draws), np.repeat(np.arange(draws), n)
    donor = donors[draw, unit]
    parts = [
        pd.DataFrame({"control": "none", "unit": np.arange(n), "draw": 0, "donor": -1, "y01": own}),
        pd.DataFrame(
            {"control": "unrelated unit", "unit": unit, "draw": draw, "donor": donor, "y01": values[unit, donor]}
        ),
    ]
    units = pd.concat(parts, ignore_index=True).assign(site="here", y00=0.0)
    units["cluster"] = units["unit"]
    units["weight"] = np.ones(len(units)) if weights is None else weights[units["unit"]]
    return units


def row(units: pd.DataFrame, control: str, inference: Inference = T) -> pd.Series:
    return tabulate_controls(units, PNIE, inference).set_index("control").loc[control]


def every_pair(n: int) -> np.ndarray:
    return np.array([np.roll(np.arange(n), -shift) for shift in range(1, n)])


@pytest.mark.parametrize("weighted", [False, True])
def test_over_all_pairs_the_variance_is_the_sum_over_rows_that_share_a_unit_or_a_u_statistics(weighted):
    rng = np.random.default_rng(0)
    n = 7
    strong = 2 * rng.normal(size=n)
    values, own = rng.normal(size=(n, n)) + strong, rng.normal(size=n)
    weights = rng.uniform(0.5, 2, size=n) if weighted else np.ones(n)
    rows = [(i, j) for i in range(n) for j in range(n) if i != j]
    share = np.array([weights[i] for i, _ in rows]) / (n - 1) / weights.sum()
    alike = np.array([[bool({*one} & {*two}) for two in rows] for one in rows])
    off = ~np.eye(n, dtype=bool)
    for control, whole in (("unrelated unit", values), ("beyond unrelated unit", own[:, None] - values)):
        found = row(frame(values, every_pair(n), own, weights), control)
        number = np.array([whole[i, j] for i, j in rows])
        assert found["estimate"] == pytest.approx(share @ number, abs=1e-12)
        left = share * (number - share @ number)
        dyadic = left @ alike @ left / (1 - share @ alike @ share)
        got = np.array([whole[i, off[i]].mean() for i in range(n)])
        gave = [(weights[off[i]] * (whole[off[i], i] - got[off[i]])).sum() / (n - 2) / weights[i] for i in range(n)]
        least = min(one_way(got, weights), one_way(got + gave, weights))
        # Units of unequal weight give unequally, which counts as a few donors less.
        assert found["std_error"] == pytest.approx(np.sqrt(max(dyadic, least)), rel=0.02 if weighted else 1e-9)
        assert found["n_draws"] == n - 1


def one_way(number: np.ndarray, weights: np.ndarray) -> float:
    """Variance of a weighted mean of independent units."""
    total = weights / weights.sum()
    factors, _ = bell_mccaffrey(range(len(number)), weights)
    return (factors * total**2) @ (number - total @ number) ** 2


def test_what_a_unit_gives_counts_as_much_as_what_it_gets():
    """With f(i, j) = a_i + b_j the mean is mean(a) + mean(b), so its error is that of the mean of a + b."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 30))
    # Both roles are found exactly, so an effect of a + b + 1 is beyond the control by 1 in every unit.
    units = frame(a[:, None] + b[None, :], every_pair(30), a + b + 1)
    with pytest.warns(DegenerateWarning, match="same value"):
        table = tabulate_controls(units, PNIE, T).set_index("control")
    found, beyond = table.loc["unrelated unit"], table.loc["beyond unrelated unit"]
    assert found["estimate"] == pytest.approx((a + b).mean(), abs=1e-12)
    assert found["std_error"] == pytest.approx((a + b).std(ddof=1) / np.sqrt(30), rel=1e-9)
    assert beyond["estimate"] == pytest.approx(1, abs=1e-12)


@pytest.mark.statistical
def test_the_effect_beyond_a_control_is_over_the_units_that_the_control_has():
    rng, n = np.random.default_rng(4), 7
    values, own, donors = rng.normal(size=(n, n)), rng.normal(size=n), every_pair(n)[:2]
    units = frame(values, donors, own)
    units = units[(units["control"] == "none") | (units["unit"] != 2)]
    kept = [unit for unit in range(n) if unit != 2]
    by_hand = np.mean([own[unit] - np.mean([values[unit, donors[draw, unit]] for draw in (0, 1)]) for unit in kept])
    assert row(units, "beyond unrelated unit")["estimate"] == pytest.approx(by_hand)
    assert row(units, "none")["estimate"] == pytest.approx(own.mean())


def test_intervals_of_random_donors_cover():
    """f(i, j) = 1 + a_i + b_j + a_i b_j / 2 + noise with strong donors b: means of units alone cover far too rarely."""
    rng = np.random.default_rng(2)
    n, draws, sims = 24, 10, 160
    hits = {"unrelated unit": 0, "beyond unrelated unit": 0, "units alone": 0}
    for sim in range(sims):
        a, b = 0.3 * rng.normal(size=n), rng.normal(size=n)
        values = 1 + a[:, None] + b[None, :] + a[:, None] * b[None, :] / 2 + 0.5 * rng.normal(size=(n, n))
        own = 2 + a + b + a * b / 2 + 0.5 * rng.normal(size=n)
        units = frame(values, donors_of([0] * n, draws, sim), own)
        table = tabulate_controls(units, PNIE, T).set_index("control")
        for name in ("unrelated unit", "beyond unrelated unit"):
            hits[name] += table.loc[name, "conf_low"] <= 1 <= table.loc[name, "conf_high"]
        alone = units.assign(donor=-1)
        low, high = row(alone, "unrelated unit")[["conf_low", "conf_high"]]
        hits["units alone"] += low <= 1 <= high
    # Monte Carlo standard error at .95: .017. The table in docs/inference/controls.md has 1,000 samples.
    assert hits["unrelated unit"] / sims >= 0.92
    assert hits["beyond unrelated unit"] / sims >= 0.92
    assert hits["units alone"] / sims < 0.8


@given(groups=st.lists(st.integers(0, 3), min_size=1, max_size=12), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=50)
def test_donors_are_cycles_within_groups(groups, seed):
    donors = donors_of(groups, 3, seed)
    for draw in donors:
        assert sorted(draw) == list(range(len(groups)))
        assert [groups[unit] for unit in draw] == groups
        for unit, donor in enumerate(draw):
            assert (donor == unit) == (groups.count(groups[unit]) == 1)
    assert donors.tolist() == donors_of(groups, 3, seed).tolist()
    assert donors[:2].tolist() == donors_of(groups, 2, seed).tolist()


def test_every_other_unit_is_as_likely_a_donor():
    donors = donors_of([0] * 4, 3000, 0)
    counts = np.array([[(donors[:, unit] == other).sum() for other in range(4)] for unit in range(4)])
    assert np.diag(counts).tolist() == [0, 0, 0, 0]
    assert np.abs(counts[~np.eye(4, dtype=bool)] - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)
