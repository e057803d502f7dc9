"""What each intervention does to an activation, against numbers worked out independently."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from mediation.interventions import (
    Add,
    Assignment,
    Blend,
    Constant,
    Donor,
    GaussianNoise,
    Identity,
    Interchange,
    Masked,
    Mean,
    Moment,
    Noise,
    RandomDirection,
    Scale,
    Subspace,
    Swap,
    Then,
    Zero,
    chain,
)
from mediation.sites import Site

HIDDEN = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[-1.0, 0.0], [6.0, 8.0]]])
EPS = torch.tensor([[[0.0, 2.0], [1.0, 0.0]], [[-2.0, 2.0], [0.0, -1.0]]])
OTHER = torch.full_like(HIDDEN, 9.0)
seeds = st.integers(0, 2**16)


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(
    ("example", "given_", "expected"),
    [
        (Identity(), {}, HIDDEN),
        (Zero(), {}, torch.zeros(2, 2, 2)),
        (Constant(0.5), {}, torch.full((2, 2, 2), 0.5)),
        (Constant([[1.0], [2.0]]), {}, torch.tensor([[[1.0, 1.0], [2.0, 2.0]]] * 2)),
        (Mean(), {Moment("mean"): HIDDEN.mean(0)}, torch.tensor([[[1.0, 2.0], [3.0, 5.0]]] * 2)),
        (
            Mean("tokens", "base"),
            {Moment("mean", "tokens", "base"): torch.tensor([2.0, 3.5])},
            torch.tensor([[[2.0, 3.5]] * 2] * 2),
        ),
        (Interchange(), {Donor("other"): OTHER}, OTHER),
        (Interchange("source"), {Donor("source"): OTHER}, OTHER),
        (Swap(), {Donor("same", "derangement"): OTHER}, OTHER),
        (Swap("matched", "kind", run="other"), {Donor("other", "matched", column="kind"): OTHER}, OTHER),
        (Swap("index", index=[1, 0]), {Donor("same", "index", index=(1, 0)): OTHER}, OTHER),
        (Scale(-2.0), {}, HIDDEN * -2),
        (Scale([1.0, 0.0]), {}, HIDDEN * torch.tensor([1.0, 0.0])),
        (Add([1.0, -1.0]), {}, HIDDEN + torch.tensor([1.0, -1.0])),
        (GaussianNoise(0.5), {Noise(): EPS}, HIDDEN + 0.5 * EPS),
        (GaussianNoise(0), {Noise(): EPS}, HIDDEN),
        (GaussianNoise(0, norm_matched=True), {Noise(): EPS}, HIDDEN),
        (
            GaussianNoise(0.5, relative=True, stream=2),
            {Noise(2): EPS, Moment("std"): torch.tensor(4.0)},
            HIDDEN + 2 * EPS,
        ),
        (GaussianNoise(0.5, replace=True), {Noise(): EPS}, 0.5 * EPS),
        (GaussianNoise(0, replace=True), {Noise(): EPS}, torch.zeros(2, 2, 2)),
        (
            GaussianNoise(1.0, replace=True, norm_matched=True),
            {Noise(): EPS},
            torch.tensor([[[0.0, 5.0], [2.0, 0.0]], [[-(0.5**0.5), 0.5**0.5], [0.0, -10.0]]]),
        ),
        (
            GaussianNoise(2.0, norm_matched=True),
            {Noise(): EPS},
            torch.tensor(
                [
                    [[3 * 5 / 73**0.5, 8 * 5 / 73**0.5], [2**0.5, 2**0.5]],
                    [[-5 / 41**0.5, 4 / 41**0.5], [6 / 72**0.5 * 10, 6 / 72**0.5 * 10]],
                ]
            ),
        ),
        (
            RandomDirection(),
            {Donor(): HIDDEN + torch.tensor([6.0, 8.0]), Noise(): EPS},
            HIDDEN + torch.tensor([[[0.0, 10.0], [10.0, 0.0]], [[-(50**0.5), 50**0.5], [0.0, -10.0]]]),
        ),
        (RandomDirection("source", stream=2), {Donor("source"): HIDDEN, Noise(2): EPS}, HIDDEN),
        (Masked(Zero(), [True, False]), {}, HIDDEN * torch.tensor([0.0, 1.0])),
        (Masked(Zero(), [[True], [False]]), {}, HIDDEN * torch.tensor([[0.0], [1.0]])),
        (Blend(Constant(1.0), 0.25), {}, 0.75 * HIDDEN + 0.25),
        (Scale(2.0) >> Add(1.0), {}, 2 * HIDDEN + 1),
        (Add(1.0) >> Scale(2.0), {}, 2 * HIDDEN + 2),
        (Subspace([[0.0, 5.0]], Zero()), {}, HIDDEN * torch.tensor([1.0, 0.0])),
        (Subspace.keep([[0.0, 5.0]]), {}, HIDDEN * torch.tensor([0.0, 1.0])),
        (
            Subspace([[1.0, 0.0]], Interchange()),
            {Donor(): OTHER},
            HIDDEN * torch.tensor([0.0, 1.0]) + torch.tensor([9, 0]),
        ),
    ],
    ids=lambda item: repr(item) if callable(item) and not isinstance(item, torch.Tensor) else "",
)
def test_known_answers(example, given_, expected):
    torch.testing.assert_close(example(HIDDEN, given_), expected)


@pytest.mark.parametrize(
    ("example", "needs"),
    [
        (Zero(), set()),
        (Mean("tokens", "base"), {Moment("mean", "tokens", "base")}),
        (GaussianNoise(1.0, stream=4), {Noise(4)}),
        (RandomDirection("base", stream=1), {Donor("base"), Noise(1)}),
        (GaussianNoise(1.0, relative=True), {Noise(0), Moment("std")}),
        (Interchange(), {Donor("other", "own")}),
        (Swap("random"), {Donor("same", "random")}),
        (Subspace([[1.0]], Mean()), {Moment("mean")}),
        (Masked(Interchange(), True), {Donor()}),
        (Blend(Swap(), 0.5) >> GaussianNoise(1.0), {Donor("same", "derangement"), Noise()}),
    ],
    ids=lambda item: " ".join(sorted(map(repr, item))) if isinstance(item, set) else repr(item),  # sets have no order
)
def test_needs(example, needs):
    assert example.needs() == needs


# ----------------------------------------------------------------------------------------------------- noise
@given(seed=seeds, dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]))
@settings(deadline=None, max_examples=40)
def test_matched_norms_are_equal(seed, dtype):
    hidden = (10 * randn(3, 2, 8, seed=seed)).to(dtype)
    hidden[0, 0] = 0.0
    noise = {Noise(): randn(3, 2, 8, seed=seed + 1), Moment("std"): torch.tensor(3.0)}
    for example in (
        GaussianNoise(2.0, norm_matched=True),
        GaussianNoise(0.7, relative=True, norm_matched=True),
        GaussianNoise(1.0, replace=True, norm_matched=True),
    ):
        result = example(hidden, noise)
        assert bool((result[0, 0] == 0).all())
        assert not torch.equal(result, hidden)
        torch.testing.assert_close(
            result.double().norm(dim=-1), hidden.double().norm(dim=-1), rtol=8 * torch.finfo(dtype).eps, atol=0.0
        )


def test_nothing_stays_nothing_where_norms_are_matched():
    nothing, eps = torch.zeros(2, 3), {Noise(): torch.ones(2, 3)}
    for example in (
        GaussianNoise(0.0, norm_matched=True),
        GaussianNoise(1.0, norm_matched=True),
        GaussianNoise(1.0, replace=True, norm_matched=True),
    ):
        assert torch.equal(example(nothing, eps), nothing)


@pytest.mark.statistical
@given(seed=seeds, dtype=st.sampled_from([torch.float64, torch.float32]))
@settings(deadline=None, max_examples=30)
def test_a_random_direction_goes_as_far_as_the_exchange(seed, dtype):
    hidden, donor, noise = (randn(5, 3, 7, seed=seed + i, dtype=dtype) for i in range(3))
    donor[0] = hidden[0]  # a row in which both runs agree
    moved = RandomDirection()(hidden, {Donor(): donor, Noise(): noise}) - hidden
    torch.testing.assert_close(moved.norm(dim=-1), (donor - hidden).norm(dim=-1), atol=1e-5, rtol=1e-5)
    assert torch.equal(moved[0], torch.zeros(3, 7, dtype=dtype))
    away = torch.nn.functional.cosine_similarity(moved[1:], noise[1:], dim=-1)
    torch.testing.assert_close(away, torch.ones(4, 3, dtype=dtype), atol=1e-4, rtol=0)


def test_a_number_a_row_is_moved_up_or_down():
    given_ = {Donor(): torch.tensor([3.0, 0.0, 2.0]), Noise(): torch.tensor([-0.1, 5.0, 2.0])}
    assert RandomDirection()(torch.tensor([1.0, 4.0, 2.0]), given_).tolist() == [-1.0, 8.0, 2.0]


def test_the_spread_of_the_noise_is_its_scale():
    hidden, noise = randn(200, 5, 40, seed=1), randn(200, 5, 40, seed=2)
    change = GaussianNoise(0.3)(hidden, {Noise(): noise}) - hidden
    relative = GaussianNoise(0.3, relative=True)(hidden, {Noise(): noise, Moment("std"): torch.tensor(5.0)}) - hidden
    # 40,000 draws: the standard error of a standard deviation is about 0.35 % of it.
    assert float(change.std()) == pytest.approx(0.3, rel=0.02)
    assert float(relative.std()) == pytest.approx(1.5, rel=0.02)


# -------------------------------------------------------------------------------------------------- subspace
@given(seed=seeds, k=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_subspace_agrees_with_the_pseudo_inverse(seed, k):
    basis, hidden, donor = randn(k, 5, seed=seed), randn(3, 2, 5, seed=seed + 1), randn(3, 2, 5, seed=seed + 2)
    projector = torch.from_numpy(np.linalg.pinv(basis.numpy()) @ basis.numpy())
    result = Subspace(basis, Interchange())(hidden, {Donor(): donor})
    torch.testing.assert_close(result, hidden + (donor - hidden) @ projector)
    torch.testing.assert_close(result @ projector, donor @ projector)
    torch.testing.assert_close(result - result @ projector, hidden - hidden @ projector)


@given(seed=seeds, k=st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_projections_are_idempotent_and_add_up(seed, k):
    basis, hidden = randn(k, 5, seed=seed), randn(3, 2, 5, seed=seed + 1)
    out, keep = Subspace(basis, Zero()), Subspace.keep(basis)
    torch.testing.assert_close(out(out(hidden)), out(hidden))
    torch.testing.assert_close(keep(keep(hidden)), keep(hidden))
    torch.testing.assert_close(out(hidden) + keep(hidden), hidden)
    torch.testing.assert_close(out(keep(hidden)), torch.zeros_like(hidden))
    torch.testing.assert_close((out(hidden) * keep(hidden)).sum(-1), torch.zeros(3, 2, dtype=torch.float64))


@given(seed=seeds)
@settings(deadline=None, max_examples=20)
def test_only_the_span_matters(seed):
    basis, hidden = randn(3, 6, seed=seed), randn(2, 6, seed=seed + 1)
    mix = torch.tensor([[1.0, 2.0, 0.0], [0.0, -3.0, 1.0], [0.0, 0.0, 1e-3]], dtype=torch.float64)
    torch.testing.assert_close(Subspace(mix @ basis, Zero())(hidden), Subspace(basis, Zero())(hidden))


def test_directions_of_very_different_length_are_independent():
    hidden = randn(2, 3, seed=1)
    torch.testing.assert_close(
        Subspace([[1e-9, 0.0, 0.0], [0.0, 1e3, 0.0]], Zero())(hidden),
        hidden * torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64),
    )


def test_a_basis_of_everything_is_the_inside_alone():
    hidden, donor = randn(2, 3, seed=1), randn(2, 3, seed=2)
    torch.testing.assert_close(Subspace(torch.eye(3), Interchange())(hidden, {Donor(): donor}), donor)
    assert torch.equal(Subspace(torch.eye(3), Interchange(), complement=True)(hidden, {Donor(): donor}), hidden)


# ---------------------------------------------------------------------------------------------- values by value
@pytest.mark.parametrize(
    "same",
    [
        0.5,
        torch.tensor(0.5),
        np.float32(0.5),
        torch.tensor(0.5, dtype=torch.bfloat16),
        np.array(0.5),
        Constant(0.5).value,
    ],
    ids=lambda item: type(item).__name__,
)
def test_equal_numbers_are_equal_whatever_they_came_in(same):
    assert Constant(same) == Constant(0.5)
    assert hash(Constant(same)) == hash(Constant(0.5))
    assert repr(Constant(same)) == "Constant(0.5)"


def test_equality_tells_apart():
    assert Constant(1) == Constant(1.0)
    assert Constant(-0.0) == Constant(0.0)
    assert Constant(1.0) != Constant([1.0])
    assert Constant([1.0, 2.0]) != Constant([2.0, 1.0])
    assert Constant(1.0) != Add(1.0)
    assert Zero() != Identity()
    assert Subspace([[1.0, 0.0]], Zero()) != Subspace([[1.0, 0.0]], Zero(), complement=True)


def test_a_value_does_not_follow_the_tensor_it_came_from():
    steering = torch.zeros(2)
    add = Add(steering)
    steering += 1.0
    assert add == Add([0.0, 0.0])


def test_doubles_stay_doubles():
    assert float(Constant(0.1)(torch.zeros(1, 1, dtype=torch.float64))) == 0.1
    assert float(Scale(0.1)(torch.ones(1, 1, dtype=torch.float64))) == 0.1


def test_half_precision_is_computed_in_float32():
    """1.001 is 1 in bfloat16; the product must be rounded once, at the end."""
    hidden = torch.full((1, 1), 1000.0, dtype=torch.bfloat16)
    assert float(Scale(1.003)(hidden)) == float(torch.tensor(1003.0).to(torch.bfloat16))
    assert float(Scale(1.003)(hidden)) != 1000.0


def test_short_values_are_printed_bare_and_long_ones_by_digest():
    assert repr(Add([1.0, 2.0])) == "Add([1.0, 2.0])"
    assert repr(Constant(0.1)) == "Constant(0.1)"
    assert repr(Masked(Zero(), [True, False])) == "Masked(Zero(), [True, False])"
    assert repr(GaussianNoise(1, norm_matched=True)) == "GaussianNoise(1.0, norm_matched=True)"
    assert repr(Swap("index", index=[1, 0])) == "Swap(donor='index', index=(1, 0))"
    assert repr(Subspace.keep([[1, 0]])) == "Subspace([[1.0, 0.0]], Zero(), complement=True)"
    assert repr(Scale(2.0) >> Zero()) == "(Scale(2.0) >> Zero())"
    assert repr(Add(torch.zeros(4096))).startswith("Add(<Value float64[4096] ")


def test_gradients_flow_to_the_activation():
    hidden = HIDDEN.clone().requires_grad_()
    (Scale(3.0) >> Masked(Zero(), [True, False]))(hidden).sum().backward()
    assert torch.equal(hidden.grad, torch.tensor([0.0, 3.0]).expand(2, 2, 2))


# ----------------------------------------------------------------------------------------------- normal forms
def test_chain_and_then():
    assert chain() == Identity()
    assert chain(Identity(), Zero()) == Zero()
    assert Then((Zero(), Identity(), Then((Scale(2.0), Add(1.0))))).parts == (Zero(), Scale(2.0), Add(1.0))
    assert isinstance(chain(Zero(), Zero()), Then)


def test_at_makes_an_assignment():
    site = Site("encoder.fc1")
    assert Zero().at(site) == Assignment(((site, Zero()),))
    assert Zero().at(site) != Scale(2.0).at(site)


def test_integer_activations_can_be_replaced():
    hidden = torch.tensor([[1, 2], [3, 4]])
    assert Zero()(hidden).dtype == torch.int64
    assert torch.equal(Interchange()(hidden, {Donor(): hidden + 1}), hidden + 1)


@pytest.mark.filterwarnings("error")
def test_arrays_that_must_not_be_written_to_are_copied_without_a_warning():
    array = np.arange(3.0)
    array.setflags(write=False)
    before = array.copy()
    found = Constant(array)(torch.zeros(2, 3))
    found += 1
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(found, np.tile(before + 1, (2, 1)))
