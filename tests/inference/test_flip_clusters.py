"""Sign flips of clusters: as many vectors as clusters have, whatever the number of units."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mediation.inference.tests._permutation import sign_flip


def sample(n: int = 20, n_clusters: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    clusters = np.arange(n) % n_clusters
    return rng.normal(0.4, 1.0, n) + 0.8 * rng.normal(size=n_clusters)[clusters], clusters


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("weighted", [False, True])
def test_twenty_units_in_six_clusters_are_enumerated(alternative, weighted):
    values, clusters = sample()
    weights = np.linspace(1.0, 2.0, 20) if weighted else np.ones(20)
    found = sign_flip(
        values[:, None], clusters=clusters, weights=weights if weighted else None, n_flips=999, alternative=alternative
    )
    assert found.method == ("cluster sign-flip (exact, 64 flips)",)
    totals = np.array([(weights * values)[clusters == j].sum() for j in range(6)])
    every = np.array([np.dot(signs, totals) for signs in itertools.product((1, -1), repeat=6)])
    extreme = {
        "two-sided": np.abs(every) >= abs(totals.sum()) - 1e-9,
        "greater": every >= totals.sum() - 1e-9,
        "less": every <= totals.sum() + 1e-9,
    }[alternative]
    assert found.p_value[0] == pytest.approx(extreme.mean(), rel=1e-12)


def test_one_flip_fewer_than_there_are_is_a_sample():
    values, clusters = sample()
    exact, drawn = (sign_flip(values[:, None], clusters=clusters, n_flips=n).method[0] for n in (63, 62))
    assert (exact, drawn) == ("cluster sign-flip (exact, 64 flips)", "cluster sign-flip (B=62)")
    assert sign_flip(values[:, None], n_flips=999).method == ("sign-flip (B=999)",)
