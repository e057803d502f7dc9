"""Any argument of the public constructors, given any odd value, is taken or refused in this package's own words."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mediation as med
from mediation import MediationError
from tests.errors.bench import IDS, TEXTS

PACKAGE = str(Path(med.__file__).parent)
FRAME = pd.DataFrame({"base": TEXTS, "source": TEXTS[::-1], "kind": ["a", "b"]})
OUTCOMES = pd.DataFrame(np.arange(12.0).reshape(3, 4) ** 2, columns=["y00", "y01", "y10", "y11"])
ODD: list[Any] = [
    None, True, 0, -1, 2.5, float("nan"), float("inf"), 10**30, 1j, "", "x", b"x", [], [None], ["a", 1], [[1]], (),
    (1, 2), {}, {"a": 1}, {1, 2}, slice(1), object(), int, lambda x: x, np.array([1.0, np.nan]), np.array([["a"]]),
    pd.NaT, torch.tensor([1, 2]), torch.zeros(2, 2), pd.DataFrame({"a": [1]}), pd.Series([1, 2]), med.Zero(), med.Zero,
    med.mlp(1),
]  # fmt: skip


def a_span(span: Any) -> med.Pairs:
    return med.Pairs(base=TEXTS, spans={"subject": span})


def a_unit(ids: Any) -> med.Pairs:
    return med.Pairs(base=[IDS[0], ids])


def a_cell(column: str) -> Callable[..., Any]:
    def effects(cell: Any) -> med.Effects:
        cells = np.empty(len(OUTCOMES), dtype=object)
        cells[:] = [0, 1, 2]
        cells[1] = cell
        frame = OUTCOMES.assign(unit=range(3), **{column: pd.Series(cells, dtype=object)})
        return med.effects(frame, rng=0, n_resamples=99, method="percentile")

    return effects


def an_architecture(**paths: Any) -> med.Model:
    blocks = nn.ModuleDict({"blocks": nn.ModuleList([nn.ModuleDict({"mix": nn.Linear(2, 2)})])})
    return med.load(blocks, architecture=med.models.Architecture(**paths))


def noise(scale: float) -> Any:
    return med.GaussianNoise(scale).at(med.mlp(1))


LOADED = nn.Sequential(nn.Linear(1, 1))
GOOD: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (med.Pairs, {"base": TEXTS, "source": TEXTS, "frame": FRAME, "cluster": "kind", "weight": [1, 2], "spans": {}}),
    (med.Pairs.from_frame, {"frame": FRAME, "base": "base", "source": "source", "cluster": None, "weight": None}),
    (a_span, {"span": ["cat", "dog"]}),
    (a_unit, {"ids": [3]}),
    (med.Pairs(base=TEXTS).subset, {"units": [0]}),
    (med.Pairs(base=TEXTS, frame=FRAME).column, {"name": "kind"}),
    (med.Site, {"module": "fc", "at": 0, "io": "input", "kind": "module", "layer": 1, "head": None, "units": None}),
    (med.residual, {"layer": 1, "at": "last", "units": None}),
    (med.attention, {"layer": 1, "head": 0, "at": "last", "units": None}),
    (med.pattern, {"layer": 1, "head": 0, "at": "last"}),
    (med.neurons, {"layer": 1, "units": [0], "at": "last"}),
    (med.embedding, {"at": "all", "units": None}),
    (med.SiteSet, {"sites": (med.mlp(1),)}),
    (med.LogitDiff, {"answer": 0, "foil": 1, "at": "last"}),
    (med.Accuracy, {"answer": 0, "candidates": None, "at": "last"}),
    (med.KL, {"at": "last"}),
    (med.outcome, {"function": lambda output: output}),
    (med.Constant, {"value": 1.0}),
    (med.Scale, {"factor": 1.0}),
    (med.GaussianNoise, {"scale": 1.0, "relative": False, "replace": False, "norm_matched": False, "stream": 0}),
    (med.Mean, {"over": "units", "run": "same"}),
    (med.Interchange, {"run": "other"}),
    (med.Swap, {"donor": "derangement", "column": None, "index": None, "run": "same"}),
    (med.Subspace, {"basis": [[1.0, 0.0]], "inside": med.Zero(), "complement": False}),
    (med.Masked, {"intervention": med.Zero(), "mask": [True]}),
    (med.Blend, {"intervention": med.Zero(), "weight": 0.5}),
    (med.interventions.Then, {"parts": (med.Zero(), med.Scale(2.0))}),
    (med.Zero().at, {"site": med.mlp(1)}),
    (med.interventions.Assignment, {"entries": ((med.mlp(1), med.Zero()),)}),
    (med.World, {"run": "base"}),
    (med.intervention, {"function": noise}),
    (med.doses, {"make": noise, "levels": [0.5], "name": ""}),
    (med.load, {"source": LOADED, "tokenizer": None, "architecture": None, "dtype": None, "device": None}),
    (an_architecture, {"layers": "blocks", "attention": "mix", "embedding": None, "n_heads": None}),
    (med.estimands.NaturalDirectEffect, {"kind": "pure"}),
    (med.estimands.ProportionMediated, {"kind": "total"}),
    (med.effects, {"frame": OUTCOMES, "estimands": "te", "method": "percentile", "rng": 0, "provenance": None}),
    (med.effects, {"frame": OUTCOMES, "estimands": "te", "confidence_level": 0.9, "n_resamples": 99, "rng": 0}),
    *[(a_cell(name), {"cell": 1}) for name in ("y00", "unit", "cluster", "weight", "draw", "site")],
    (med.read, {"path": "nothing"}),
]
CASES = [
    pytest.param(function, good, name, id=f"{getattr(function, '__name__', function)}-{name}-{index}")
    for index, (function, good) in enumerate(GOOD)
    for name in good
]


def leak(function: Callable[..., Any], arguments: dict[str, Any]) -> str:
    """Return what a call raises that is neither this package's error nor Python's own at the call; empty if nothing."""
    try:
        function(**arguments)
    except MediationError as error:
        return "" if len(str(error)) < 600 else f"a text of {len(str(error))} characters: {error}"
    except Exception as error:
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
        return f"{type(error).__name__}: {error} at {ours[-1]}" if ours else ""
    return ""


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")
@pytest.mark.parametrize(("function", "good", "name"), CASES)
def test_odd_values_are_taken_or_refused_in_words(function, good, name):
    # A whole number of resamples that no memory holds is none of this test's business.
    values = [odd for odd in ODD if not (name == "n_resamples" and type(odd) is int and odd > 10**9)]
    leaks = {repr(odd): found for odd in values if (found := leak(function, {**good, name: odd}))}
    assert not leaks
