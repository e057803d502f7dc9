"""Wrong questions: each message says what was asked, what was found, and what to do."""

from __future__ import annotations

import math

import pytest
import torch

from mediation.errors import BackendError, DesignError, MediationError
from mediation.interventions import (
    Add,
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
    check_laws,
    intervention,
)

HIDDEN = torch.zeros(2, 3, 4)


@intervention
def clip(hidden, limit=3.0):
    return hidden.clamp(-limit, limit)


WRONG = [
    # ------------------------------------------------------------------------------------------ numbers
    (lambda: Constant("a"), "Constant: a number, a list of numbers or a tensor is needed, found str."),
    (lambda: Constant([[1.0], [1.0, 2.0]]), "Constant: a number, a list of numbers or a tensor is needed, found list."),
    (lambda: Add(True), "Add: real numbers are needed, found bool."),
    (lambda: Scale(1j), "Scale: real numbers are needed, found complex64."),
    (lambda: Scale(math.inf), "Scale of shape () holds NaN or infinity; finite numbers are needed."),
    (
        lambda: Constant([1.0, 2.0, 3.0])(HIDDEN),
        "Constant of shape (3,) does not broadcast to the activation's shape (2, 3, 4). "
        "Give shape () for all alike, or (4,) for one per feature.",
    ),
    (
        lambda: Add(torch.zeros(2, 3, 4))(HIDDEN),
        "Add of shape (2, 3, 4) differs between the rows of the activation's shape (2, 3, 4); rows are units, which "
        "come in any order. Give at most shape (3, 4).",
    ),
    (
        lambda: Scale(torch.zeros(1, 1, 3, 4))(HIDDEN),
        "Scale of shape (1, 1, 3, 4) does not broadcast to the activation's shape (2, 3, 4). "
        "Give shape () for all alike, or (4,) for one per feature.",
    ),
    (
        lambda: Scale(2.0)(torch.zeros(2, 2, dtype=torch.int64)),
        "The activation holds int64, and only floating-point activations can be calculated with. Choose a site after "
        "the embedding, or an intervention that replaces the activation, such as Interchange().",
    ),
    # ------------------------------------------------------------------------------------------ options
    (lambda: Mean(over="rows"), "Mean: over = 'rows' is not known. Choose from 'units', 'tokens'."),
    (lambda: Mean(run="sauce"), "Mean: run = 'sauce' is not known. Closest: 'source'."),
    (lambda: Interchange("orther"), "Interchange: run = 'orther' is not known. Closest: 'other'."),
    (lambda: Swap("deranged"), "Swap: donor = 'deranged' is not known. Closest: 'derangement'."),
    (
        lambda: Swap("matched"),
        "Swap with 'matched' donors: column is missing: name the column in which donor and unit agree.",
    ),
    (
        lambda: Swap("random", column="kind"),
        "Swap with 'random' donors: column='kind' is used by 'matched' only; leave it out, or ask for 'matched'.",
    ),
    (
        lambda: Swap("index"),
        "Swap with 'index' donors: index is missing: give one unit number for each unit, such as index=(1, 0).",
    ),
    (
        lambda: Swap(index=(1, 0)),
        "Swap with 'derangement' donors: index is used by 'index' only; leave it out, or ask for 'index'.",
    ),
    (
        lambda: Swap("index", index=(0, -1)),
        "Swap: a number in index = -1: a whole number of at least 0 is needed.",
    ),
    (lambda: Swap("index", index=3), "Swap: index = 3: a tuple with one unit number for each unit is needed."),
    (lambda: Swap("matched", column=3), "Swap: column = 3: the name of a column is needed, such as 'template'."),
    (
        lambda: Donor("same", "own", column="kind"),
        "Donor with 'own' donors: column='kind' is used by 'matched' only; leave it out, or ask for 'matched'.",
    ),
    (lambda: Donor("both"), "Donor: run = 'both' is not known. Closest: 'other'."),
    (
        lambda: RandomDirection("same"),
        "RandomDirection: run = 'same' is not known. Choose from 'other', 'base', 'source'.",
    ),
    (lambda: RandomDirection(stream=0.5), "RandomDirection: stream = 0.5: a whole number of at least 0 is needed."),
    (lambda: Noise(-1), "Noise: stream = -1: a whole number of at least 0 is needed."),
    (lambda: Moment("median"), "Moment: kind = 'median' is not known. Closest: 'mean'."),
    (
        lambda: Moment("std", over="tokens"),
        "Moment('std', over='tokens'): the standard deviation of a site is one number, over units and tokens together. "
        "Leave `over` out.",
    ),
    # -------------------------------------------------------------------------------------------- noise
    (
        lambda: GaussianNoise(-0.5),
        "GaussianNoise: scale = -0.5: a finite number of at least 0 is needed, such as 0.5.",
    ),
    (
        lambda: GaussianNoise(math.nan),
        "GaussianNoise: scale = nan: a finite number of at least 0 is needed, such as 0.5.",
    ),
    (lambda: GaussianNoise(1.0, relative=2), "GaussianNoise: relative = 2: True or False is needed."),
    (
        lambda: GaussianNoise(1.0, relative=True, replace=True, norm_matched=True),
        "GaussianNoise: relative=True has no meaning with replace=True and norm_matched=True, where the norm of the "
        "activation sets the size of the noise. Write GaussianNoise(1.0, replace=True, norm_matched=True).",
    ),
    (
        lambda: GaussianNoise(0.0, replace=True, norm_matched=True),
        "GaussianNoise: scale = 0 has no meaning with replace=True and norm_matched=True, where the norm of the "
        "activation sets the size of the noise. Write GaussianNoise(1.0, replace=True, norm_matched=True).",
    ),
    (
        lambda: GaussianNoise(1.0)(HIDDEN),
        "GaussianNoise(1.0) needs Noise(stream=0), and was given nothing. med.mediate and med.ablate supply it; when "
        "calling the intervention yourself, pass given={Noise(stream=0): tensor}.",
    ),
    # ----------------------------------------------------------------------------------------- subspace
    (
        lambda: Subspace([[1.0, 2.0], [2.0, 4.0]], Zero()),
        "Subspace: the 2 directions of 2 features span only 1. "
        "Leave out directions that are zero or a combination of the others.",
    ),
    (
        lambda: Subspace([[1.0, 2.0], [0.0, 0.0]], Zero()),
        "Subspace: the 2 directions of 2 features span only 1. "
        "Leave out directions that are zero or a combination of the others.",
    ),
    (
        lambda: Subspace([[1.0], [2.0]], Zero()),
        "Subspace: the 2 directions of 1 features span only 1. "
        "Leave out directions that are zero or a combination of the others.",
    ),
    (
        lambda: Subspace([1.0, 0.0], Zero()),
        "Subspace: basis has shape (2,); (k, features) is needed, one direction a row, such as [[1.0, 0.0]].",
    ),
    (
        lambda: Subspace([[1.0, 0.0]], Zero())(HIDDEN),
        "Subspace: the basis has 2 features, and the activation's shape is (2, 3, 4). "
        "Give directions with as many features as its last axis.",
    ),
    (
        lambda: Subspace([[1.0, 0.0]], Zero),
        "Subspace: inside: an intervention is needed, found the class Zero. Call it first.",
    ),
    (lambda: Subspace([[1.0]], Zero(), complement="yes"), "Subspace: complement = 'yes': True or False is needed."),
    # ------------------------------------------------------------------------------------------ compose
    (lambda: Blend(Zero(), 1.5), "Blend: weight = 1.5: a number from 0 to 1 is needed, such as 0.5."),
    (lambda: Blend(Zero(), math.nan), "Blend: weight = nan: a number from 0 to 1 is needed, such as 0.5."),
    (
        lambda: Blend(clip, 0.5),
        "Blend: an intervention is needed, found <intervention clip(limit=3.0)>. "
        "A function becomes one by @intervention, and then a call with its parameters.",
    ),
    (
        lambda: Blend(0.5, Zero()),
        "Blend: an intervention is needed, such as Zero(), found 0.5.",
    ),
    (
        lambda: Masked(Zero(), [1, 0]),
        "Masked: mask: True and False are needed, found numbers. Write such as [True, False].",
    ),
    (
        lambda: Masked(Zero(), [True, False])(HIDDEN),
        "Masked: mask of shape (2,) does not broadcast to the activation's shape (2, 3, 4). "
        "Give shape () for all alike, or (4,) for one per feature.",
    ),
    (
        lambda: Then(()),
        "Then: at least two interventions other than Identity() are needed, found none. "
        "Use chain(...), which takes any number.",
    ),
    (
        lambda: Then((Identity(), Zero())),
        "Then: at least two interventions other than Identity() are needed, found only Zero(). "
        "Use chain(...), which takes any number.",
    ),
    (
        lambda: Then(Zero()),
        "Then: a tuple of interventions is needed, found Zero(). Write a >> b, or Then((a, b)).",
    ),
    (lambda: chain(Zero(), 3), "Then: an intervention is needed, such as Zero(), found 3."),
    (
        lambda: check_laws(Zero(), torch.zeros(1, 4)),
        "check_laws: an activation of at least two rows is needed, found shape (1, 4).",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_messages(call, message):
    with pytest.raises(DesignError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Interchange()(HIDDEN, {Donor(): torch.zeros(3, 3, 4)}),
            "Interchange(): what was given for Donor(run='other', unit='own', column=None, index=None) has shape "
            "(3, 3, 4), which does not broadcast to the activation's shape (2, 3, 4).",
        ),
        (
            lambda: Mean()(HIDDEN, {Moment("mean"): torch.zeros(5)}),
            "Mean(): what was given for Moment(kind='mean', over='units', run='same') has shape (5,), which does not "
            "broadcast to the activation's shape (2, 3, 4).",
        ),
    ],
    ids=["donor", "mean"],
)
def test_a_run_that_supplies_the_wrong_shape(call, message):
    with pytest.raises(BackendError) as caught:
        call()
    assert str(caught.value) == message


def test_errors_are_of_the_package_and_of_python():
    with pytest.raises(ValueError, match="Blend"):
        Blend(Zero(), 2)
    with pytest.raises(MediationError, match="Blend"):
        Blend(Zero(), 2)
