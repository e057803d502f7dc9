"""Wrong questions of screened sweeps and of attribution scores."""

from __future__ import annotations

from typing import Any

import torch

import mediation as med
from tests.errors.bench import QUICK, TEXTS, Bench, Call

EACH = med.residual(at="last") | med.mlp(at="last")


def ask(b: Bench, screen: Any, mediator: Any = EACH, outcome: Any = None, **options: Any) -> Any:
    """Ask for a screened sweep of the language model."""
    said = med.LogitDiff("answer", "foil") if outcome is None else outcome
    pairs = options.pop("pairs", b.pairs)
    return med.mediate(b.llama, pairs, mediator, said, screen=screen, **{**QUICK, **b.options, **options})


def score(b: Bench, mediator: Any = EACH, outcome: Any = None, **options: Any) -> Any:
    """Ask for scores."""
    said = med.LogitDiff("answer", "foil") if outcome is None else outcome
    return med.attribution(b.llama, options.pop("pairs", b.pairs), mediator, said, progress=False, **options)


def uneven(b: Bench) -> med.Pairs:
    """Inputs of other lengths within a unit."""
    return med.Pairs(base=[f"{text} on the mat" for text in TEXTS], source=TEXTS)


def chosen_by_itself(b: Bench) -> med.Effects:
    """Return a sweep that says that its units chose its sites."""
    known = {**b.sweep.provenance, "screen": {"units": "the same", "sites": 90}}
    return med.Effects(b.sweep.tidy(), b.sweep.units, known)


SCREENS: dict[str, Call] = {
    "as many as there are": lambda b: ask(b, 6),
    "one site": lambda b: ask(b, 1, med.residual(0, at="last")),
    "a word": lambda b: ask(b, "20"),
    "none": lambda b: ask(b, 0),
    "a share": lambda b: ask(b, 0.1),
    "steps of none": lambda b: med.Screen(2, steps=0),
    "a sample below none": lambda b: med.Screen(2, sample=-1),
    "all units split off": lambda b: med.Screen(2, split=1.0),
    "too few units left": lambda b: ask(b, med.Screen(2, split=0.9)),
    "joint sites": lambda b: ask(b, 2, EACH.jointly()),
    "a thought": lambda b: ask(b, 2, med.latents()),
    "random donors": lambda b: ask(b, 2, donor=med.Swap()),
    "another intervention": lambda b: ask(b, 2, donor=med.Zero()),
    "an accuracy": lambda b: ask(b, 2, outcome=med.Accuracy("answer")),
    "divergence without steps": lambda b: ask(b, 2, outcome=med.KL()),
    "no indirect effect": lambda b: ask(b, 2, estimands=["te"]),
    "steps between inputs of other lengths": lambda b: ask(
        b, med.Screen(2, steps=3), outcome=med.LogitDiff(" Paris", " Rome"), pairs=uneven(b)
    ),
    "layers of a screened sweep": lambda b: chosen_by_itself(b).hierarchy(),
    "scores of joint sites": lambda b: score(b, EACH.jointly()),
    "scores of a thought": lambda b: score(b, med.latents()),
    "scores of random donors": lambda b: score(b, donor=med.Swap()),
    "scores of an accuracy": lambda b: score(b, outcome=med.Accuracy("answer")),
    "scores in half a step": lambda b: score(b, steps=0.5),
    "scores in batches of none": lambda b: score(b, batch_size=0),
    "scores of whole numbers": lambda b: score(b, med.Site("model.embed_tokens", io="input")),
    "scores where nothing is read": lambda b: med.attribution(
        b.plain, b.tensors, med.Site("fc1"), med.outcome(lambda y: torch.ones(len(y))), progress=False
    ),
}
