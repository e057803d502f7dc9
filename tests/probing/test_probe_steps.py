"""Probes by step, beside baselines."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

import mediation as med
from mediation.probing import States, probe, probe_steps, random_like


def _planted(n: int = 120) -> tuple[States, pd.DataFrame]:
    """Colour is in the first two steps, more and less; shape is nowhere."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"colour": rng.choice(["red", "blue"], size=n), "shape": rng.integers(2, size=n)})
    x = rng.normal(size=(n, 3, 6))
    x[:, :2, 0] += (frame["colour"] == "red").to_numpy()[:, None] * [3.0, 1.5]
    return States(x, name="latents"), frame


def test_every_row_is_that_of_a_probe():
    states, labels = _planted()
    found = probe_steps(states, labels, rng=3, n_controls=2)
    table = found.tidy()
    assert table[["attribute", "step"]].to_numpy().tolist() == [[a, s] for a in ("colour", "shape") for s in range(3)]
    for row in table.itertuples():
        one = probe(states[:, row.step], labels[row.attribute], rng=3, n_controls=2)
        for name in ("accuracy", "conf_low", "majority", "control_accuracy", "selectivity_high", "selectivity_p", "n"):
            assert getattr(row, name) == getattr(one, name)
    for _, rows in table.groupby("attribute"):
        np.testing.assert_allclose(
            rows["selectivity_p_adjusted"], multipletests(rows["selectivity_p"], method="holm")[1]
        )
    assert repr(found) == "<Probes of 'latents' at 3 steps for colour, shape>"


def test_what_is_planted_is_found_and_noise_is_not():
    states, labels = _planted()
    table = probe_steps(states, labels, rng=0).tidy().set_index(["attribute", "step"])
    assert (table.loc["colour"]["conf_low"][:2] > table.loc["colour"]["majority"][:2]).all()
    assert (table.loc["colour"]["selectivity_p_adjusted"][:2] < 0.05).all()
    for noise in (table.loc[("colour", 2)], *(table.loc[("shape", step)] for step in range(3))):
        assert noise["conf_low"] < 0.5 < noise["conf_high"]
        assert noise["selectivity_low"] < 0 < noise["selectivity_high"]
        assert noise["selectivity_p_adjusted"] > 0.05


@pytest.mark.parametrize("grouped", [False, True])
def test_differences_to_baselines_are_on_the_same_units_and_folds(grouped):
    states, labels = _planted()
    groups = np.arange(120) // 2 if grouped else None
    text = np.random.default_rng(1).normal(size=(120, 4))
    baselines = {"text only": text, "random": random_like(states, 0)}
    colour = {"colour": labels["colour"]}
    found = probe_steps(states, colour, groups, baselines=baselines, rng=0, n_controls=2)
    table = found.tidy().set_index(["features", "step"])
    assert found.baselines == ("text only", "random")
    mine, other = (probe(x, labels["colour"], groups, rng=0, n_controls=2) for x in (states[:, 1], text))
    row = table.loc[("text only", 1)]
    each = mine.correct - other.correct
    each = each.reshape(60, 2).mean(axis=1) if grouped else each
    error = 1.5 * each.std(ddof=1) / np.sqrt(len(each))  # variance as of 1 + 5/4 times that of independent trials
    assert row["accuracy"] == other.accuracy
    assert (row["difference"], row["difference_low"], row["difference_p"]) == pytest.approx(
        (
            each.mean(),
            each.mean() - stats.t.ppf(0.975, len(each) - 1) * error,
            2 * stats.t.sf(abs(each.mean()) / error, len(each) - 1),
        )
    )
    assert table.loc["latents"]["difference"].isna().all()
    assert table.loc[("random", 0)]["difference_low"] > 0.1
    assert table.loc[("random", 2)]["difference_low"] < 0 < table.loc[("random", 2)]["difference_high"]


def test_units_without_a_step_do_not_count_there():
    states, labels = _planted()
    ragged = States(states.values, [3] * 70 + [1] * 50, "latents")
    table = probe_steps(ragged, labels["colour"], baselines={"x": states[:, 0]}, rng=0, n_controls=2).tidy()
    assert table["n"].tolist() == [120, 120, 70, 70, 70, 70]
    one = probe(states[:70, 0], labels["colour"][:70], rng=0, n_controls=2)
    assert table["accuracy"][3] == one.accuracy
    assert set(table["attribute"]) == {"label"}


def test_a_small_mlp_reads_what_a_line_cannot():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 1, 2))
    parity = (x[:, 0, 0] > 0) ^ (x[:, 0, 1] > 0)
    accuracy = {
        kind: probe_steps(x, parity, estimator=kind, rng=0, n_controls=1).tidy()["accuracy"][0]
        for kind in ("linear", "mlp")
    }
    assert accuracy["linear"] < 0.7 < 0.85 < accuracy["mlp"]


def test_what_is_read_perfectly_has_no_interval_with_groups_and_is_told_once():
    labels = np.arange(60) % 2
    x = np.stack([labels * 10.0, np.ones(60)], axis=1)[:, None] * np.ones((1, 2, 1))
    with pytest.warns(med.errors.DegenerateWarning, match="2 of 2 rows lack an interval") as told:
        table = probe_steps(x, labels, np.arange(60) // 2, rng=0).tidy()
    assert len(told) == 1
    assert table["conf_low"].isna().all()


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"labels": {}}, med.errors.DataError, "names no attribute"),
        ({"labels": {"a": [0, 1]}}, med.errors.DataError, "'a' has 2 labels for 120 units"),
        (
            {"labels": {"a": [0] * 118 + [1] * 2}},
            med.errors.DataError,
            "'a' from 'latents' at step 0: .*held by 2 units",
        ),
        ({"groups": [0]}, med.errors.DataError, "1 labels for 120 units"),
        ({"baselines": {"latents": np.zeros((120, 2))}}, med.errors.DesignError, "Name it otherwise"),
        ({"baselines": {"x": np.zeros((120, 2, 2))}}, med.errors.DataError, "as many steps"),
        (
            {"baselines": {"x": States(np.zeros((120, 1, 2)), [0] + [1] * 119)}},
            med.errors.DataError,
            "nothing for unit 0",
        ),
        ({"estimator": "tree"}, med.errors.DesignError, "'linear', 'mlp'"),
        ({"estimator": 3}, med.errors.DesignError, "classifier of scikit-learn"),
    ],
)
def test_wrong_questions(changes, error, says):
    states, labels = _planted()
    given = {"labels": labels, "groups": None} | changes
    with pytest.raises(error, match=says):
        probe_steps(states, given.pop("labels"), given.pop("groups"), **given)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    states, labels = _planted()
    with pytest.raises(med.errors.BackendError, match=r"pip install scikit-learn"):
        probe_steps(states, labels)
