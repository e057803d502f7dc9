"""Who gives to whom in null controls: within a group, never oneself, and anew in every draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.analysis._control_runs import donors_of, unmatched
from mediation.testing import LinearInteraction

GROUPS = ["a", "b", "a", "a", "b", "c", "a"]


def test_donors_are_of_the_same_group_and_give_once():
    found = donors_of(GROUPS, 12, seed=3)
    assert found.shape == (12, 7)
    for row in found:
        assert sorted(row) == list(range(7))
        assert all(GROUPS[donor] == GROUPS[unit] for unit, donor in enumerate(row))
        assert [unit for unit, donor in enumerate(row) if donor == unit] == [5]
    assert unmatched(found) == [5]


def test_draws_and_seeds_differ_and_come_again():
    found = donors_of(GROUPS, 12, seed=3)
    assert len({tuple(row) for row in found.tolist()}) > 3  # of the six cycles of four units
    assert np.array_equal(found, donors_of(GROUPS, 12, seed=3))
    assert np.array_equal(found[:5], donors_of(GROUPS, 5, seed=3))
    assert not np.array_equal(found, donors_of(GROUPS, 12, seed=4))


@med.outcome
def priced(output, units):
    """The first output in the unit's own currency."""
    return output[:, 0] * torch.tensor(units["price"].to_numpy(), dtype=torch.float32)


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
def test_a_mixed_pair_has_the_cluster_and_the_weight_of_the_unit_that_receives():
    n, generator = 8, torch.Generator().manual_seed(3)
    base, source = torch.randn(n, 1, generator=generator), torch.randn(n, 1, generator=generator) + 1
    weight, cluster = np.linspace(1.0, 4.0, n), np.array(list("ppqqrrss"))
    frame = pd.DataFrame({"price": np.linspace(-1, 2, n)})
    pairs = med.Pairs(base=base, source=source, frame=frame, weight=weight, cluster=cluster)
    found = med.controls(
        LinearInteraction(2.0, 3.0, 4.0, 5.0), pairs, med.Site("mediator"), priced, n_draws=2, rng=0, n_resamples=99,
        progress=False,
    ).units  # fmt: skip
    assert (found["donor"] != found["unit"]).all()
    assert {"shuffled pairs", "shuffled answers"} <= set(found["control"])
    np.testing.assert_array_equal(found["weight"], weight[found["unit"]])
    np.testing.assert_array_equal(found["cluster"], cluster[found["unit"]])
