"""Some of the pairs, in another order: whatever belongs to a unit goes with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mediation as med


def pairs(**given) -> med.Pairs:
    words = ["ant", "bee", "cat", "dog", "elk"]
    told = {
        "base": [f"a {word} here" for word in words],
        "source": [f"one {word} there" for word in words],
        "frame": pd.DataFrame({"word": words, "number": [10, 11, 12, 13, 14]}),
        "cluster": np.array(["p", "q", "r", "p", "s"]),
        "weight": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        "spans": {"animal": (words, words)},
    }
    return med.Pairs(**{**told, **given})


@pytest.mark.parametrize("units", [[3, 1], [4], [2, 0, 4, 1, 3], [1, 1, 0]])
def test_all_that_belongs_to_a_unit_goes_with_it(units):
    whole, some = pairs(), pairs().subset(units)
    assert len(some) == len(units)
    assert list(some.base) == [whole.base[unit] for unit in units]
    assert list(some.source) == [whole.source[unit] for unit in units]
    assert list(some.cluster) == [whole.cluster[unit] for unit in units]
    assert list(some.weight) == [whole.weight[unit] for unit in units]
    assert some.column("word") == [whole.column("word")[unit] for unit in units]
    assert some.column("number") == [10 + unit for unit in units]
    for name, (base, source) in whole.spans.items():
        assert list(some.spans[name][0]) == [base[unit] for unit in units]
        assert list(some.spans[name][1]) == [source[unit] for unit in units]


def test_what_the_whole_lacks_the_part_lacks():
    some = pairs(source=None, cluster=None, weight=None, spans={"animal": ["ant", "bee", "cat", "dog", "elk"]})
    part = some.subset([4, 0])
    assert part.source is None
    assert part.cluster is None
    assert part.weight is None
    assert part.spans["animal"][1] is None
    assert list(part.spans["animal"][0]) == [some.spans["animal"][0][unit] for unit in (4, 0)]


def test_crossed_clusters_go_with_their_unit_too():
    labels = pd.DataFrame({"subject": list("aabbc"), "item": list("xyxyx")})
    whole = pairs(frame=labels, cluster=["subject", "item"])
    part = whole.subset([4, 1, 0])
    assert part.cluster.tolist() == [["c", "x"], ["a", "y"], ["a", "x"]]
