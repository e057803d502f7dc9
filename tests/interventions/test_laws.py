"""The laws of interventions, for every class and for compositions that hypothesis makes up."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from dataclasses import dataclass
from typing import Any, final

import pytest
import torch
from hypothesis import given, settings, strategies as st

import mediation as med
import mediation.interventions as package
from mediation._values import Value
from mediation.errors import DesignError
from mediation.interventions import (
    AbstractIntervention,
    Blend,
    Constant,
    Custom,
    Donor,
    GaussianNoise,
    Identity,
    Masked,
    Noise,
    RandomDirection,
    Subspace,
    Then,
    chain,
    check_laws,
    intervention,
    stand_in,
)
from mediation.interventions._needs import NOTHING
from tests.interventions.examples import BASIS, CUSTOM, EXAMPLES, FEATURES, MASK, OF_THOUGHTS, POSITIONS

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def activation(seed: int = 0, rows: int = 4, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, POSITIONS, FEATURES, generator=generator)
    hidden[0, 0] = 0.0  # an activation of norm zero is always among them
    return hidden.to(dtype)


def supply(*interventions: AbstractIntervention, hidden: torch.Tensor) -> dict:
    return {need: item for one in interventions for need, item in stand_in(one, hidden).items()}


every = pytest.mark.parametrize("example", EXAMPLES, ids=repr)
simple = st.sampled_from(EXAMPLES)
composed = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(Blend, inner, st.floats(0, 1)),
        st.builds(Masked, inner, st.just(MASK)),
        st.builds(Subspace, st.just(BASIS), inner),
        st.builds(lambda a, b: a >> b, inner, inner),
    ),
    max_leaves=4,
)
seeds = st.integers(0, 2**16)


def test_every_final_class_is_among_the_examples():
    modules = [
        importlib.import_module(f"{package.__name__}.{item.name}") for item in pkgutil.iter_modules(package.__path__)
    ]
    classes = {
        found
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, AbstractIntervention) and not inspect.isabstract(found)
    }
    assert len(classes) >= 14
    assert {found.__name__ for found in classes} == {type(example).__name__ for example in [*EXAMPLES, *OF_THOUGHTS]}
    assert all(getattr(found, "__final__", False) for found in classes)
    assert all(not hasattr(example, "__dict__") for example in EXAMPLES)


@every
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_shape_dtype_purity_rows_and_determinism(example, dtype):
    check_laws(example, activation(dtype=dtype))


@given(example=composed, seed=seeds, dtype=st.sampled_from(DTYPES))
@settings(deadline=None, max_examples=60)
def test_the_same_laws_hold_for_compositions(example, seed, dtype):
    check_laws(example, activation(seed, dtype=dtype))


@given(example=composed, seed=seeds, order=st.permutations(range(4)))
@settings(deadline=None, max_examples=60)
def test_permuted_rows_give_the_permuted_result(example, seed, order):
    hidden = activation(seed)
    whole = supply(example, hidden=hidden)
    by_row = {need: item[list(order)] if item.ndim and item.shape[0] == 4 else item for need, item in whole.items()}
    permuted = example(hidden[list(order)], by_row)
    torch.testing.assert_close(permuted, example(hidden, whole)[list(order)], atol=1e-5, rtol=1e-5)


@every
def test_identity_is_neutral(example):
    assert Identity() >> example == example
    assert example >> Identity() == example
    assert Identity()(activation()) is not None
    assert torch.equal(Identity()(activation()), activation())


@given(a=composed, b=composed, c=composed, seed=seeds)
@settings(deadline=None, max_examples=60)
def test_then_is_associative_and_is_composition(a, b, c, seed):
    left, right = (a >> b) >> c, a >> (b >> c)
    assert left == right == chain(a, b, c)
    assert hash(left) == hash(right)
    assert left.needs() == a.needs() | b.needs() | c.needs()
    hidden = activation(seed)
    everything = supply(a, b, c, hidden=hidden)
    one_by_one = c(b(a(hidden, everything), everything), everything)
    assert torch.equal(left(hidden, everything), one_by_one)


@given(example=composed, weight=st.floats(0, 1), other=st.floats(0, 1), seed=seeds)
@settings(deadline=None, max_examples=60)
def test_blend(example, weight, other, seed):
    assert Blend(example, 0) == Identity()
    assert Blend(example, 1) == example
    assert Blend(Identity(), weight) == Identity()
    hidden = activation(seed, dtype=torch.float64)
    everything = supply(example, hidden=hidden)
    full, blend = example(hidden, everything), Blend(example, weight)
    torch.testing.assert_close(blend(hidden, everything), (1 - weight) * hidden + weight * full)
    torch.testing.assert_close(
        Blend(blend, other)(hidden, everything), (1 - other) * hidden + other * blend(hidden, everything)
    )


def test_a_blend_made_of_a_blend_leaves_the_first_as_it_was():
    first = Blend(Constant(1.0), 0.5)
    again = Blend(first, 1)
    half = Blend(first, 0.5)
    assert again == first
    assert half == Blend(Constant(1.0), 0.25)
    assert (first.intervention, first.weight) == (Constant(1.0), 0.5)


@given(example=composed)
@settings(deadline=None, max_examples=100)
def test_repr_evaluates_back_and_equality_is_by_value(example):
    names = {**vars(package), **CUSTOM, "Value": Value}
    again = eval(repr(example), names)
    assert again == example
    assert hash(again) == hash(example)
    assert repr(again) == repr(example)
    assert len({again, example, copy.deepcopy(example)}) == 1


@every
def test_repr_evaluates_back(example):
    assert eval(repr(example), {**vars(package), **CUSTOM}) == example


@every
def test_examples_differ_from_one_another(example):
    assert [other for other in EXAMPLES if other == example] == [example]


@every
def test_frozen(example):
    with pytest.raises((AttributeError, TypeError)):  # TypeError: a quirk of frozen dataclasses with slots
        example.anything = 1
    for name in type(example).__dataclass_fields__:
        with pytest.raises(AttributeError):
            setattr(example, name, None)


@pytest.mark.parametrize(
    "example",
    [item for item in EXAMPLES if type(item) is not Custom],
    ids=repr,
)
def test_pickles(example):
    assert pickle.loads(pickle.dumps(example)) == example


@given(example=composed, seed=seeds, dtype=st.sampled_from(DTYPES))
@settings(deadline=None, max_examples=60)
def test_interchange_with_itself_changes_nothing_exactly(example, seed, dtype):
    """Whatever is put around it: the run itself as the donor gives the activation back, bit by bit."""
    hidden = activation(seed, dtype=dtype)
    itself = package.Interchange(run="same")
    for wrapped in (itself, Blend(itself, 0.3), Masked(itself, MASK), Subspace(BASIS, itself), Then((itself, itself))):
        assert torch.equal(wrapped(hidden, {Donor("same"): hidden.clone()}), hidden)


@every
@pytest.mark.parametrize("shape", [(5, FEATURES), (2, 7, 5, FEATURES)], ids=str)
def test_other_ranks_of_activation(example, shape):
    """Plain modules give (rows, features) or (rows, ..., features)."""
    hidden = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    positioned = "[[" in repr(example) and "Subspace" not in repr(example)
    if positioned:
        with pytest.raises(DesignError, match=r"does not broadcast|differs between the rows"):
            example(hidden, stand_in(example, hidden))
    else:
        check_laws(example, hidden)


@every
def test_what_was_given_is_never_returned(example):
    """A model that works in place must not write into the activations that a study keeps."""
    hidden = activation()
    everything = supply(example, hidden=hidden)
    kept = {need: item.clone() for need, item in everything.items()}
    if example != Identity():
        example(hidden, everything).fill_(7.0)
    assert all(torch.equal(everything[need], item) for need, item in kept.items())


@pytest.mark.parametrize("example", [item for item in EXAMPLES if item.needs()], ids=repr)
def test_whatever_is_needed_is_asked_for(example):
    hidden = activation()
    everything = supply(example, hidden=hidden)
    for need in example.needs():
        rest = {other: item for other, item in everything.items() if other != need}
        with pytest.raises(DesignError, match=r"med\.mediate and med\.ablate supply it") as caught:
            example(hidden, rest)
        assert repr(need) in str(caught.value)


@pytest.mark.parametrize("foreign", [3, None, "Zero()", torch.zeros(1), CUSTOM["clip"], package.Zero], ids=str)
def test_a_foreign_operand_is_pythons_own_error(foreign):
    with pytest.raises(TypeError, match="unsupported operand"):
        package.Zero() >> foreign
    with pytest.raises(TypeError, match="unsupported operand"):
        foreign >> package.Zero()


# ------------------------------------------------------------------------------- check_laws finds what is broken
@intervention
def in_place(hidden):
    return hidden.add_(1.0)


@intervention
def spoils_donor(hidden, *, donor):
    return donor.mul_(2.0)


@intervention
def across_rows(hidden):
    return hidden - hidden.mean(0)


@intervention
def draws(hidden):
    return hidden + torch.randn_like(hidden)


_calls: list[int] = []


@intervention
def remembers(hidden):
    _calls.append(1)
    return hidden * len(_calls)


class Unprintable:
    """Hashed and compared by address, as any plain object is."""


@intervention
def with_object(hidden, thing):
    return hidden + 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (in_place(), "in_place() changed its argument `hidden`. Work on a copy: hidden.clone()."),
        (spoils_donor(), "spoils_donor() changed what it was given for Donor("),
        (across_rows(), "across_rows() looks at other rows: row 0 alone gave a result that changed by "),
        (draws(), "draws() draws from torch's global generator. Take a keyword-only argument `noise` instead."),
        (remembers(), "remembers() gave another result when called again with the same arguments."),
        (with_object(thing=Unprintable()), "does not equal a copy of itself; give it parameters that are compared by"),
        (with_object(thing=len), ""),
        (with_object(thing=activation), " prints an address; give it parameters that print as they are written."),
    ],
    ids=lambda item: str(item)[:20],
)
def test_check_laws(broken, message):
    if not message:
        check_laws(broken, activation())
        return
    with pytest.raises(DesignError) as caught:
        check_laws(broken, activation())
    assert message in str(caught.value)


def test_check_laws_sees_a_wrong_result_of_a_class_of_ones_own():
    class Wrong(AbstractIntervention):
        def __init__(self, result):
            self.result = result

        def needs(self):
            return frozenset()

        def __call__(self, hidden, given=None):
            return self.result(hidden)

        def __repr__(self):
            return "Wrong()"

        def __eq__(self, other):
            return isinstance(other, Wrong)

        def __hash__(self):
            return 0

    with pytest.raises(
        DesignError, match=r"Wrong\(\) returned shape torch.Size\(\[4, 3\]\) for an activation of shape"
    ):
        check_laws(Wrong(lambda hidden: hidden.sum(-1)), activation())
    with pytest.raises(DesignError, match=r"returned dtype torch.float64 for an activation of dtype torch.float32"):
        check_laws(Wrong(lambda hidden: hidden.double()), activation())


def test_check_laws_uses_what_it_is_given():
    seen = []

    class Reads(AbstractIntervention):
        def needs(self):
            return frozenset({Noise()})

        def __call__(self, hidden, given):
            seen.append(float(given[Noise()].sum()))
            return hidden

        def __repr__(self):
            return "Reads()"

        def __eq__(self, other):
            return isinstance(other, Reads)

        def __hash__(self):
            return 0

    check_laws(Reads(), activation(), {Noise(): torch.ones(4, POSITIONS, FEATURES)})
    assert seen == [48.0, 48.0, 12.0, 12.0, 12.0, 12.0]


@pytest.mark.parametrize("example", OF_THOUGHTS, ids=lambda one: type(one).__name__)
def test_what_a_thought_is_to_be_is_a_value_and_refuses_activations(example):
    assert example == pickle.loads(pickle.dumps(example))
    assert hash(example) == hash(eval(repr(example), vars(package) | {"Value": Value}))
    with pytest.raises(DesignError, match="is for thoughts"):
        example(torch.zeros(1, 2, 2))


@pytest.mark.parametrize("example", [GaussianNoise(0.5, norm_matched=True), RandomDirection()], ids=repr)
def test_a_norm_over_features_never_looks_at_other_rows(example):
    """At a module that gives one number a row, the last axis is that of the rows."""
    check_laws(example, torch.tensor([1.0, -3.0, 4.0]))


@final
@dataclass(frozen=True)
class Reads(AbstractIntervention):
    """Reads the base's activation, whatever it asks for."""

    asked: Any

    def needs(self):
        return self.asked

    def __call__(self, hidden, given=NOTHING):
        return given[Donor("base")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (frozenset({"base"}), r"^needs\(\) of .* holds 'base'; only Donor, Noise and Moment can be asked for\.$"),
        (Donor("base"), r"^needs\(\) of .* gave Donor\(run='base'.*; a set is needed, such as"),
        (frozenset(), r"reads Donor\(run='base'.*, which its needs\(\) does not name\.$"),
    ],
)
def test_needs_that_no_run_can_fill_are_named_before_anything_runs(asked, said):
    with pytest.raises(DesignError, match=said):
        check_laws(Reads(asked), torch.randn(4, 3, 16))
    model = med.load(med.testing.tiny_model("llama", layers=1))
    pairs = med.Pairs(base=[[1, 2], [3, 4]], source=[[5, 2], [6, 4]])
    with pytest.raises(DesignError, match=said.removeprefix("^")):
        med.ablate(model, pairs, Reads(asked).at(med.residual(0, at="last")), med.LogitDiff(5, 6), n_resamples=99)
