"""The proportion mediated and the rows that it is made of: bounded, and called weak, by the interval of TE alone."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mediation as med
from mediation.results.text._sets import set_of


def _frame(n, seed, total=1.0, digits=None):
    rng = np.random.default_rng(seed)
    y00 = rng.normal(0.2, 0.2, n)
    te = rng.normal(total, 0.3, n)
    frame = pd.DataFrame({"y00": y00, "y01": y00 + 0.6 * te + rng.normal(0, 0.1, n), "y11": y00 + te})
    frame["y10"] = y00 + 0.3 * te + rng.normal(0, 0.1, n)
    return frame if digits is None else frame.round(digits)


def _said(frame, **how):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = med.effects(frame, rng=0, n_resamples=999, **how)
    rows = {row["estimand"]: row for row in result.tidy().to_dict("records")}
    words = str(result.summary()) + " ".join(str(one.message) for one in caught)
    return rows, "not distinguishable from 0" in " ".join(words.split())


@pytest.mark.parametrize("n", [4, 5, 6, 8, 12, 25])
@pytest.mark.parametrize("total", [0.15, 0.4, 1.0])
def test_a_set_is_bounded_exactly_when_the_interval_of_te_excludes_0(n, total):
    for seed in range(4):
        rows, weak = _said(_frame(n, seed, total, digits=1 if seed % 2 else None))
        te, ratio = rows["te"], set_of(rows["pm"])
        if te["conf_low"] != te["conf_low"] or rows["pm"]["method"] == "degenerate":
            continue
        excludes = te["conf_low"] > 0 or te["conf_high"] < 0
        assert ratio.is_bounded == excludes
        assert weak == (not excludes)


@pytest.mark.parametrize("seed", range(6))
def test_six_units_with_a_strong_total_effect_have_a_set_near_fiellers(seed):
    frame = _frame(6, seed, total=2.0, digits=1)
    rows, weak = _said(frame)
    top, bottom = frame["y11"] - frame["y10"], frame["y11"] - frame["y00"]
    (vaa, vab), (_, vbb) = np.cov(top, bottom) / 6
    q2, a, b = stats.t.ppf(0.975, 5) ** 2, top.mean(), bottom.mean()
    lead, middle, last = b * b - q2 * vbb, a * b - q2 * vab, a * a - q2 * vaa
    low, high = ((middle + sign * (middle**2 - lead * last) ** 0.5) / lead for sign in (-1, 1))
    row = rows["pm"]
    assert row["conf_low"] <= low + 1e-9
    assert row["conf_high"] >= high - 1e-9
    assert row["conf_high"] - row["conf_low"] < 10 * (high - low)
    assert not weak


def test_a_set_that_is_unbounded_beside_a_clear_total_effect_says_why():
    frame = _frame(4, 3, total=0.9)
    rows, _ = _said(frame, method="percentile", confidence_level=0.99)
    te = rows["te"]
    assert te["conf_low"] > 0
    assert not set_of(rows["pm"]).is_bounded
    how = {"method": "percentile", "confidence_level": 0.99, "n_resamples": 999, "rng": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = " ".join(str(med.effects(frame, **how).summary()).split())
    assert "needs more evidence of a total effect than the interval of TE" in text
    assert "not distinguishable" not in text


@pytest.mark.parametrize(("through", "n"), [(3, 30), (0, 30), (2, 30), (1, 50)])
def test_the_share_of_few_changed_answers_is_bonett_and_prices_test_inverted(through, n):
    """All r at which the mean of A - r B, with a pseudo-unit at either end of its range, is within z errors of 0."""
    changes = np.arange(n) < 3
    some = np.arange(n) < through
    frame = pd.DataFrame({"y00": 0.0, "y11": changes * 1.0, "y01": some * 1.0, "y10": (changes & ~some) * 1.0})
    frame.loc[n - 1] = 1.0  # right in all runs: answers, both kinds of which occur
    row = _said(frame, estimands=["te", "pm"])[0]["pm"]
    assert row["method"].startswith("fieller, bonett-price")
    assert row["estimate"] == pytest.approx(through / 3)
    grid = np.linspace(-5, 5, 2001)
    top, bottom = frame["y11"] - frame["y10"], frame["y11"] - frame["y00"]
    inside = []
    for r in grid:
        span = 0.5 * (abs(1 - r) + 1 + abs(r))
        values = np.append(top - r * bottom, [span, -span])
        error = np.sqrt(((values - values.mean()) ** 2).sum()) / (n + 2)
        inside.append(abs(values.mean()) <= stats.norm.ppf(0.975) * error)
    found = np.array([set_of(row).contains(r) for r in grid])
    assert (found == np.array(inside)).mean() > 0.998
