"""Interventions made of a user's function."""

from __future__ import annotations

import pytest
import torch

from mediation.errors import BackendError, DesignError
from mediation.interventions import Donor, Moment, Noise, check_laws, intervention
from tests.interventions.examples import centre, clip, jitter, toward

HIDDEN = torch.tensor([[5.0, -1.0], [0.5, -7.0]])


def test_values():
    donor = torch.ones(2, 2)
    assert torch.equal(clip(limit=2.0)(HIDDEN), HIDDEN.clamp(-2, 2))
    assert torch.equal(toward(weight=0.25)(HIDDEN, {Donor(): donor}), 0.75 * HIDDEN + 0.25)
    assert torch.equal(jitter()(HIDDEN, {Noise(): donor, Moment("std"): torch.tensor(3.0)}), HIDDEN + 3)
    assert torch.equal(centre()(HIDDEN, {Moment("mean"): torch.tensor([1.0, 2.0])}), HIDDEN - torch.tensor([1.0, 2.0]))


def test_needs_are_read_from_the_signature():
    assert clip().needs() == frozenset()
    assert toward().needs() == {Donor("other", "own")}
    assert jitter().needs() == {Noise(0), Moment("std")}
    assert centre().needs() == {Moment("mean")}


def test_repr_and_equality():
    assert repr(clip()) == "clip(limit=1.0)"
    assert repr(clip(limit=2.0)) == "clip(limit=2.0)"
    assert repr(centre(shift=[0.1, 0.2])) == "centre(shift=[0.1, 0.2])"
    assert repr(clip) == "<intervention clip(limit=1.0)>"
    assert clip() == clip(limit=1.0) != clip(limit=2.0)
    assert centre(shift=[1.0]) == centre(shift=torch.tensor([1.0]))
    assert len({clip(), clip(limit=1.0), clip(limit=2.0)}) == 2


def from_text(source: str, **module):
    scope = {"__name__": "somewhere", "intervention": intervention, "torch": torch, **module}
    exec(source, scope)
    return scope["move"]


def test_another_body_is_another_intervention():
    text = "@intervention\ndef move(hidden, by=1.0):\n    return hidden + {} * by\n"
    one, same, other = from_text(text.format(1)), from_text(text.format(1)), from_text(text.format(2))
    assert one() == same()
    assert hash(one()) == hash(same())
    assert one() != other()
    assert repr(one()) == repr(other())


def test_another_constant_of_the_module_is_another_intervention():
    text = "@intervention\ndef move(hidden):\n    return [item * by for item in [hidden]][0]\n"
    assert from_text(text, by=1.0)() == from_text(text, by=1.0)()
    assert from_text(text, by=1.0)() != from_text(text, by=2.0)()
    assert from_text(text, by=torch.ones(2))() == from_text(text, by=torch.ones(2))()
    assert from_text(text, by=torch.ones(2))() != from_text(text, by=torch.zeros(2))()


def test_another_name_or_module_is_another_intervention():
    text = "@intervention\ndef move(hidden):\n    return hidden + 0\n"
    assert from_text(text)() != from_text(text, __name__="elsewhere")()


def test_a_module_of_the_enclosing_function_may_be_read():
    import torch as local

    @intervention
    def absolute(hidden):
        return local.abs(hidden)

    assert torch.equal(absolute()(HIDDEN), HIDDEN.abs())


_SEEN: list[torch.dtype] = []


@intervention
def note(hidden, direction, columns, keep, *, noise):
    _SEEN.extend([direction.dtype, columns.dtype, keep.dtype, noise.dtype])
    return hidden


def test_tensor_parameters_come_in_the_precision_of_the_activation():
    _SEEN.clear()
    note(direction=[0.1, 0.2], columns=[0, 1], keep=[True, False])(HIDDEN.half(), {Noise(): torch.zeros(2, 2)})
    half, whole, truth = torch.float16, torch.int64, torch.bool
    assert [half, whole, truth, half] == _SEEN


def test_the_result_has_the_dtype_of_the_activation():
    move = from_text("@intervention\ndef move(hidden):\n    return hidden.double() / 3\n")
    result = move()(HIDDEN.bfloat16())
    assert result.dtype == torch.bfloat16
    assert torch.equal(result, (HIDDEN.double() / 3).bfloat16())
    check_laws(move(), HIDDEN)


def test_errors_of_the_function_pass_through():
    move = from_text("@intervention\ndef move(hidden):\n    return hidden + undefined\n")
    with pytest.raises(NameError, match="undefined"):
        move()(HIDDEN)


