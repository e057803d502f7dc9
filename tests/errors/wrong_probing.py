"""Wrong questions about what states encode."""

from __future__ import annotations

from typing import Any

import numpy as np

import mediation as med
from mediation.probing import (
    States,
    capture,
    compare,
    probe,
    probe_steps,
    random_like,
    retrieval,
    similarity,
)
from tests.errors.bench import Bench, Call
from tests.errors.wrong_thoughts import BASE, SPEC, WORDS, model, viewer


def states(n: int = 20, steps: int = 3) -> States:
    return States(np.random.default_rng(0).normal(size=(n, steps, 4)), name="latents")


def found(**options: Any) -> Any:
    return similarity(states(), measures="intra cosine", n_resamples=99, **options)


def take(b: Bench, site: Any, inputs: Any = BASE, **options: Any) -> Any:
    mine = options.pop("model", None) or model()
    return capture(mine, inputs, site, **{"max_new_tokens": 4, "backend": "hooks", **options})


LABELS = [0, 1] * 10

PROBING: dict[str, Call] = {
    "capture: no site": lambda b: take(b, "latents"),
    "capture: several sites": lambda b: take(b, med.residual(at="last")),
    "capture: a layer twice": lambda b: take(b, med.residual(0), layer=1),
    "capture: a layer of latents": lambda b: take(b, med.latents(), spec=SPEC, layer=1),
    "capture: a layer that is none": lambda b: take(b, med.prompt(), layer="first"),
    "capture: no spec": lambda b: take(b, med.latents()),
    "capture: words of a latent thought": lambda b: take(b, med.imagination(), spec=SPEC),
    "capture: an image of token ids": lambda b: take(b, med.image()),
    "capture: no question": lambda b: take(b, med.question(), [med.Prompt("Is it red?")], model=viewer()),
    "capture: no image": lambda b: take(b, med.image(), [med.Prompt("Is it red?")], model=viewer()),
    "capture: no thought": lambda b: take(b, med.imagination(), [[3, 14]], spec=WORDS),
    "States: lengths": lambda b: States(np.zeros((2, 3, 4)), [1, 4]),
    "States: NaN": lambda b: States(np.full((2, 3, 4), np.nan)),
    "States: steps": lambda b: states().take(steps=[3]),
    "similarity: one axis": lambda b: similarity(np.zeros(3)),
    "similarity: many steps": lambda b: similarity(states(steps=70)),
    "similarity: measure": lambda b: similarity(states(), measures="cosine"),
    "similarity: groups": lambda b: similarity(states(), groups=[1, 2]),
    "similarity: centre": lambda b: similarity(states(), centre=np.zeros(3)),
    "similarity: rows of another measure": lambda b: found().rows("cka"),
    "similarity: matrix of one a step": lambda b: found().matrix("intra cosine by lag"),
    "compare: one name twice": lambda b: compare(found(), found()),
    "compare: something else": lambda b: compare(states()),
    "retrieval: shapes": lambda b: retrieval(np.ones((3, 2)), np.ones((4, 2))),
    "retrieval: every key": lambda b: retrieval(np.eye(3), np.eye(3), k=3),
    "retrieval: several steps": lambda b: retrieval(states(), np.ones((20, 4))),
    "retrieval: a key of 0": lambda b: retrieval(np.eye(3), np.zeros((3, 3))),
    "random_like: a word": lambda b: random_like("latents"),
    "probe: estimator": lambda b: probe(states(), LABELS, estimator="linaer"),
    "probe: not a classifier": lambda b: probe(states(), LABELS, estimator=3),
    "probe: rare label": lambda b: probe(states(), [0] * 17 + [1] * 3),
    "probe_steps: no attribute": lambda b: probe_steps(states(), {}),
    "probe_steps: labels": lambda b: probe_steps(states(), {"colour": [0, 1]}),
    "probe_steps: rare label": lambda b: probe_steps(states(), {"colour": [0] * 17 + [1] * 3}),
    "probe_steps: baseline": lambda b: probe_steps(states(), LABELS, baselines={"image": np.zeros((20, 2, 4))}),
    "probe_steps: name of a baseline": lambda b: probe_steps(states(), LABELS, baselines={"latents": np.ones((20, 4))}),
    "plot.decay: not a similarity": lambda b: med.plot.decay(states()),
    "plot.decay: measure": lambda b: med.plot.decay(found(), "cka"),
    "plot.similarity: not square": lambda b: med.plot.similarity(np.zeros((2, 3))),
    "plot.similarity: above 1": lambda b: med.plot.similarity(np.full((2, 2), 3.0)),
    "plot.similarity: several kinds": lambda b: med.plot.similarity(found().compare(found(name="text"))),
    "plot.similarity: labels": lambda b: med.plot.similarity(np.eye(2), labels=["a"]),
    "plot.probe: not probes": lambda b: med.plot.probe(found()),
}
