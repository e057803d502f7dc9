"""Random donors: never the unit itself, every other one as likely, another one in every draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mediation as med
from mediation.engine.study._draws import cycle, donor_units, noise
from mediation.interventions import Donor

N = 6
PAIRS = med.Pairs(base=[[3, 4]] * N, frame=pd.DataFrame({"kind": list("aababb")}))
KINDS = {
    "random": Donor(unit="random"),
    "derangement": Donor(unit="derangement"),
    "matched": Donor(unit="matched", column="kind"),
}


def drawn(kind: str, draws: int = 600, seed: int = 0) -> np.ndarray:
    return np.stack([donor_units(KINDS[kind], PAIRS, seed=seed, draw=draw) for draw in range(draws)])


@pytest.mark.parametrize("kind", KINDS)
def test_no_unit_gives_to_itself_and_every_other_one_is_as_likely(kind):
    found = drawn(kind)
    assert (found != np.arange(N)).all()
    labels = np.array(list("aababb"))
    for unit in range(N):
        others = [one for one in range(N) if one != unit and (kind != "matched" or labels[one] == labels[unit])]
        counts = np.array([(found[:, unit] == other).sum() for other in others])
        assert counts.sum() == len(found)
        assert stats.chisquare(counts).pvalue > 1e-4


def test_derangements_give_once_and_are_one_cycle():
    for found in drawn("derangement", 50):
        assert sorted(found) == list(range(N))
        seen, at = {0}, int(found[0])
        while at not in seen:
            seen.add(at)
            at = int(found[at])
        assert len(seen) == N


@pytest.mark.parametrize("kind", KINDS)
def test_draws_and_seeds_differ_and_come_again(kind):
    found = drawn(kind, 20)
    assert len({tuple(one) for one in found.tolist()}) > 1
    assert (drawn(kind, 20) == found).all()
    assert (drawn(kind, 20, seed=1) != found).any()


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_a_cycle_passes_every_place_once(n):
    order = cycle(n, np.random.default_rng(n))
    at, steps = int(order[0]), 1
    while at != 0:
        at, steps = int(order[at]), steps + 1
    assert steps == n


def test_noise_depends_on_all_that_names_it():
    names = [{}, {"seed": 1}, {"unit": 1}, {"draw": 1}, {"stream": 1}]
    found = [noise((4,), **{"seed": 0, "unit": 0, "draw": 0, "stream": 0, **one}).tolist() for one in names]
    assert len({tuple(one) for one in found}) == len(names)
    again = noise((4,), seed=0, unit=0, draw=0, stream=0)
    assert again.tolist() == found[0]
    assert noise((50_000,), seed=3, unit=0, draw=0, stream=0).std().item() == pytest.approx(1.0, abs=0.02)
