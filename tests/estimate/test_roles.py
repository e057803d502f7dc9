"""Random donors: the variance by enumeration and in closed form, the same estimate whoever gave, and end to end."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import mediation as med
from mediation.engine.study._draws import cycle
from mediation.estimate.comparison._subtract_draws import Rows, subtract_rows
from mediation.estimate.table._donor_variance import DonorDesign, _Parts, donor_ratio_values, donor_values
from mediation.inference import Inference, mean_intervals


def design_of(donors, weights=None, clusters=None):
    """Design of a table of donors (n, D)."""
    n, n_draws = donors.shape
    receiver = np.repeat(np.arange(n), n_draws)
    return DonorDesign(receiver, donors.reshape(-1), np.ones(n) if weights is None else weights, clusters)


def with_replacement(n, n_draws, rng):
    return (np.arange(n)[:, None] + rng.integers(1, n, size=(n, n_draws))) % n


def cycles(n, n_draws, rng):
    return np.stack([cycle(n, rng) for _ in range(n_draws)], axis=1)


def variance_of(numbers, weights=None, clusters=None):
    return mean_intervals(numbers, weights=weights, clusters=clusters, settings=Inference(method="t")).std_error ** 2


def by_pairs(values, receiver, donor, share, clusters):
    """The sum over pairs of rows with a cluster in common, written out."""
    total = 0.0
    units = [{clusters[i]} | ({clusters[j]} if j >= 0 else set()) for i, j in zip(receiver, donor, strict=True)]
    for a, b in itertools.product(range(len(values)), repeat=2):
        if units[a] & units[b]:
            total += share[a] * share[b] * values[a] * values[b]
    return total


def test_the_least_variance_of_two_draws_is_the_smaller_of_two():
    """That of receivers' means and that of the linearised U-statistic, written out for weights of one."""
    rng, n = np.random.default_rng(3), 12
    donors = with_replacement(n, 3, rng)
    design, receiver = design_of(donors), np.repeat(np.arange(n), 3)
    smaller = set()
    for of_donors, of_receivers in itertools.product((0.0, 1.0, 3.0), repeat=2):
        gives, gets = of_donors * rng.normal(size=n), of_receivers * rng.normal(size=n)
        values = gives[donors] + gets[:, None] + 0.1 * rng.normal(size=donors.shape)
        means = values.mean(axis=1)
        apart = (values - means[:, None]) / 2  # of a row of three draws: (1 / 3) * 3 / (3 - 1)
        given = np.bincount(donors.ravel(), weights=apart.ravel(), minlength=n)
        one, both = (float(n**2 * variance_of(part[:, None])[0]) for part in (means, means - means.mean() + given))
        parts = _Parts(values.reshape(-1, 1), design)
        assert parts.receivers[0] == pytest.approx(one)
        assert parts.least[0] == pytest.approx(min(one, both))
        smaller.add(bool(both < one))
    assert smaller == {True, False}
    assert design.draws.tolist() == np.bincount(receiver).tolist()


@pytest.mark.parametrize("clustered", [False, True])
def test_the_dyadic_sum_is_that_over_all_pairs_of_rows_that_share_a_unit(clustered):
    rng = np.random.default_rng(0)
    n, size = 9, 31
    receiver = np.sort(np.concatenate([np.arange(n), rng.integers(0, n, size - n)]))
    donor = rng.integers(-1, n, size)
    donor[donor == receiver] = -1
    clusters = np.arange(n) // 2 if clustered else np.arange(n)
    donor[:2] = receiver[:2] + 1 - 2 * (receiver[:2] % 2)  # donors of the receiver's own cluster, where it has one
    weights = rng.uniform(0.5, 2.0, n)
    design = DonorDesign(receiver, donor, weights, clusters)
    left = rng.normal(size=size)
    by_hand = by_pairs(left, receiver, donor, np.ones(size), clusters)
    assert design.dyadic(left[:, None])[0] == pytest.approx(by_hand)
    ones = by_pairs(np.ones(size), receiver, donor, design.share, clusters)
    assert design.common == pytest.approx(ones / weights.sum() ** 2)


