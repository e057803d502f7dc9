"""A Series belongs to units by its index: matched with theirs, or refused, never taken in the order of its rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation import inference, probing
from mediation.errors import DataError

FRAME = pd.DataFrame(
    {"text": ["a b", "c d", "e f"], "other": ["a c", "c e", "e a"], "kind": ["x", "y", "z"], "weight": [1.0, 2.0, 3.0]},
    index=[10, 20, 30],
)
SHUFFLED = FRAME.loc[[30, 10, 20]]
ELSEWHERE = FRAME.set_axis([1, 2, 3])


def test_columns_of_a_shuffled_frame_are_matched_with_the_units_of_the_frame():
    right = med.Pairs(base=FRAME["text"], source=FRAME["other"], frame=FRAME, cluster="kind", weight="weight")
    pairs = med.Pairs(
        base=SHUFFLED["text"],
        source=SHUFFLED["other"],
        frame=FRAME,
        cluster=SHUFFLED["kind"],
        weight=SHUFFLED["weight"],
        spans={"first": (SHUFFLED["text"].str[:1], SHUFFLED["other"].str[:1])},
    )
    assert pairs.base == right.base == ("a b", "c d", "e f")
    assert pairs.source == right.source == ("a c", "c e", "e a")
    assert pairs.cluster.tolist() == right.cluster.tolist() == ["x", "y", "z"]
    assert pairs.weight.tolist() == right.weight.tolist() == [1.0, 2.0, 3.0]
    assert pairs.spans["first"] == (((0, 1),) * 3, ((0, 1),) * 3)


def test_without_a_frame_the_base_says_the_order_and_numbers_do_otherwise():
    pairs = med.Pairs(base=FRAME["text"], source=SHUFFLED["other"], cluster=SHUFFLED["kind"])
    assert pairs.source == ("a c", "c e", "e a")
    assert pairs.cluster.tolist() == ["x", "y", "z"]
    tensors = med.Pairs(base=torch.zeros(3, 2), cluster=pd.Series(["c", "a", "b"], index=[2, 0, 1]))
    assert tensors.cluster.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("what", ["base", "source", "cluster", "weight"])
def test_a_series_of_other_units_is_refused(what):
    given = {"base": FRAME["text"], "source": FRAME["other"], "cluster": FRAME["kind"], "weight": FRAME["weight"]}
    column = {"base": "text", "source": "other", "cluster": "kind", "weight": "weight"}[what]
    with pytest.raises(DataError, match=f"{what} is a Series whose index \\(1, 2, 3\\) is not that of the units"):
        med.Pairs(**{**given, what: ELSEWHERE[column]}, frame=FRAME)


def test_a_frame_is_no_list_of_labels():
    with pytest.raises(DataError, match="cluster"):
        med.Pairs(base=list("abc"), cluster=FRAME[["kind"]])


def test_statistics_match_clusters_and_weights_by_the_number_of_the_unit():
    values = np.random.default_rng(0).normal(size=(6, 1))
    clusters, weights = pd.Series(list("aabbcc")), pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    right = inference.t(values, clusters=clusters.tolist(), weights=weights.tolist())
    order = [3, 1, 5, 0, 2, 4]
    found = inference.t(values, clusters=clusters.loc[order], weights=weights.loc[order])
    assert found.conf_low.tolist() == right.conf_low.tolist()
    with pytest.raises(DataError, match="clusters is a Series whose index"):
        inference.t(values, clusters=clusters.set_axis(list("uvwxyz")))
    same = inference.homogeneity(values, clusters.loc[order], settings=inference.Inference(n_resamples=99))
    assert (
        same.statistic
        == inference.homogeneity(values, clusters.tolist(), settings=inference.Inference(n_resamples=99)).statistic
    )


def test_labels_of_a_probe_are_matched_by_the_number_of_the_unit():
    x = np.random.default_rng(0).normal(size=(20, 2))
    labels = pd.Series([0, 1] * 10)
    right = probing.probe(x, labels.tolist(), n_splits=2, n_controls=1, rng=0)
    shuffled = labels.sample(frac=1, random_state=0)
    assert probing.probe(x, shuffled, n_splits=2, n_controls=1, rng=0).accuracy == right.accuracy
    with pytest.raises(DataError, match="labels is a Series whose index"):
        probing.probe(x, labels.set_axis(range(1, 21)), n_splits=2, n_controls=1, rng=0)
