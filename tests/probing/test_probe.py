from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from statsmodels.stats.proportion import proportion_confint

import mediation as med
from mediation.probing import Probe, probe


def _planted(n: int = 200, *, strength: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A binary attribute along one direction, in 10 dimensions of noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    direction = rng.normal(size=10)
    direction /= np.linalg.norm(direction)
    return rng.normal(size=(n, 10)) + strength * (labels[:, None] - 0.5) * direction, labels


def test_a_planted_attribute_is_found():
    # Two normals a distance of 2 apart: the best rule is right with probability Phi(1) = 0.841.
    x, labels = _planted(600)
    found = probe(x, labels, rng=0)
    assert found.conf_low < 0.841 < found.conf_high
    assert found.conf_low > found.majority + 0.2
    assert abs(found.control_accuracy - 0.5) < 0.05
    assert found.selectivity_low > 0.2
    assert found.selectivity_p < 0.01
    assert (found.n, found.n_groups, found.n_classes, found.n_splits, found.n_controls) == (600, 600, 2, 5, 5)


@pytest.mark.statistical
def test_intervals_hold_chance_where_nothing_can_be_read():
    """Independent trials' intervals would miss 0.5 in 17% here: probes of different folds share training units."""
    missed = np.zeros(2)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, labels = rng.normal(size=(80, 6)), rng.integers(2, size=80)
        found = probe(x, labels, rng=seed, n_controls=3, estimator=RidgeClassifier())
        missed += not found.conf_low <= 0.5 <= found.conf_high, not found.selectivity_low <= 0 <= found.selectivity_high
    # 60 repetitions: 0.05 plus three binomial standard errors.
    assert (missed / 60 < 0.135).all()


@pytest.mark.statistical
def test_shuffled_labels_stay_at_chance():
    """20 probes on labels that have nothing to do with the states: right half of the time, all intervals but a few."""
    covered, accuracies = 0, []
    for seed in range(20):
        x, labels = _planted(120, seed=seed)
        labels = np.random.default_rng(1000 + seed).permutation(labels)
        found = probe(x, labels, rng=seed, n_controls=2)
        accuracies.append(found.accuracy)
        covered += found.conf_low <= 0.5 <= found.conf_high
    assert abs(np.mean(accuracies) - 0.5) < 0.04
    assert covered >= 16


def test_the_numbers_are_those_of_the_formulas():
    x, labels = _planted(100)
    found = probe(x, labels, rng=3)
    assert found.accuracy == found.correct.mean()
    assert found.control_accuracy == pytest.approx(found.control.mean())
    assert found.selectivity == pytest.approx(found.accuracy - found.control_accuracy)
    assert set(found.correct) == {0.0, 1.0}
    assert np.allclose(found.control * 5, np.round(found.control * 5))
    # As independent trials of 1 + 5/4 times the variance, so of as many fewer units.
    low, high = proportion_confint(found.correct.sum() / 2.25, 100 / 2.25, method="wilson")
    assert (found.conf_low, found.conf_high) == pytest.approx((low, high))
    assert found.method == "wilson, widened"
    each = found.correct - found.control
    error = 1.5 * each.std(ddof=1) / np.sqrt(100)
    assert found.selectivity_low == pytest.approx(each.mean() - stats.t.ppf(0.975, 99) * error)
    assert found.selectivity_p == pytest.approx(2 * stats.t.sf(each.mean() / error, 99))
    with pytest.raises(ValueError, match="read-only"):
        found.correct[0] = 2


def test_the_same_seed_gives_the_same_numbers():
    x, labels = _planted(100)
    one, same, other = (probe(x, labels, rng=seed) for seed in (1, 1, 2))
    assert repr(one) == repr(same)
    assert np.array_equal(one.correct, same.correct)
    assert not np.array_equal(one.control, other.control)


def test_majority_is_the_share_of_the_commonest_label():
    x, _ = _planted(100)
    labels = ["common"] * 80 + ["rare"] * 20
    found = probe(x, labels, rng=0)
    assert found.majority == 0.8


def test_groups_are_never_divided():
    """A state that only names its group reads the label of other units of the group, and of no other group."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 6)
    labels = np.array(rng.permutation([0, 1] * 15))[groups]
    x = rng.normal(size=(30, 20))[groups] + 0.01 * rng.normal(size=(180, 20))
    x[:3] = x[-3:]  # three units in a group of the other label, so that no probe is perfect
    labels[:3] = 1 - labels[-3:]
    leaking = probe(x, labels, rng=0, estimator=KNeighborsClassifier(1))
    honest = probe(x, labels, groups, rng=0, estimator=KNeighborsClassifier(1))
    assert leaking.accuracy > 0.95
    assert honest.accuracy < 0.75
    assert (honest.n_groups, leaking.n_groups) == (30, 180)
    assert honest.method.startswith("cluster")


def test_folds_are_those_of_scikit_learn():
    x, labels = _planted(90)
    groups = np.repeat(np.arange(18), 5)
    found = probe(x, labels, groups, rng=0, estimator=LogisticRegression(C=0.1))
    seed = int(np.random.default_rng(np.random.SeedSequence((0, 3))).integers(2**31))
    said = np.empty(90)
    for train, test in StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(x, labels, groups):
        said[test] = LogisticRegression(C=0.1).fit(x[train], labels[train]).predict(x[test])
    np.testing.assert_array_equal(found.correct, said == labels)


def test_labels_of_whole_groups_are_shuffled_between_groups():
    """The control of a label that goes with the group keeps the groups whole, as the label itself does."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    labels = np.array(rng.permutation([0, 1] * 10))[groups]
    x = rng.normal(size=(20, 3))[groups]
    found = probe(x, labels, groups, rng=0, n_controls=1)
    # States are the same within a group and so are the shuffled labels: a group is right or wrong as a whole.
    assert all(len(set(found.control[groups == group])) == 1 for group in range(20))


def test_any_classifier_any_labels_and_further_axes():
    x, labels = _planted(100, strength=4.0)
    names = np.where(labels == 1, "red", "blue").tolist()
    seen = probe(x.reshape(100, 2, 5), names, rng=0, estimator=RidgeClassifier())
    flat = probe(x, labels.astype(bool), rng=0, estimator=RidgeClassifier())
    assert seen.accuracy == flat.accuracy > 0.9
    mlp = MLPClassifier((8,), solver="lbfgs", alpha=1.0, max_iter=2000, random_state=0)
    xor = np.random.default_rng(0).normal(size=(300, 2))
    parity = (xor[:, 0] > 0) ^ (xor[:, 1] > 0)
    linear = probe(xor, parity, rng=0, n_controls=1)
    curved = probe(xor, parity, rng=0, n_controls=1, estimator=mlp)
    assert linear.accuracy < 0.7 < 0.85 < curved.accuracy


def test_three_labels():
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    x = np.eye(3)[labels] * 3 + rng.normal(size=(150, 3))
    found = probe(x, labels, rng=0)
    assert found.n_classes == 3
    assert found.majority <= 1 / 3 + 1e-9
    assert found.conf_low > 0.8
    assert repr(found).startswith(f"<Probe accuracy {found.accuracy:.3f} [")
    assert isinstance(found, Probe)


def test_a_perfect_probe_has_wilsons_interval():
    labels = np.arange(40) % 2
    x = np.column_stack([labels * 10.0, np.ones(40)])
    found = probe(x, labels, rng=0)
    assert found.accuracy == found.conf_high == 1
    assert found.conf_low == pytest.approx(40 / (40 + 2.25 * 1.959964**2))
    assert np.isfinite(found.selectivity_low)


def test_a_perfect_probe_of_groups_has_no_interval_and_says_so():
    labels = np.arange(40) % 2
    x = np.column_stack([labels * 10.0, np.ones(40)])
    with pytest.warns(med.errors.DegenerateWarning, match="all units are predicted rightly, so the accuracy"):
        found = probe(x, labels, groups=np.arange(40) // 2, rng=0)
    assert found.accuracy == 1
    assert np.isnan([found.conf_low, found.conf_high]).all()


def test_an_interval_does_not_leave_0_to_1():
    x, labels = _planted(60, strength=6.0)
    labels[:2] = 1 - labels[:2]
    found = probe(x, labels, rng=0)
    assert 0.9 < found.accuracy < 1
    assert 0 <= found.conf_low < found.accuracy < found.conf_high <= 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x": np.zeros(20)}, "shape (20,)"),
        ({"x": np.full((20, 2), np.nan)}, "first in row 0"),
        ({"labels": [0, 1]}, "2 labels for 20 units"),
        ({"labels": [0] * 20}, "at least two labels"),
        ({"labels": [None, *[0, 1] * 9, 0]}, "labels of unit 0 is missing"),
        ({"labels": ["a"] * 17 + ["b"] * 3}, "label 'b' is held by 3 units"),
        ({"labels": np.linspace(0, 1, 20)}, "20 labels in 20 units"),
        ({"labels": [[0]] * 20}, "cannot be compared"),
        ({"groups": [0] * 3}, "3 labels for 20 units"),
        ({"groups": [0, 1] * 10}, "2 groups cannot fill 5 folds"),
        ({"labels": [0] * 5 + [1] * 15, "groups": [0] * 5 + list(range(1, 16))}, "label 0 occurs in one group only"),
    ],
)
def test_wrong_data(changes, says):
    given = {"x": np.random.default_rng(0).normal(size=(20, 2)), "labels": [0, 1] * 10, "groups": None} | changes
    with pytest.raises(med.errors.DataError) as error:
        probe(given["x"], given["labels"], given["groups"])
    assert says in str(error.value)


