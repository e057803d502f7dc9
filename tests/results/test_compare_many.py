from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

import mediation as med
from mediation.inference import crossed_intervals

ENDS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
MEANS = ["mean of these", "mean of such models", "a new such model"]


def _values(k=4, n=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + rng.normal(size=(n, k)) * 0.4 + np.linspace(0.8, 1.4, k)


def _result(effect, **more):
    frame = pd.DataFrame({"unit": range(len(effect)), "y00": 0.0, "y11": effect, **more})
    return med.effects(frame, rng=0, n_resamples=999)


@pytest.fixture
def values():
    return _values()


@pytest.fixture
def results(values):
    return {name: _result(values[:, at]) for at, name in enumerate("abcd")}


def test_contrasts_are_those_of_compare_and_bands_hold_over_all(results):
    found = med.compare_many(results).tidy()
    contrasts = found[found["part"] == "contrast"].set_index("result")
    assert list(contrasts.index) == ["a - b", "a - c", "a - d", "b - c", "b - d", "c - d"]
    for one, two in (("a", "b"), ("b", "d")):
        pair = results[one].compare(results[two]).tidy()
        assert contrasts.loc[f"{one} - {two}", ENDS].to_numpy(float) == pytest.approx(pair[ENDS].to_numpy(float)[0])
    assert (contrasts["band_low"] <= contrasts["conf_low"]).all()
    assert (contrasts["p_adjusted"] >= contrasts["p_value"]).all()
    own = found[found["part"] == "model"]
    assert own[ENDS].to_numpy() == pytest.approx(pd.concat([one.tidy() for one in results.values()])[ENDS].to_numpy())


def test_bands_are_max_t_over_contrasts_and_sites(values):
    frames = [
        pd.concat([pd.DataFrame({"unit": range(30), "site": s, "y00": 0.0, "y01": values[:, at] * c}) for s, c in
                   (("x", 1.0), ("y", 0.5))])
        for at in range(3)
    ]  # fmt: skip
    sweeps = [med.effects(one, rng=0, n_resamples=999) for one in frames]
    found = med.compare_many(sweeps, labels=["1", "2", "3"]).tidy()
    contrasts = found[found["part"] == "contrast"]
    assert contrasts[["site", "result"]].values.tolist()[:3] == [["x", "1 - 2"], ["x", "1 - 3"], ["x", "2 - 3"]]
    pairs = [(0, 1), (0, 2), (1, 2)]
    both = pd.concat(
        pd.DataFrame({"unit": range(30), "site": f"{s}{i}{j}", "y00": 0.0, "y01": c * (values[:, i] - values[:, j])})
        for s, c in (("x", 1.0), ("y", 0.5)) for i, j in pairs
    )  # fmt: skip
    joint = med.effects(both, rng=0, n_resamples=999).tidy()
    for name in ("band_low", "band_high", "p_adjusted"):
        assert contrasts[name].to_numpy() == pytest.approx(joint[name].to_numpy())


def test_the_mean_of_these_is_that_of_unit_means_and_of_such_models_is_two_way(values, results):
    found = med.compare_many(results).tidy().set_index("result")
    unit_means = _result(values.mean(axis=1)).tidy()
    assert found.loc["mean of these", ENDS].to_numpy(float) == pytest.approx(unit_means[ENDS].to_numpy(float)[0])
    crossed = crossed_intervals(values[:, :, None])
    row = found.loc["mean of such models"]
    assert [row[name] for name in ENDS] == pytest.approx([getattr(crossed, name)[0] for name in ENDS])


def test_tau_is_that_of_the_two_way_analysis_of_variance(values, results):
    n, k = values.shape
    models = n * values.mean(axis=0).var(ddof=1)
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    expected = max(0.0, (models - (residual**2).sum() / ((n - 1) * (k - 1))) / n)
    found = med.compare_many(results).tidy().set_index("result")
    assert found.loc[MEANS, "tau"].to_numpy() ** 2 == pytest.approx(np.full(3, expected))
    new, such = found.loc["a new such model"], found.loc["mean of such models"]
    assert new["std_error"] ** 2 == pytest.approx(expected + such["std_error"] ** 2)
    assert np.isnan(new["p_value"])
    assert found.loc[list("abcd"), ["tau", "p_heterogeneity"]].isna().all(axis=None)


def test_two_models_differ_as_their_paired_t_does(values):
    found = med.compare_many([_result(values[:, 0]), _result(values[:, 1])]).tidy().set_index("result")
    d = values[:, 0] - values[:, 1]
    statistic = d.mean() ** 2 / (d.var(ddof=1) / 30)
    assert found.loc["1 - 2", "estimate"] ** 2 / found.loc["1 - 2", "std_error"] ** 2 == pytest.approx(statistic)
    assert found.loc["mean of these", "p_heterogeneity"] < 0.05


def test_independent_results_are_those_of_a_meta_analysis(results):
    found = med.compare_many(results, paired=False)
    table = found.tidy().set_index("result")
    own = table.loc[list("abcd")]
    theta, variance = own["estimate"].to_numpy(), own["std_error"].to_numpy() ** 2
    pooled = combine_effects(theta, variance, method_re="iterated", use_t=True)
    row = table.loc["mean of such models"]
    assert row["estimate"] == pytest.approx(pooled.mean_effect_re)
    assert row["tau"] ** 2 == pytest.approx(pooled.tau2)
    assert row["std_error"] ** 2 == pytest.approx(max(pooled.var_hksj_re, pooled.var_eff_w_re))
    these = table.loc["mean of these"]
    assert these["estimate"] == pytest.approx(theta.mean())
    assert these["std_error"] ** 2 == pytest.approx(variance.sum() / 16)
    freedom = variance.sum() ** 2 / (variance**2 / 29).sum()  # Welch and Satterthwaite's, of 30 units each
    reach = stats.t.ppf(0.975, freedom) * these["std_error"]
    assert these["conf_high"] == pytest.approx(theta.mean() + reach, rel=1e-9)
    contrasts = table[table["part"] == "contrast"]
    pair = results["a"].compare(results["c"], paired=False).tidy()
    assert contrasts.loc["a - c", ENDS].to_numpy(float) == pytest.approx(pair[ENDS].to_numpy(float)[0])
    assert (contrasts["band_low"] <= contrasts["conf_low"]).all()
    assert "4 independent groups" in str(found.summary())


def test_a_reference_is_what_the_others_are_compared_with(results):
    found = med.compare_many(results, reference="c").tidy()
    assert found.loc[found["part"] == "contrast", "result"].tolist() == ["a - c", "b - c", "d - c"]


def test_other_units_are_independent_and_said_so(values, results, tmp_path):
    some = {**results, "e": _result(values[:20, 0])}
    with pytest.raises(med.errors.DataError, match="compare_many: 20 units are in both"):
        med.compare_many(some)
    found = med.compare_many(some, paired=False)
    assert not found.provenance["models"]["paired"]
    assert med.read(found.save(tmp_path / "many")) == found
    with pytest.raises(med.errors.DataError, match="units 20, 21"):
        med.compare_many(some, paired=True)


def test_clusters_and_weights_are_kept(values):
    rng = np.random.default_rng(1)
    more = {"cluster": np.repeat(np.arange(10), 3), "weight": rng.uniform(0.5, 2, 30)}
    found = med.compare_many([_result(values[:, at], **more) for at in range(3)]).tidy().set_index("result")
    crossed = crossed_intervals(values[:, :3, None], clusters=more["cluster"], weights=more["weight"])
    assert found.loc["mean of such models", "std_error"] == pytest.approx(crossed.std_error[0])
    assert found.loc["mean of these", "estimate"] == pytest.approx(
        np.average(values[:, :3].mean(1), weights=more["weight"])
    )
    assert found["n_clusters"].eq(10).all()


def test_equal_models_have_no_spread_between_them():
    one = _result(_values(1)[:, 0])
    with pytest.warns(med.errors.DegenerateWarning):
        found = med.compare_many([one, one, one]).tidy().set_index("result")
    assert found.loc["mean of such models", "tau"] == 0
    assert np.isnan(found.loc["mean of such models", "p_heterogeneity"])
    assert found.loc["mean of these", ENDS].to_numpy(float) == pytest.approx(one.tidy()[ENDS].to_numpy(float)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: med.compare_many(r["a"]), "a list of Effects"),
        (lambda r: med.compare_many([r["a"]]), "two or more"),
        (lambda r: med.compare_many(r, labels=["x"] * 4), "4 different names"),
        (lambda r: med.compare_many(r, reference="e"), "reference = 'e'"),
        (lambda r: med.compare_many([r["a"], 3]), "Effects"),
        (lambda r: med.compare_many(r, estimands="pnie"), "y01"),
        (lambda r: med.compare_many([r["a"].equivalence(1.0), r["b"]]), "kind 'equivalence'"),
        (lambda r: med.compare_many(r).adjust("holm"), "p_adjusted and bands already"),
    ],
)
def test_what_cannot_be_compared_is_refused(results, change, message):
    with pytest.raises(med.errors.DesignError, match=message):
        change(results)


@pytest.mark.slow
@pytest.mark.statistical
def test_the_mean_of_such_models_and_a_new_one_are_covered_and_bands_hold():
    k, n, samples, tau = 5, 20, 60, 0.3
    covered = np.zeros(4)
    for seed in range(samples):
        rng = np.random.default_rng(seed)
        centre, new = 1 + tau * rng.normal(size=k), 1 + tau * rng.normal()
        values = centre + 0.8 * rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, k))
        results = [
            med.effects(pd.DataFrame({"unit": range(n), "y00": 0.0, "y11": one}), rng=0, n_resamples=199)
            for one in values.T
        ]
        found = med.compare_many(results).tidy().set_index("result")
        truth = dict(zip(MEANS, (centre.mean(), 1.0, new), strict=True))
        covered[:3] += [found.loc[row, "conf_low"] <= x <= found.loc[row, "conf_high"] for row, x in truth.items()]
        rows = found[found["part"] == "contrast"]
        apart = [centre[int(a) - 1] - centre[int(b) - 1] for a, b in (name.split(" - ") for name in rows.index)]
        covered[3] += ((rows["band_low"] <= apart) & (apart <= rows["band_high"])).all()
    assert (covered / samples >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / samples)).all(), covered / samples
