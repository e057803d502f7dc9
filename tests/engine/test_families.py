"""Every family, every kind of site and every intervention: the batched paths give the numbers of the naive one.

The naive path (``backend="reference"``) is one forward pass per world, unit and draw, of one unpadded row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation import (
    Add,
    Blend,
    Constant,
    GaussianNoise,
    Interchange,
    LogitDiff,
    Masked,
    Mean,
    Model,
    Scale,
    Site,
    SiteSet,
    Subspace,
    Swap,
    World,
    Zero,
    attention,
    embedding,
    mlp,
    neurons,
    pattern,
    residual,
)
from mediation.interventions import Assignment
from mediation.testing import FAMILIES, check_backend, tiny_model
from tests.engine.studies import exchanges, finish, gap, token_pairs, values
from tests.interventions.examples import centre, clip, jitter, toward

ENCODERS = ("bert", "roberta", "distilbert")
OUTCOME = LogitDiff(5, 6)
TOLERANCE = 1e-5

# Spans of two tokens that are elsewhere in every unit and input.
SPANS = {"subject": ([(0, 2), (3, 5), (1, 3), (7, 9), (0, 2)], [(1, 3), (0, 2), (5, 7), (2, 4), (4, 6)])}
FRAME = pd.DataFrame({"template": list("abaab")})
PAIRS = token_pairs((5, 7, 7, 9, 6), spans=SPANS, frame=FRAME)

MANNERS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "one row at a time": {"batch_size": 1},
    "rows, padded left": {"fan_out": False, "padding_side": "left"},
    "rows by three, padded right": {"fan_out": False, "padding_side": "right", "batch_size": 3},
    "plain hooks": {"backend": "hooks", "padding_side": "right"},
}


def sites_of(model: Model) -> SiteSet:
    """Sites of every kind, at positions of every kind."""
    known = model.known_architecture()
    return (
        residual(at="last")
        | residual((0, 1), at=1)
        | residual(0)
        | residual(1, at="subject", units=(0, 3, 15))
        | mlp(at="last")
        | mlp(0)
        | mlp(1, at=(0, -2), units=(1, 2))
        | attention((0, 1), at=-2)
        | attention(0)
        | attention(1, head="each", at="subject.last")
        | attention(0, head=1, units=(0, 3))
        | attention(1, head=-1, at=slice(1, 4))
        | pattern(1, head=2, at="last")
        | pattern(0, at=slice(None, None, 2))
        | neurons(1, (0, 3))
        | neurons(0, range(8), at="subject.first")
        | embedding(at=2)
        | embedding(units=(0, 5))
        | Site(known.path(1), io="input", at="subject")
        | Site(known.path(0, known.part("attention").split(".")[0]), at=1)
        | Site(known.path(1, known.part("mlp")), io="input", at=slice(-3, None))
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_site(family):
    model, pairs = med.load(tiny_model(family, layers=3)), PAIRS.subset(range(4))
    study_sites = expanded(model, sites_of(model))
    worlds = exchanges(study_sites)
    naive = values(model, pairs, worlds, OUTCOME, backend="reference")
    moved = np.abs(naive[2:, :, 0] - np.repeat(naive[:2, :, 0], len(study_sites), axis=0)).max(1)
    assert (moved > 10 * TOLERANCE).all(), f"nothing happens at {study_sites[int(moved.argmin()) % len(study_sites)]}"
    for name, manner in MANNERS.items():
        if manner.get("batch_size") == 1 and family not in ("llama", "opt", "bert"):
            continue  # slow, and the same code for every family
        found = finish(model, pairs, worlds, OUTCOME, checks=0, **manner)
        assert gap(found.values, naive) < TOLERANCE, name
        fans_out = family not in ENCODERS and manner.get("fan_out", True)
        assert (found.report["fan_out_rows"] > 0) == fans_out, name


def expanded(model: Model, sites: SiteSet) -> list[Site]:
    from mediation.units import encode

    return list(sites.expand(model, encode(PAIRS, model)))


@pytest.mark.parametrize("family", ["mistral", "qwen2", "gemma2", "gemma3"])
def test_windows_shorter_than_the_input(family):
    # Some inputs fit into the window, so that some rows fan out and some do not.
    options = {"use_sliding_window": True, "max_window_layers": 0} if family == "qwen2" else {}
    model = med.load(tiny_model(family, sliding_window=6, **options))
    worlds = exchanges([residual(0, at="last"), residual(1, at=1), attention(1), mlp(0, at=2)])
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    wide = values(med.load(tiny_model(family)), PAIRS, worlds[:1], OUTCOME)
    assert gap(wide[:, 3:], naive[:1, 3:]) > 1e-3  # the window matters
    for name in ("as it comes", "rows, padded left", "rows by three, padded right"):
        assert gap(values(model, PAIRS, worlds, OUTCOME, **MANNERS[name]), naive) < TOLERANCE, name


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "opt", "bert"])
def test_attention_that_is_not_computed_in_the_open(family):
    model = med.load(tiny_model(family, attention="sdpa"))
    worlds = exchanges([residual(0, at="last"), residual(1, at=1), attention(1), attention(0, head=2), mlp(0, at=2)])
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    for name in MANNERS:
        assert gap(values(model, PAIRS, worlds, OUTCOME, **MANNERS[name]), naive) < TOLERANCE, name


# ---------------------------------------------------------------------------------------------- interventions

BASIS = [[1.0, *[0.0] * 14, -1.0], [0.5, 1.0, *[0.0] * 13, 2.0]]
MASK = [True, False] * 8
WAVE = [0.2, -0.1, 0.3, 0.0] * 4

# What any site with 16 features can be given, whatever its number of tokens.
ANYWHERE = (
    Interchange(),
    Interchange(run="base"),
    Zero(),
    Constant([0.1 * i for i in range(16)]),
    Mean(over="tokens"),
    Mean(over="tokens", run="source"),
    GaussianNoise(0.5),
    GaussianNoise(0.5, relative=True, stream=3),
    GaussianNoise(0.5, replace=True),
    GaussianNoise(0.5, norm_matched=True),
    GaussianNoise(1.0, replace=True, norm_matched=True),
    Scale(-1.5),
    Add(WAVE),
    Subspace(BASIS, Interchange()),
    Subspace(BASIS, GaussianNoise(1.0), complement=True),
    Subspace.keep(BASIS),
    Masked(Interchange(), MASK),
    Blend(Interchange(), 0.3),
    Interchange() >> GaussianNoise(0.1) >> Masked(Scale(3.0), MASK),
    clip(limit=0.01),
    toward(weight=0.7),
    jitter(),
)
# What needs as many tokens of every unit.
ALIGNED = (
    Mean(),
    Mean(run="base"),
    Swap(),
    Swap("random", run="other"),
    Swap("matched", column="template", run="source"),
    Swap("index", index=(1, 0, 4, 2, 3), run="base"),
    Subspace(BASIS, Swap()),
    Blend(Swap("random"), 0.5),
    centre(shift=WAVE),
)


def intervention_worlds() -> list[World]:
    anywhere = [(what, site) for what in ANYWHERE for site in (residual(0, at="subject"), mlp(1), attention(1, at=-1))]
    aligned = [
        (what, site) for what in ALIGNED for site in (residual(0, at="last"), embedding(at=1), mlp(1, at=(0, -1)))
    ]
    # Both runs at the first site of each three, where one batch then holds both; one run at the others.
    runs = (("base", "source"), ("base",), ("source",))
    alone = [
        World(run, what.at(site)) for i, (what, site) in enumerate((*anywhere, *aligned)) for run in runs[i % len(runs)]
    ]
    several = (
        GaussianNoise(0.5).at(residual(0, at=1) | residual(1, at=-1))
        | Swap().at(mlp(1, at="last"))
        | Zero().at(attention(1, head=2))
        | Scale(0.5).at(pattern(0, head=1))
        | Mean(over="tokens").at(neurons(0, (0, 3)))
    )
    return [World("base"), World("source"), *alone, World("base", several), World("source", several)]


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert"])
def test_every_intervention(family):
    model = med.load(tiny_model(family))
    worlds = intervention_worlds()
    drawn = {"n_draws": 2, "seed": 2}  # a seed with which every pair of draws differs
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference", **drawn)
    plain = {"base": naive[0], "source": naive[1]}
    for world, mine in zip(worlds[2:], naive[2:], strict=True):
        assert gap(mine, plain[world.run]) > 1e-4 or _is_neutral(world), f"nothing happens in {world}"
        assert world.is_random == (gap(mine[:, 0], mine[:, 1]) > 1e-6), world
    for name in MANNERS if family == "llama" else ("as it comes", "rows by three, padded right"):
        found = finish(model, PAIRS, worlds, OUTCOME, checks=0, **drawn, **MANNERS[name])
        assert gap(found.values, naive) < TOLERANCE, name


def _is_neutral(world: World) -> bool:
    assert isinstance(world.assignment, Assignment)
    ((_, what),) = world.assignment.entries
    return what == Interchange(run=world.run)


def test_features_of_single_heads_and_neurons():
    """Interventions whose parameters have as many features as a head, or as the units chosen."""
    model = med.load(tiny_model("qwen3"))
    worlds = [
        World("base", Constant([0.1, 0.2, 0.3, 0.4]).at(attention(1, head=1))),
        World("base", Mean(over="tokens").at(attention(0, head=3))),
        World("base", Add([1.0, -1.0]).at(neurons(1, (4, 2)))),
        World("base", Constant([1.0, -1.0, 0.5]).at(residual(0, at=1, units=(15, 0, 3)))),
        World("source", GaussianNoise(1.0).at(neurons(0, (4, 2), at="last"))),
        World("source", Constant(0.25).at(pattern(1, head=0, at="last"))),
    ]
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    for name, manner in MANNERS.items():
        assert gap(values(model, PAIRS, worlds, OUTCOME, **manner), naive) < TOLERANCE, name


def test_backends_pass_their_own_check():
    from mediation.engine import HookBackend, NnsightBackend

    check_backend(NnsightBackend())
    check_backend(HookBackend())