@pytest.mark.parametrize("options", [{"n_splits": 1}, {"n_controls": 0}, {"confidence_level": 1.0}])
def test_wrong_options(options):
    x, labels = _planted(40)
    with pytest.raises(med.errors.DesignError):
        probe(x, labels, **options)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    x, labels = _planted(40)
    with pytest.raises(med.errors.BackendError, match=r"pip install scikit-learn"):
        probe(x, labels)


def test_the_majority_is_that_of_the_units_that_train():
    from mediation.probing._probe import _commonest

    y = np.array([0, 0, 0, 1, 1])
    folds = [(np.array([2, 3, 4]), np.array([0, 1])), (np.array([0, 1, 3]), np.array([2, 4]))]
    assert _commonest(y, folds)[[0, 1, 2, 4]].tolist() == [1, 1, 0, 0]


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_the_control_is_judged_by_the_labels_that_it_learnt(monkeypatch):
    from mediation.probing import _probe

    monkeypatch.setattr(_probe, "_predicted", lambda classifier, x, y, folds: y)  # right about whatever it is taught
    y = np.tile([0, 1, 2], 20)
    found = _probe.probe(np.random.default_rng(0).normal(size=(60, 3)), y, rng=0)
    assert (found.accuracy, found.control_accuracy) == (1.0, pytest.approx(1.0))


def test_a_widened_p_value_has_the_degrees_of_freedom_of_its_groups():
    from scipy import stats

    from mediation.inference import Inference, mean_intervals
    from mediation.probing._widened import inflation, widened

    values, groups = np.random.default_rng(0).normal(0.8, 1.0, (24, 1)), np.arange(24) // 4
    plain = mean_intervals(values, clusters=groups, settings=Inference(method="t"))
    found = widened(plain, 5)
    root = np.sqrt(inflation(5))
    statistic = plain.estimate[0] / (root * plain.std_error[0])
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), 6 - 1), rel=1e-9)
    reach = stats.t.ppf(0.975, 5) * root * plain.std_error[0]
    assert (found.low, found.high) == pytest.approx((plain.estimate[0] - reach, plain.estimate[0] + reach), rel=1e-9)
