from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import mediation as med

COLUMNS = ["estimand", "site", "term", "estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "method"]


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    length = rng.integers(4, 40, 48)
    kind = np.tile(["a", "b", "c"], 16)
    y00 = rng.normal(size=48)
    indirect = 0.02 * length + (kind == "b") + rng.normal(size=48)
    return pd.DataFrame(
        {
            "unit": range(48), "cluster": np.repeat(np.arange(12), 4), "weight": rng.uniform(0.5, 2.0, 48),
            "y00": y00, "y01": y00 + indirect, "length": length, "kind": kind,
        }
    )  # fmt: skip


def _numbers(rows):
    return rows[["estimate", "std_error", "conf_low", "conf_high", "p_value"]].to_numpy()


def test_it_is_weighted_least_squares_of_statsmodels_by_cluster(frame):
    effects = med.effects(frame[["unit", "cluster", "weight", "y00", "y01"]], rng=0)
    found = effects.regress("~ np.log(length) + C(kind)", frame=frame, covariance="CR1").tidy()
    data = frame.assign(effect=frame["y01"] - frame["y00"])
    fit = smf.wls("effect ~ np.log(length) + C(kind)", data, weights=data["weight"]).fit(
        cov_type="cluster", cov_kwds={"groups": data["cluster"]}, use_t=True
    )
    assert found["term"].tolist() == list(fit.params.index)
    by_hand = np.column_stack([fit.params, fit.bse, fit.conf_int(), fit.pvalues])
    assert _numbers(found) == pytest.approx(by_hand)
    assert list(found.columns) == [*COLUMNS, "n", "n_clusters"]
    assert found["n_clusters"].eq(12).all()


def test_units_without_clusters_are_hc2(frame):
    effects = med.effects(frame[["unit", "y00", "y01"]], rng=0)
    found = effects.regress("length * kind", frame=frame).tidy()
    fit = smf.ols("effect ~ length * kind", frame.assign(effect=frame["y01"] - frame["y00"])).fit(cov_type="HC2")
    assert found["estimate"].to_numpy() == pytest.approx(fit.params)
    assert found["std_error"].to_numpy() == pytest.approx(fit.bse)


def test_the_intercept_alone_is_the_t_interval_of_the_effect(frame):
    given = frame[["unit", "cluster", "y00", "y01"]]
    mean = med.effects(given, method="t", confidence_level=0.9, rng=0).tidy()
    found = med.effects(given, confidence_level=0.9, rng=0).regress("~ 1").tidy()
    assert _numbers(found) == pytest.approx(_numbers(mean))
    both = med.effects(given, rng=0).regress("~ 1", confidence_level=0.9).tidy()
    assert _numbers(both) == pytest.approx(_numbers(found))


def test_each_site_and_arm_has_its_own_regression(frame):
    y = frame[["unit", "y00", "y01"]]
    two = pd.concat([y.assign(site="a"), y.assign(site="b", y01=y["y01"] * 2)])
    found = med.effects(two, rng=0, n_resamples=199).regress("~ length", frame=frame)
    table = found.tidy()
    assert table["site"].tolist() == ["a", "a", "b", "b"]
    alone = med.effects(y, rng=0).regress("~ length", frame=frame).tidy()
    assert _numbers(table[:2]) == pytest.approx(_numbers(alone))
    assert "site" in [field.header for field in found.summary().fields]
    assert found.formula == "~ length"
    assert "HC2" in repr(found)


def test_dummies_of_clusters_have_no_standard_error(frame):
    effects = med.effects(frame[["unit", "cluster", "y00", "y01"]], rng=0)
    with pytest.warns(med.errors.DegenerateWarning, match="mean of a single cluster.*Intercept"):
        found = effects.regress("~ length + C(cluster)", frame=frame).tidy().set_index("term")
    assert np.isfinite(found.loc["length", "std_error"])
    assert found.drop("length")[["std_error", "conf_low", "p_value"]].isna().all(axis=None)
    assert (found.drop("length")["method"] == "degenerate").all()


def test_ratios_are_left_out_and_refused_when_asked_for(frame):
    whole = frame[["unit", "y00", "y01"]].assign(
        y10=frame["y00"] + frame["weight"], y11=frame["y01"] + 1 + frame["weight"] ** 2
    )
    effects = med.effects(whole, rng=0, n_resamples=199)
    assert "pm" in set(effects.tidy()["estimand"])
    assert "pm" not in set(effects.regress("~ length", frame=frame).tidy()["estimand"])
    with pytest.raises(med.errors.DesignError, match="'pm' is a ratio"):
        effects.regress("~ length", frame=frame, estimands="pm")


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("~ lenght", med.errors.DesignError, "cannot be read.*length"),
        ("y01 ~ length", med.errors.DesignError, "right-hand side"),
        ("~ length +", med.errors.DesignError, "cannot be read"),
        (3, med.errors.DesignError, "right-hand side"),
        ("~ 0", med.errors.DesignError, "no terms"),
        ("~ length + I(2 * length)", med.errors.DesignError, "cannot be told apart"),
        ("~ gap", med.errors.DataError, "missing in some units.*gap"),
        ("~ np.log(length - length)", med.errors.DataError, "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_formulas_that_give_no_regression_are_refused(frame, formula, error, message):
    effects = med.effects(frame[["unit", "y00", "y01"]], rng=0, n_resamples=199)
    given = frame.assign(gap=[np.nan, *range(47)])
    with pytest.raises(error, match=message):
        effects.regress(formula, frame=given)


def test_units_that_gave_to_one_another_are_refused(frame):
    given = frame[["unit", "y00"]].assign(g00=frame["y00"], g11=frame["y01"], donor=np.roll(frame["unit"], 1))
    effects = med.effects(given, estimands="oe", rng=0, n_resamples=199)
    with pytest.raises(med.errors.DesignError, match="gave their mediator to one another"):
        effects.regress("~ length", frame=frame)
