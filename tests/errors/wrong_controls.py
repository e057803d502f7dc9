"""Wrong questions of null controls."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch

import mediation as med
from tests.errors.bench import QUICK, Bench, Call

SITE = med.Site("fc1")


def ask(b: Bench, mediator: Any = SITE, **options: Any) -> Any:
    pairs, said = options.pop("pairs", b.tensors), options.pop("outcome", med.LogitDiff(0, 1))
    model = options.pop("model", b.plain)
    return med.controls(model, pairs, mediator, said, **{**QUICK, **b.options, **options})


def ragged(b: Bench) -> Any:
    """No two units have as many tokens."""
    pairs = med.Pairs(base=[[3, 4], [3, 4, 5], [3, 4, 5, 6]], source=[[4, 5], [4, 5, 6], [4, 5, 6, 7]])
    names = ["unrelated unit", "shuffled pairs"]
    return ask(b, med.residual(1), model=b.llama, pairs=pairs, outcome=med.LogitDiff(3, 4), controls=names)


def one(b: Bench) -> med.Pairs:
    return med.Pairs(base=torch.zeros(1, 3), source=torch.ones(1, 3), frame=pd.DataFrame({"answer": [0]}))


CONTROLS: dict[str, Call] = {
    "precision": lambda b: ask(b, precision="bfloat16"),
    "misspelt control": lambda b: ask(b, controls=["unrelated units"]),
    "no control": lambda b: ask(b, controls=[]),
    "the effect itself": lambda b: ask(b, controls=["none", "self-patch"]),
    "controls is a number": lambda b: ask(b, controls=3),
    "controls is a mapping": lambda b: ask(b, controls={"self-patch": True}),
    "an estimand without controls": lambda b: ask(b, estimand="te"),
    "a misspelt estimand": lambda b: ask(b, estimand="tine"),
    "draws of nothing random": lambda b: ask(b, controls="self-patch", n_draws=5),
    "no draws": lambda b: ask(b, n_draws=0),
    "no source": lambda b: ask(b, pairs=med.Pairs(base=torch.zeros(4, 3))),
    "answers that are not read": lambda b: ask(b, controls="shuffled answers"),
    "one unit": lambda b: ask(b, pairs=one(b), controls="unrelated unit"),
    "one unit's answers": lambda b: ask(
        b, pairs=one(b), controls="shuffled answers", outcome=med.LogitDiff("answer", 1)
    ),
    "no two of a length": ragged,
    "a model without weights": lambda b: ask(b, model=b.pooled, controls="re-initialised model"),
    "no model to draw anew": lambda b: med.models.reinitialised(b.module, 0),
    "argument": lambda b: ask(b, control="self-patch"),
}
