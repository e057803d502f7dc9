from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.linalg import sqrtm

from mediation.errors import DesignError
from mediation.inference import Inference, least_squares, mean_intervals


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(40), rng.normal(size=40), rng.integers(0, 2, 40)])
    values = rng.normal(size=(40, 2)) + design[:, 1:2]
    return design, values, np.repeat(np.arange(8), 5), rng.uniform(0.5, 2.0, 40)


def test_units_without_clusters_are_hc2_of_statsmodels(data):
    design, values, _, _ = data
    found = least_squares(values, design)
    for column in range(2):
        fit = sm.OLS(values[:, column], design).fit(cov_type="HC2")
        assert found.estimate[:, column] == pytest.approx(fit.params)
        assert found.std_error[:, column] == pytest.approx(fit.bse)
    assert found.method == "HC2, t"


def test_cr1_is_the_cluster_covariance_of_statsmodels_with_weights(data):
    design, values, clusters, weights = data
    found = least_squares(values, design, clusters=clusters, weights=weights, covariance="CR1")
    fit = sm.WLS(values[:, 0], design, weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    assert found.estimate[:, 0] == pytest.approx(fit.params)
    assert found.std_error[:, 0] == pytest.approx(fit.bse)
    assert found.p_value[:, 0] == pytest.approx(fit.pvalues)
    assert np.column_stack([found.conf_low[:, 0], found.conf_high[:, 0]]) == pytest.approx(fit.conf_int())


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_cr2_and_its_degrees_of_freedom_by_their_definition(data, clustered, weighted):
    design, values, clusters, weights = data
    found = least_squares(
        values, design, clusters=clusters if clustered else None, weights=weights if weighted else None
    )
    w = weights if weighted else np.ones(40)
    label = clusters if clustered else np.arange(40)
    bread = np.linalg.inv(design.T @ (w[:, None] * design))
    maker = np.eye(40) - design @ bread @ design.T * w
    rows = []
    for one in np.unique(label):
        at = label == one
        root = np.linalg.inv(np.real(sqrtm((maker @ maker.T)[np.ix_(at, at)])))
        rows.append(maker[at].T @ root @ (w[at, None] * design[at]) @ bread)
    p = np.array(rows)  # clusters, units, terms
    for term in range(3):
        gram = p[:, :, term] @ p[:, :, term].T
        assert found.std_error[term, 0] ** 2 == pytest.approx(((p[:, :, term] @ values[:, 0]) ** 2).sum())
        assert found.df[term, 0] == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum())


def test_two_groups_are_welchs_t():
    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], [6, 14])
    y = rng.normal(size=(20, 1)) * np.where(x, 1.0, 3.0)[:, None]
    found = least_squares(y, np.column_stack([np.ones(20), x]))
    welch = stats.ttest_ind(y[x == 1, 0], y[x == 0, 0], equal_var=False)
    assert found.estimate[1, 0] / found.std_error[1, 0] == pytest.approx(welch.statistic)


def test_the_intercept_alone_has_the_interval_of_the_mean(data):
    _, values, clusters, _ = data
    found = least_squares(values, np.ones((40, 1)), clusters=clusters, covariance="CR2")
    mean = mean_intervals(values, clusters=clusters, settings=Inference(method="t"))
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        assert getattr(found, name)[0] == pytest.approx(getattr(mean, name))


def test_a_coefficient_that_rests_on_one_cluster_has_no_standard_error(data):
    _, values, clusters, _ = data
    found = least_squares(values, np.column_stack([np.ones(40), clusters == 0]), clusters=clusters)
    assert np.isfinite(found.std_error[0]).all()
    assert np.isnan([found.std_error[1], found.p_value[1], found.conf_low[1], found.df[1]]).all()
    assert (found.reason[1] == "it rests on the mean of a single cluster").all()
    dummies = (clusters[:, None] == np.arange(8)).astype(float)
    for covariance in ("CR1", "CR2"):
        assert np.isnan(least_squares(values, dummies, clusters=clusters, covariance=covariance).std_error).all()


def test_a_perfect_fit_has_no_standard_error():
    x = np.column_stack([np.ones(6), np.arange(6.0)])
    found = least_squares(x @ [[1.0], [2.0]], x)
    assert found.estimate[:, 0] == pytest.approx([1, 2])
    assert np.isnan(found.std_error).all()


def test_designs_that_cannot_be_told_apart_are_refused(data):
    design, values, _, _ = data
    with pytest.raises(DesignError, match="cannot be told apart"):
        least_squares(values, np.column_stack([design, design[:, 1] * 3]))
    with pytest.raises(DesignError, match="one cluster"):
        least_squares(values, design, clusters=np.zeros(40))


@pytest.mark.statistical
@pytest.mark.parametrize(("n_clusters", "treated"), [(8, 2), (20, 3), (20, 10)])
def test_cr2_covers_with_few_clusters_where_cr1_does_not(n_clusters, treated):
    rng, samples = np.random.default_rng(2), 2000
    clusters = np.repeat(np.arange(n_clusters), 5)
    design = np.column_stack([np.ones(len(clusters)), clusters < treated]).astype(float)
    values = rng.normal(size=(n_clusters, samples))[clusters] + rng.normal(size=(len(clusters), samples))
    covered = {}
    for covariance in ("CR1", "CR2"):
        found = least_squares(values, design, clusters=clusters, covariance=covariance)
        covered[covariance] = ((found.conf_low[1] <= 0) & (found.conf_high[1] >= 0)).mean()
    assert covered["CR2"] >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / samples)
    if treated <= 3:
        assert covered["CR1"] < 0.9
