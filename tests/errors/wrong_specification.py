"""Wrong questions of a specification table and its picture, and of confidence sets."""

from __future__ import annotations

from typing import Any

import mediation as med
from mediation.results import agreement
from tests.errors.bench import QUICK, Bench, Call
from tests.results.specification_factory import make_specification


def asked(b: Bench, outcomes: Any = None, *, mediator: Any = None, pairs: Any = None, **options: Any) -> med.Effects:
    """Return a specification table of the language model."""
    said = {"logit": med.LogitDiff("answer", "foil")} if outcomes is None else outcomes
    where = med.residual(1, at="last") if mediator is None else mediator
    return med.specification(
        b.llama, b.pairs if pairs is None else pairs, where, said, **{**QUICK, **b.options, **options}
    )


SPECIFICATION: dict[str, Call] = {
    "outcomes empty": lambda b: asked(b, {}),
    "outcome as text": lambda b: asked(b, {"logit": "logit"}),
    "outcomes of one name": lambda b: asked(b, [med.LogProb("answer"), med.LogProb("answer")]),
    "pairs as a mapping": lambda b: asked(b, pairs={"corrupted": b.pairs}),
    "corruptions as a list": lambda b: asked(b, corruptions=[b.pairs]),
    "corruption of other units": lambda b: asked(b, corruptions={"fewer": b.pairs.subset([0, 1])}),
    "corruption of other clusters": lambda b: asked(
        b, corruptions={"loose": med.Pairs.from_frame(b.frame, "corrupted", "clean")}
    ),
    "corruption called as the base": lambda b: asked(b, corruptions={"corrupted": b.pairs}),
    "corruption without a site": lambda b: asked(b, corruptions={"noise": med.GaussianNoise(3.0)}),
    "corruption as text": lambda b: asked(b, corruptions={"noise": "noise"}),
    "tnie under noise": lambda b: asked(
        b, corruptions={"noise": med.GaussianNoise(3.0).at(med.embedding())}, estimand="tnie"
    ),
    "KL under noise": lambda b: asked(
        b, {"KL": med.KL()}, corruptions={"noise": med.GaussianNoise(3.0).at(med.embedding())}
    ),
    "arm at a site": lambda b: asked(b, arms=med.Zero().at(med.mlp(1))),
    "arms as text": lambda b: asked(b, arms="zero"),
    "arm not called": lambda b: asked(b, arms={"zero": med.Zero}),
    "sweep": lambda b: asked(b, mediator=med.residual([0, 1], at="last")),
    "nothing to ask": lambda b: asked(
        b, {"paris": med.LogProb(" Paris")}, pairs=med.Pairs(base=list(b.frame["clean"]))
    ),
    "argument": lambda b: asked(b, estimands=["pnie"]),
    "unknown estimand": lambda b: asked(b, estimand="pnei"),
    "picture of another kind": lambda b: med.plot.specification(b.effects),
    "picture of two units": lambda b: med.plot.specification(make_specification(), estimand="pnie"),
    "agreement of another kind": lambda b: agreement(b.effects),
    "set of an unknown estimand": lambda b: b.effects.confidence_set("pmm"),
    "set of several rows": lambda b: make_specification().confidence_set("te"),
    "set of no such row": lambda b: make_specification().confidence_set("te", outcome="probabilty"),
}