@pytest.mark.parametrize(("draw", "n_draws"), [(with_replacement, 1), (with_replacement, 2), (cycles, 1), (cycles, 3)])
def test_the_expected_variance_is_that_of_the_mean_whatever_receivers_donors_and_noise_have(draw, n_draws):
    # y = r_i + s_j + e: the expectation of a quadratic form e'Qe given the donors is exact, no sampling of outcomes.
    rng = np.random.default_rng(1)
    n, found, truth = 40, [], []
    for _ in range(60):
        donors = draw(n, n_draws, rng)
        design, size = design_of(donors), n * n_draws
        gets, gives = np.zeros((2, size, n))
        gets[np.arange(size), design.receiver] = gives[np.arange(size), donors.reshape(-1)] = 1.0
        centre = np.eye(size) - 1 / size
        every = []
        for covariance in (np.eye(2), [[1.0, 0.9], [0.9, 1.0]], [[1.0, 0.0], [0.0, 4.0]], [[4.0, -0.5], [-0.5, 1.0]]):
            (r, c), (_, s) = covariance
            spread = (
                r * gets @ gets.T + s * gives @ gives.T + c * (gets @ gives.T + gives @ gets.T) + 0.5 * np.eye(size)
            )
            root = np.linalg.cholesky(spread)
            every.append((design.dyadic(design.share[:, None] * (centre @ root)).sum(), spread.sum() / n_draws**2))
        found.append([one / (1 - design.common) for one, _ in every])
        truth.append([one for _, one in every])
    np.testing.assert_allclose(np.mean(found, axis=0) / np.mean(truth, axis=0), 1.0, atol=0.06)


def test_over_every_sample_of_a_small_population_the_variance_is_exact():
    # Four kinds of units (r, s), five units of any kind: 4^5 equally likely samples, each unit gives once.
    donors = np.array([[1], [2], [3], [4], [0]])
    design = design_of(donors)
    units = np.array([(-1.0, -2.0), (-1.0, -1.0), (1.0, 1.0), (1.0, 2.0)])  # r and s go together
    samples = units[np.array(list(itertools.product(range(4), repeat=5)))]
    values = samples[:, :, 0].T + samples[:, donors[:, 0], 1].T
    left = values - values.mean(axis=0)
    found = design.dyadic(left) / (1 - design.common) / 25
    assert found.mean() == pytest.approx(values.mean(axis=0).var(), rel=1e-12)
    alone = values.var(axis=0, ddof=1) / 5
    assert alone.mean() < 0.75 * found.mean()  # receivers alone miss that r and s go together
    numbers = donor_values(values, design)
    np.testing.assert_allclose(numbers.mean(axis=0), values.mean(axis=0), atol=1e-12)
    assert (numbers.var(axis=0, ddof=1) / 5 >= alone - 1e-12).all()


def test_the_numbers_of_units_have_the_dyadic_variance():
    rng = np.random.default_rng(2)
    donors, gives = cycles(40, 1, rng), rng.normal(size=40)
    values = (0.8 * gives + rng.normal(size=40) + gives[donors[:, 0]])[:, None]
    design = design_of(donors)
    left = values - values.mean()
    expected = design.dyadic(left)[0] / (1 - design.common) / 40**2
    assert expected > values.var(ddof=1) / 40  # strong donors are strong receivers
    assert variance_of(donor_values(values, design))[0] == pytest.approx(expected)


def test_few_donors_are_counted_by_their_effective_number():
    rng = np.random.default_rng(8)
    donors = rng.integers(0, 4, size=(40, 1))
    values = rng.normal(size=4)[donors] + 0.1 * rng.normal(size=(40, 1))
    design = design_of(donors)
    crossed = donors[:, 0] != np.arange(40)
    gave = np.bincount(donors[crossed, 0])
    effective = gave.sum() ** 2 / (gave**2).sum()
    assert design.wider == pytest.approx((stats.t.ppf(0.975, effective - 1) / stats.t.ppf(0.975, 39)) ** 2)
    # Of the variance of the mean, all is the donors'.
    left = values - values.mean()
    dyadic = design.dyadic(left)[0] / (1 - design.common) / 40**2
    assert variance_of(donor_values(values, design))[0] == pytest.approx(dyadic * design.wider, rel=0.05)


