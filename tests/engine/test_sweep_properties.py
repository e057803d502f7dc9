"""Any sweep, on any path, gives the numbers of one plain forward pass per world: 1e-4 relative, in float32.

What is drawn: the family, eager or sdpa, a window, depth, lengths, sites of every kind at positions of every kind,
alone or jointly, interventions (random ones too), the outcome, the side of padding, the batch size from 1 to 64, and
the backend.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mediation as med
from mediation import (
    KL,
    Add,
    Blend,
    GaussianNoise,
    Interchange,
    LogitDiff,
    LogProb,
    Mean,
    Model,
    Scale,
    Site,
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
from mediation.testing import FAMILIES, MIXTURES, tiny_model
from tests.engine.studies import finish, together, token_pairs, values

RELATIVE = 1e-4
DECODERS = (*(family for family in FAMILIES if family not in ("bert", "roberta", "distilbert")), *MIXTURES)
WINDOWED = ("mistral", "gemma2", "gemma3", "mixtral")
INTERVENTIONS = (
    Interchange(),
    Interchange(),  # patching, more often than the rest
    Interchange(run="base"),
    Zero(),
    Scale(-1.5),
    Add(0.3),
    Blend(Interchange(), 0.4),
    GaussianNoise(0.5),
    GaussianNoise(1.0, replace=True, norm_matched=True),
    Swap("random", run="other"),
    Mean(over="tokens"),
    Interchange() >> GaussianNoise(0.2),
)
OUTCOMES = (LogitDiff(5, 6), LogitDiff(7, 9), LogProb(8), KL(), med.Accuracy(5, candidates=(5, 6, 7)))


@med.outcome
def spread(logits):
    """Return a function of all logits."""
    return logits.std(-1)


@cache
def model_of(family: str, attention_kind: str, layers: int, window: int | None) -> Model:
    options = {"sliding_window": window} if window is not None else {}
    return med.load(tiny_model(family, layers=layers, attention=attention_kind, **options))


@st.composite
def positions(draw: Any) -> Any:
    """Positions that inputs of four tokens or more have."""
    return draw(st.sampled_from(["last", "all", "subject", "subject.last", 0, 1, 2, -2, (0, -1), (1, 2), slice(1, 3)]))


@st.composite
def sites(draw: Any, layers: int, family: str, *, eager: bool) -> Site:
    kinds = [
        "residual",
        "residual",
        "mlp",
        "attention",
        "head",
        "neurons",
        "embedding",
        *(["pattern"] if eager else []),
    ]
    kind, layer, at = draw(st.sampled_from(kinds)), draw(st.integers(0, layers - 1)), draw(positions())
    units = draw(st.sampled_from([None, None, (0, 3)]))
    if kind == "pattern":
        return pattern(layer, head=draw(st.integers(0, 3)), at="last" if at == "all" else at)
    if kind == "embedding":
        return embedding(at=at, units=units)
    if kind == "neurons":
        return neurons(layer, (1, 4, 2), at=at)
    if kind == "head":
        return attention(layer, head=draw(st.integers(0, 3)), at=at)
    return {"residual": residual, "mlp": mlp, "attention": attention}[kind](layer, at=at, units=units)


@st.composite
def studies(draw: Any) -> dict[str, Any]:
    family = draw(st.sampled_from(DECODERS))
    eager = family == "gemma2" or draw(st.booleans())  # its capped scores are computed in the open alone
    layers = draw(st.integers(2, 3))
    window = draw(st.sampled_from([None, 3])) if family in WINDOWED else None
    alike = draw(st.booleans())  # donors from other units need as many tokens in every one
    lengths = [draw(st.integers(4, 8))] * draw(st.integers(2, 5))
    if not alike:
        lengths = draw(st.lists(st.integers(4, 9), min_size=2, max_size=5))
    starts = [draw(st.integers(0, length - 2)) for length in lengths]
    pairs = token_pairs(lengths, seed=draw(st.integers(0, 99)), spans={"subject": [(s, s + 2) for s in starts]})
    chosen = draw(st.lists(sites(layers, family, eager=eager), min_size=1, max_size=5, unique=True))
    whats = [draw(st.sampled_from(INTERVENTIONS)) for _ in chosen]
    worlds = [World("base"), World("source")]
    for site, what in zip(chosen, whats, strict=True):
        both = draw(st.booleans())
        worlds += [World(run, what.at(site)) for run in (("base", "source") if both else ("base",))]
    if len(chosen) > 1 and draw(st.booleans()):
        with suppress(med.errors.SiteError):  # they overlap
            joint = together(*(what.at(site) for site, what in zip(chosen[:2], whats, strict=False)))
            worlds.append(World("source", joint))
    # Always one whose later place is changed at an earlier token (which the last block still reads), and the two alone.
    first = attention(0, at=draw(st.sampled_from([2, 3])))
    later = residual(layers - 2, at=draw(st.sampled_from([0, 1, (0, 1)])))
    what = draw(st.sampled_from([Interchange(), Zero(), Scale(-1.5)]))
    worlds += [World("base", one) for one in (what.at(first), what.at(later), what.at(first) | what.at(later))]
    return {
        "model": model_of(family, "eager" if eager else "sdpa", layers, window),
        "pairs": pairs,
        "worlds": list(dict.fromkeys(worlds)),
        "outcome": draw(st.sampled_from([*OUTCOMES, spread])),
        "drawn": {"seed": draw(st.integers(0, 9)), "n_draws": draw(st.integers(1, 2))},
        "how": {
            "batch_size": draw(st.sampled_from([None, None, 1, 2, 3, 5, 8, 64])),
            "padding_side": draw(st.sampled_from(["left", "right"])),
            "backend": draw(st.sampled_from(["nnsight", "hooks"])),
            "fan_out": draw(st.sampled_from([True, True, True, False])),
        },
    }


def check(study: dict[str, Any]) -> None:
    question = [study[name] for name in ("model", "pairs", "worlds", "outcome")]
    try:
        naive = values(*question, backend="reference", **study["drawn"])
    except (med.errors.DataError, med.errors.SiteError):
        return  # positions that overlap, or donors of another length: refused, on every path
    found = finish(*question, checks=0, **study["drawn"], **study["how"])
    difference = np.abs(found.values - naive) / (1 + np.abs(naive))
    if isinstance(study["outcome"], med.Accuracy):
        assert np.isin(found.values, (0, 1)).all()
        assert (difference > 0).mean() < 0.05  # ties
        return
    assert difference.max() < RELATIVE, (difference.max(), study)


@given(studies())
@settings(max_examples=50)
def test_any_sweep_equals_the_naive_path(study):
    check(study)


@pytest.mark.slow
@given(studies())
@settings(max_examples=1500)
def test_many_sweeps_equal_the_naive_path(study):
    check(study)
