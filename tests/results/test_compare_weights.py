"""Comparisons of weighted results, and of groups of as many units in different clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mediation.inference import Inference, group_difference_intervals, mean_intervals, ratio_difference_intervals
from tests.results.comparisons import potential_outcomes, result

N = 40
WEIGHTS = np.random.default_rng(5).uniform(0.3, 3.0, N)
SETTINGS = Inference(n_resamples=999, seed=0)
CONTRASTS = {"te": ("y11", "y00"), "pnie": ("y01", "y00"), "tnie": ("y11", "y10"), "pnde": ("y10", "y00")}


def of(frame: pd.DataFrame, key: str) -> np.ndarray:
    more, less = CONTRASTS[key]
    return (frame[more] - frame[less]).to_numpy()


def sides(*, other_units: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two frames of as many units, whose weights differ where the units do."""
    one, two = (potential_outcomes(n=N, seed=seed, te=te) for seed, te in ((1, 2.0), (2, 1.0)))
    one = one.assign(weight=WEIGHTS)
    return one, two.assign(weight=WEIGHTS[::-1], unit=two["unit"] + 100) if other_units else two.assign(weight=WEIGHTS)


@pytest.mark.parametrize("other_units", [False, True], ids=["paired", "groups"])
def test_the_two_estimates_are_weighted_as_their_difference_is(other_units):
    one, two = sides(other_units=other_units)
    keys = [*CONTRASTS, "pm"]
    found = result(one).compare(result(two), estimands=keys).tidy().set_index("estimand")
    for key in CONTRASTS:
        for name, frame in (("first", one), ("second", two)):
            expected = np.average(of(frame, key), weights=frame["weight"])
            assert found.loc[key, name] == pytest.approx(expected, rel=1e-12)
            assert abs(expected - of(frame, key).mean()) > 1e-3  # weights matter
    for name, frame in (("first", one), ("second", two)):
        parts = [np.average(of(frame, key), weights=frame["weight"]) for key in ("tnie", "te")]
        assert found.loc["pm", name] == pytest.approx(parts[0] / parts[1], rel=1e-12)
    np.testing.assert_allclose(found["first"] - found["second"], found["estimate"], atol=1e-12)


def test_paired_and_weighted_is_the_weighted_interval_of_the_differences():
    one, two = sides(other_units=False)
    found = result(one).compare(result(two), estimands=["te", "pm"]).tidy().set_index("estimand")
    apart = (of(one, "te") - of(two, "te"))[:, None]
    told = mean_intervals(apart, weights=WEIGHTS, settings=SETTINGS)
    assert found.loc["te", "conf_low"] == pytest.approx(told.conf_low[0], rel=1e-9)
    assert found.loc["te", "conf_high"] == pytest.approx(told.conf_high[0], rel=1e-9)
    pairs = [(of(frame, "tnie")[:, None], of(frame, "te")[:, None]) for frame in (one, two)]
    ratio = ratio_difference_intervals(*pairs, paired=True, weights=(WEIGHTS, WEIGHTS), settings=SETTINGS)
    assert found.loc["pm", "conf_low"] == pytest.approx(ratio.conf_low[0], rel=1e-9)


CLUSTERS = (np.arange(N) // 2, np.arange(N) % 8)


@pytest.mark.parametrize("swapped", [False, True])
def test_groups_of_as_many_units_keep_their_own_clusters_and_weights(swapped):
    one, two = sides(other_units=True)
    labels = CLUSTERS[::-1] if swapped else CLUSTERS
    one, two = one.assign(cluster=labels[0]), two.assign(cluster=labels[1])
    found = result(one).compare(result(two), estimands=["te", "pm"], paired=False).tidy().set_index("estimand")
    weights = one["weight"].to_numpy(), two["weight"].to_numpy()
    told = group_difference_intervals(
        of(one, "te")[:, None], of(two, "te")[:, None], clusters_first=labels[0], clusters_second=labels[1],
        weights_first=weights[0], weights_second=weights[1], settings=SETTINGS,
    )  # fmt: skip
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert found.loc["te", name] == pytest.approx(getattr(told, name)[0], rel=1e-9), name
    assert (found["n"] == 2 * N).all()
    assert (found["n_clusters"] == 20 + 8).all()
    pairs = [(of(frame, "tnie")[:, None], of(frame, "te")[:, None]) for frame in (one, two)]
    ratio = ratio_difference_intervals(*pairs, paired=False, clusters=labels, weights=weights, settings=SETTINGS)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert found.loc["pm", name] == pytest.approx(getattr(ratio, name)[0], rel=1e-9), name