def test_with_every_donor_once_the_variance_is_that_of_receivers_plus_donors():
    # All n - 1 donors for each: the mean is mean(a + b), so its variance is that of a + b over n.
    rng = np.random.default_rng(3)
    n = 60
    a, b = rng.normal(size=(2, n))
    donors = np.stack([np.roll(np.arange(n), -shift) for shift in range(1, n)], axis=1)
    found = donor_values((a[:, None] + b[donors]).reshape(-1, 1), design_of(donors))
    assert variance_of(found)[0] == pytest.approx((a + b).var(ddof=1) / n, rel=0.06)
    assert np.corrcoef(found[:, 0], a + b)[0, 1] > 0.999


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(4), 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_estimate_never_depends_on_who_gave(weighted, clusters):
    rng = np.random.default_rng(4)
    weights = rng.uniform(0.5, 2.0, size=12) if weighted else np.ones(12)
    receiver = np.sort(np.concatenate([np.arange(12), rng.integers(0, 12, 20)]))  # some draws are missing
    values = rng.normal(size=(32, 2))
    means = np.stack([values[receiver == i].mean(axis=0) for i in range(12)])
    mean = np.average(means, axis=0, weights=weights)
    for chance in (0.0, 0.5, 1.0):
        donor = np.where(rng.random(32) < chance, rng.integers(0, 12, 32), -1)
        found = donor_values(values, DonorDesign(receiver, donor, weights, clusters))
        np.testing.assert_allclose(np.average(found, axis=0, weights=weights), mean)


def test_without_donors_it_is_the_mean_of_each_receiver():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(24, 1))
    found = donor_values(values, design_of(np.full((8, 3), -1)))
    np.testing.assert_allclose(found, values.reshape(8, 3).mean(axis=1)[:, None], rtol=1e-14)
    own = donor_values(values, design_of(np.repeat(np.arange(8)[:, None], 3, axis=1)))
    np.testing.assert_array_equal(own, found)


def test_numerator_and_denominator_of_a_ratio_are_scaled_alike():
    rng = np.random.default_rng(6)
    donors = with_replacement(30, 2, rng)
    below = (2 + rng.normal(size=30)[donors] + rng.normal(size=(30, 2))).reshape(-1, 1)
    above = 0.5 * below + 0.1 * rng.normal(size=(60, 1))
    design = design_of(donors)
    top, bottom = donor_ratio_values(above, below, design)
    for ratio in np.linspace(-2, 2, 9):
        whole = variance_of(donor_values(above - ratio * below, design))[0]
        assert variance_of(top - ratio * bottom)[0] >= 0.97 * whole


def test_draws_with_other_donors_are_subtracted_without_moving_the_difference():
    rng = np.random.default_rng(7)
    weights, sides = rng.uniform(1, 2, 10), []
    for n_draws in (2, 3):
        donors = with_replacement(10, n_draws, rng)
        values = 5 * n_draws + rng.normal(size=10 * n_draws)
        sides.append(Rows(np.repeat(np.arange(10), n_draws), donors.reshape(-1), {"ym": values}))
    left = subtract_rows(*sides, weights)
    per_unit = [side.outcomes["ym"].reshape(10, -1).mean(axis=1) for side in sides]
    np.testing.assert_allclose(left.outcomes["ym"].reshape(10, 5).mean(axis=1), per_unit[0] - per_unit[1])
    design = DonorDesign(left.receiver, left.donor, weights)
    means = [np.average(one, weights=weights) for one in per_unit]
    expected = np.concatenate([side.outcomes["ym"] - mean for side, mean in zip(sides, means, strict=True)])
    residuals = design.share * (left.outcomes["ym"] - means[0] + means[1])
    shares = np.concatenate([np.repeat(weights / 2, 2), -np.repeat(weights / 3, 3)])
    np.testing.assert_allclose(np.sort(residuals), np.sort(shares * expected), atol=1e-12)