# --------------------------------------------------------------------------------------- what cannot be made
def lacks_hidden(*, noise):
    return noise


def takes_any(hidden, **options):
    return hidden


def noise_by_place(hidden, noise):
    return hidden + noise


def recursive():
    @intervention
    def again(hidden):
        return again(hidden)

    return again


def test_a_function_that_reads_itself_is_refused():
    with pytest.raises(DesignError, match="again reads 'again' from the function around it"):
        recursive()


def by_place_only(hidden, limit, /):
    return hidden + limit


def enclosed():
    limit = 2.0

    def inner(hidden):
        return hidden * limit

    return inner


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lacks_hidden, "@intervention: lacks_hidden takes no activation. Write def lacks_hidden(hidden, ...)."),
        (takes_any, "@intervention: takes_any takes **options; name every parameter instead."),
        (
            noise_by_place,
            "@intervention: noise_by_place takes 'noise', which the run fills in, by place. "
            "Write it after a star: def noise_by_place(hidden, ..., *, noise).",
        ),
        (by_place_only, "@intervention: by_place_only takes 'limit' by place only; remove the `/`."),
        (
            enclosed(),
            "@intervention: inner reads 'limit' from the function around it. "
            "Make it a parameter: def inner(hidden, limit=...).",
        ),
        (3, "@intervention: a function with a name is needed, found 3. Use `def`."),
    ],
)
def test_functions_that_are_refused(function, message):
    with pytest.raises(DesignError) as caught:
        intervention(function)
    assert str(caught.value) == message


def test_a_lambda_is_refused():
    with pytest.raises(DesignError, match=r"a function with a name is needed, found test_.*<lambda>\. Use `def`"):
        intervention(lambda hidden: hidden)


@intervention
def needy(hidden, scale):
    return hidden * scale


@intervention
def flat(hidden):
    return hidden.flatten()


@intervention
def number(hidden):
    return 3.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: clip(limt=2.0), DesignError, "clip has no parameter 'limt'. Closest: 'limit'."),
        (lambda: flat(limit=2.0), DesignError, "flat has no parameter 'limit'. It has none."),
        (
            lambda: toward(donor=HIDDEN),
            DesignError,
            "toward: 'donor' is filled in by the run, from Donor(run='other', unit='own', column=None, index=None). "
            "Leave it out.",
        ),
        (lambda: needy(), DesignError, "needy: parameter 'scale' has no default and was not given."),
        (
            lambda: clip(HIDDEN),
            DesignError,
            "clip: parameters are given by name, found 1 without. Write clip(limit=...); that intervention is then "
            "called on an activation: clip(limit=...)(hidden).",
        ),
        (
            lambda: clip(limit={"a": 1}),
            DesignError,
            "clip: limit: a dict cannot be compared by value. Give a number, text, tuple or list.",
        ),
        (
            lambda: flat()(HIDDEN),
            BackendError,
            "flat() (function flat in tests.interventions.test_custom) returned shape (4,) for an activation of shape "
            "(2, 2); the shape must stay.",
        ),
        (
            lambda: number()(HIDDEN),
            BackendError,
            "number() (function number in tests.interventions.test_custom) returned float; a tensor of the "
            "activation's shape is needed.",
        ),
        (
            lambda: jitter()(HIDDEN, {Noise(): HIDDEN}),
            DesignError,
            "jitter() needs Moment(kind='std', over='units', run='same'), and was given Noise(stream=0). med.mediate "
            "and med.ablate supply it; when calling the intervention yourself, pass "
            "given={Moment(kind='std', over='units', run='same'): tensor}.",
        ),
        (
            lambda: toward()(HIDDEN, {Donor(): torch.ones(3, 2)}),
            BackendError,
            "toward(weight=0.5): what was given for Donor(run='other', unit='own', column=None, index=None) has shape "
            "(3, 2), which does not broadcast to the activation's shape (2, 2).",
        ),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_a_name_that_no_run_fills_in_is_told_what_can_be_asked_for():
    @intervention
    def needs_base(hidden, *, base):
        return base

    with pytest.raises(DesignError) as error:
        needs_base()
    assert str(error.value) == (
        "needs_base: parameter 'base' has no default and was not given. The run fills in 'donor', 'mean', 'noise', "
        "'std' alone. An activation of another run takes a class, whose needs() asks for it: Donor('base'), say."
    )
