"""One instance or more of every intervention: the list that the laws are crossed with.

A new class is tested by one line here. All of them act on activations of shape (rows, POSITIONS, FEATURES).
"""

from __future__ import annotations

import torch

from mediation.interventions import (
    AbstractIntervention,
    Add,
    Blend,
    Constant,
    FirstRepeat,
    GaussianNoise,
    Identity,
    Interchange,
    Masked,
    Mean,
    Oracle,
    RandomDirection,
    Scale,
    Shorten,
    ShuffleSteps,
    Skip,
    Subspace,
    Swap,
    Zero,
    intervention,
)

POSITIONS, FEATURES = 3, 4
BASIS = [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, -2.0, 0.5]]
MASK = [True, False, True, False]


@intervention
def clip(hidden, limit=1.0):
    return hidden.clamp(-limit, limit)


@intervention
def toward(hidden, weight=0.5, *, donor):
    return hidden + weight * (donor - hidden)


@intervention
def jitter(hidden, *, noise, std):
    return hidden + noise * std


@intervention
def centre(hidden, shift=None, *, mean):
    return hidden - mean if shift is None else hidden - mean + shift


CUSTOM = {"clip": clip, "toward": toward, "jitter": jitter, "centre": centre}

# These say what a thought is to be, and refuse an activation; tests/analysis/test_thoughts.py has them.
OF_THOUGHTS: list[AbstractIntervention] = [Skip(), Shorten(2), Oracle([[[0.5, 1.0]], [[2.0, 3.0]]])]

EXAMPLES: list[AbstractIntervention] = [
    Identity(),
    Zero(),
    Constant(0.1),
    Constant([0.5, -1.0, 2.0, 0.0]),
    Constant(torch.arange(POSITIONS * FEATURES).reshape(POSITIONS, FEATURES)),
    Mean(),
    Mean(over="tokens", run="source"),
    GaussianNoise(0.5),
    GaussianNoise(0.0),
    GaussianNoise(2.0, relative=True, stream=3),
    GaussianNoise(0.5, replace=True),
    GaussianNoise(0.5, relative=True, norm_matched=True),
    GaussianNoise(1.0, replace=True, norm_matched=True),
    Interchange(),
    Interchange(run="base"),
    Swap(),
    Swap("random", run="other"),
    Swap("matched", column="template"),
    Swap("index", index=(1, 0, 3, 2)),
    RandomDirection(),
    RandomDirection(run="source", stream=2),
    Scale(-1.5),
    Scale([1.0, 2.0, 0.0, -0.1]),
    FirstRepeat(),
    ShuffleSteps(),
    ShuffleSteps(stream=2),
    Add(1.0),
    Add([1.0, 2.0, 3.0, 4.0]),
    Subspace(BASIS, Interchange()),
    Subspace(BASIS, Zero()),
    Subspace(BASIS, GaussianNoise(1.0, norm_matched=True), complement=True),
    Subspace.keep(BASIS),
    Masked(Interchange(), MASK),
    Masked(Zero(), [[True], [False], [True]]),
    Blend(Interchange(), 0.3),
    Blend(Zero(), 0.75),
    Scale(2.0) >> Add(1.0),
    Interchange() >> GaussianNoise(0.1) >> Masked(Scale(3.0), MASK),
    clip(limit=0.5),
    toward(),
    jitter(),
    centre(shift=[0.5, 0.25, 0.1, 0.0]),
]