class Sum(torch.nn.Module):
    """The outcome is x0 + the mediator, which is x1."""

    def __init__(self):
        super().__init__()
        self.mediator = torch.nn.Identity()

    def forward(self, x):
        return x[:, :1] + self.mediator(x[:, 1:])


@med.outcome
def total(output):
    return output[:, 0]


def swapped_by(donor, n_draws, seed=0, n=30):
    rng = torch.Generator().manual_seed(seed)
    base, source = torch.randn(n, 2, generator=rng), torch.randn(n, 2, generator=rng) + 1
    pairs = med.Pairs(base=base, source=source)
    options = {"rng": 0, "n_draws": n_draws, "n_resamples": 199, "progress": False}
    effects = med.mediate(med.load(Sum()), pairs, med.Site("mediator"), total, donor=donor, **options)
    ablated = med.ablate(med.load(Sum()), pairs, donor.at(med.Site("mediator")), total, **options)
    return effects, ablated, base.numpy().astype(float), source.numpy().astype(float)


@pytest.fixture(scope="module")
def swapped():
    return swapped_by(med.Swap(), 12)


def test_interventional_effects_end_to_end(swapped):
    effects, ablated, base, source = swapped
    units = effects.units
    j = units["donor"].to_numpy()
    assert (j != units["unit"]).all()
    np.testing.assert_allclose(units["g10"], source[units["unit"], 0] + base[j, 1], rtol=1e-4, atol=1e-6)
    # IIE = mean over units of M(1) - M(0); all of its spread comes from the donors.
    change = source[:, 1] - base[:, 1]
    iie = effects.tidy().set_index("estimand").loc["iie"]
    assert iie["estimate"] == pytest.approx(change.mean(), abs=1e-5)
    assert iie["std_error"] == pytest.approx(change.std(ddof=1) / np.sqrt(30), rel=0.1)
    # The ablation effect is the unit's own mediator minus a donor's: 0 on average, exactly so for derangements.
    assert ablated.tidy()["estimate"].iloc[0] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("kind", ["random", "derangement", "index"])
def test_one_draw_records_its_donors_and_counts_them(kind):
    index = (
        tuple((7 * unit + 3) % 10 for unit in range(30)) if kind == "index" else None
    )  # ten units give to three each
    effects, ablated, base, source = swapped_by(med.Swap(kind, index=index), 1)
    change = source[:, 1] - base[:, 1]
    for result in (effects, ablated):
        donor = result.units["donor"].to_numpy()
        assert len(donor) == 30
        if index is not None:
            np.testing.assert_array_equal(donor, index)
    gave = np.bincount(effects.units["donor"], minlength=30)
    iie = effects.tidy().set_index("estimand").loc["iie"]
    assert iie["estimate"] == pytest.approx((gave * change).sum() / 30, abs=1e-5)
    truth = change.std(ddof=1) * np.sqrt((gave**2).sum()) / 30
    assert iie["std_error"] == pytest.approx(truth, rel=0.35)
    assert iie["std_error"] >= effects.units.eval("g11 - g10").std() / np.sqrt(30) * (1 - 1e-9)


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_the_units_frame_gives_the_same_numbers_again(swapped):
    for result in swapped[:2]:
        again = med.effects(result.units, rng=0, n_resamples=199).tidy()
        pd.testing.assert_frame_equal(again, result.tidy())


def test_donors_of_several_kinds_are_not_passed_over_in_silence():
    pairs = med.Pairs(base=torch.randn(8, 2), source=torch.randn(8, 2))
    with pytest.warns(med.errors.DonorsWarning) as told:
        med.mediate(
            med.load(Sum()), pairs, med.Site("mediator"), total, donor=med.Swap(), ablation=med.Swap("random"),
            rng=0, n_resamples=199, progress=False,
        )  # fmt: skip
    assert "2 kinds of donors at once (derangement, random)" in str(told[0].message)
