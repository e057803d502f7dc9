"""Wrong questions about thoughts."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

import mediation as med
from mediation.testing import tiny_model, tiny_processor, tiny_vision_model
from tests.errors.bench import QUICK, Bench, Call
from tests.rollouts.tiny import decoder

SPEC = med.LatentSpec("w5", "w6", steps=3)
WORDS = med.TextSpec("w5", "w6")
BASE, SOURCE = [[3, 14, 5], [9, 2, 5], [7, 5]], [[3, 1, 5], [9, 4, 5], [17, 5]]
OUTCOME = med.LogitDiff(10, 11)


def model() -> med.Model:
    return decoder("llama")


@cache
def viewer() -> med.Model:
    return med.load(tiny_vision_model("qwen2_5_vl"), processor=tiny_processor("qwen2_5_vl"))


def ask(b: Bench, mediator: Any = None, **options: Any) -> Any:
    pairs = options.pop("pairs", med.Pairs(base=BASE, source=SOURCE))
    said, spec = options.pop("outcome", OUTCOME), {"spec": options.pop("spec", SPEC)}
    mine = options.pop("model", model())
    return med.mediate(mine, pairs, mediator or med.latents(), said, **{**QUICK, **spec, "backend": "hooks", **options})


def change(b: Bench, arms: Any, **options: Any) -> Any:
    pairs, spec = options.pop("pairs", med.Pairs(base=BASE)), options.pop("spec", SPEC)
    return med.ablate(
        model(), pairs, arms, options.pop("outcome", OUTCOME), spec=spec, **{**QUICK, "backend": "hooks", **options}
    )


def generate(outcome: Any = None, **options: Any) -> Any:
    mine, pairs = options.pop("model", None) or model(), options.pop("pairs", med.Pairs(base=BASE, source=SOURCE))
    mediator = options.pop("mediator", med.mlp(0, at="last"))
    return med.mediate(mine, pairs, mediator, outcome or med.outcomes.Degenerate(), **{**QUICK, **options})


@cache
def encoder() -> med.Model:
    return med.load(tiny_model("bert"))


def roll(b: Bench, inputs: Any = BASE, spec: Any = SPEC, **options: Any) -> Any:
    mine = options.pop("model", None) or model()
    return med.rollout(mine, inputs, spec, **{"max_new_tokens": 5, "backend": "hooks", **options})


def both() -> med.Pairs:
    return med.Pairs(base=BASE, source=SOURCE)


def picture() -> np.ndarray:
    return np.zeros((28, 28, 3), dtype=np.uint8)


THOUGHTS: dict[str, Call] = {
    "no spec": lambda b: ask(b, spec=None),
    "latents of a written thought": lambda b: ask(b, spec=WORDS),
    "words of a latent thought": lambda b: ask(b, med.imagination()),
    "spec is a word": lambda b: ask(b, spec="MONET"),
    "tokens that the tokenizer lacks": lambda b: ask(b, spec=med.specs.MONET),
    "a step that there is not": lambda b: ask(b, med.latents(step=3)),
    "a step counted from the end, in the loop": lambda b: med.latents(step=-1),
    "steps by name": lambda b: med.latents(step="second"),
    "segment before the first": lambda b: med.latents(segment=-1),
    "when is a word": lambda b: med.latents(when="afterwards"),
    "an option of single passes": lambda b: ask(b, fan_out=False),
    "out": lambda b: ask(b, out="/dev/null"),
    "precision": lambda b: ask(b, precision="bfloat16"),
    "a misspelt option": lambda b: ask(b, max_new_token=5),
    "too few tokens to close": lambda b: ask(b, max_new_tokens=2),
    "thoughts that never open": lambda b: ask(b, pairs=med.Pairs(base=[[3], [4]], source=[[5, 6], [7, 8]])),
    "no source": lambda b: ask(b, pairs=med.Pairs(base=BASE)),
    "an outcome read elsewhere": lambda b: ask(b, outcome=med.LogitDiff(10, 11, at=0)),
    "shuffled in the loop": lambda b: change(b, med.interventions.ShuffleSteps().at(med.latents())),
    "skip one step": lambda b: change(b, med.interventions.Skip().at(med.latents(step=1))),
    "an oracle for other units": lambda b: change(b, med.interventions.Oracle(torch.zeros(2, 3, 16)).at(med.latents())),
    "an oracle inside a chain": lambda b: change(
        b, (med.interventions.Oracle(torch.zeros(3, 3, 16)) >> med.Scale(2.0)).at(med.latents())
    ),
    "texts for other units": lambda b: change(b, med.rewrites.ReplaceText(("w1",)).at(med.imagination()), spec=WORDS),
    "an oracle of numbers": lambda b: med.interventions.Oracle([1.0, 2.0]),
    "zeros in a text": lambda b: change(b, med.Zero().at(med.imagination()), spec=WORDS),
    "the other input's, with one input": lambda b: change(b, med.Interchange().at(med.latents())),
    "a thought and a layer apart": lambda b: change(
        b, {"a": med.Zero().at(med.latents()), "b": med.Zero().at(med.mlp(0))}
    ),
    "the same steps twice": lambda b: med.Zero().at(med.latents()) | med.Mean().at(med.latents(step=1)),
    "an input site in a rollout": lambda b: change(
        b, med.Zero().at(med.latents()) | med.Zero().at(med.image()), outcome=OUTCOME
    ),
    "a thought in single passes": lambda b: med.controls(
        model(), med.Pairs(base=BASE, source=SOURCE), med.latents(), OUTCOME, **QUICK
    ),
    "a thought and a site as mediators": lambda b: med.interactions(
        model(), both(), {"thought": med.latents(), "site": med.mlp(0)}, OUTCOME, spec=SPEC, **QUICK
    ),
    "every step as one of several mediators": lambda b: med.interactions(
        model(), both(), {"a": med.latents(step="each"), "b": med.latents(step=0)}, OUTCOME, spec=SPEC, **QUICK
    ),
    "a thought of which every step is one specification": lambda b: med.specification(
        model(), both(), med.latents(step="each"), OUTCOME, spec=SPEC, **QUICK
    ),
    "a corruption inside a run that thinks": lambda b: med.specification(
        model(), both(), med.latents(), OUTCOME, corruptions={"no": med.Zero().at(med.mlp(0))}, spec=SPEC, **QUICK
    ),
    "a random direction of a text": lambda b: med.controls(
        model(), both(), med.imagination(), OUTCOME, controls="random direction", spec=WORDS, **QUICK
    ),
    "an input as mediator": lambda b: med.mediate(
        model(), med.Pairs(base=BASE, source=SOURCE), med.image(), OUTCOME, **QUICK
    ),
    "skip an activation": lambda b: med.ablate(
        model(), med.Pairs(base=BASE), med.interventions.Skip().at(med.mlp(0)), OUTCOME, **QUICK
    ),
    "scores of an outcome of generations": lambda b: med.attribution(
        model(), med.Pairs(base=BASE, source=SOURCE), med.mlp(), med.outcomes.Degenerate()
    ),
    "a screen by an outcome of generations": lambda b: generate(mediator=med.mlp(at="last"), screen=1),
    "a plan of generations": lambda b: generate(dry_run=True),
    "new tokens of an outcome of one pass": lambda b: generate(outcome=OUTCOME, max_new_tokens=5),
    "padding of generations": lambda b: generate(padding_side="right"),
    "generations in bfloat16": lambda b: generate(precision="bfloat16"),
    "generations of a model with latent thoughts": lambda b: generate(spec=SPEC),
    "generations with an answer that reads nothing but the thought": lambda b: generate(
        spec=med.TextSpec("w5", "w6", answer_from="thought")
    ),
    "more new tokens than the model has positions": lambda b: generate(max_new_tokens=10**4),
    "generations of an encoder": lambda b: generate(model=encoder()),
    "generations after tensors by name": lambda b: generate(
        pairs=med.Pairs(base={"inputs_embeds": torch.zeros(2, 3, 16)}, source={"inputs_embeds": torch.ones(2, 3, 16)})
    ),
    "a cue after a generation": lambda b: ask(b, outcome=med.outcomes.Cued(med.outcomes.Degenerate(), "so")),
    "a judge of nothing": lambda b: med.outcomes.judge(lambda: 1.0),
    "a judge that says a word": lambda b: ask(b, outcome=med.outcomes.judge(lambda told: told.answer)),
    "inputs is one text": lambda b: roll(b, "w1 w2"),
    "inputs is one prompt": lambda b: roll(b, med.Prompt("w1")),
    "sampling is a number": lambda b: roll(b, sampling=0.7),
    "log_probs is a word": lambda b: roll(b, log_probs="all"),
    "an image without a placeholder": lambda b: roll(b, [med.Prompt("red?", [picture()])], None, model=viewer()),
    "an image for a model of text": lambda b: roll(b, [med.Prompt("w1", [picture()])]),
    "an image of one number": lambda b: med.Prompt("red?", [3]),
    "an image of other numbers": lambda b: med.Prompt("red?", [np.full((4, 4, 3), 7.0)]),
    "a path without an image": lambda b: med.Prompt("red?", ["no/such/picture.png"]),
    "a question that is not in the text": lambda b: med.Prompt("Is it red?", question="blue"),
    "prompts without a template": lambda b: med.prompts(model(), ["w1"]),
    "prompts with too few images": lambda b: med.prompts(viewer(), ["red?", "blue?"], [picture()]),
    "a spec with one marker": lambda b: med.LatentSpec("<t>", "<t>", steps=2),
    "a spec without pad": lambda b: med.LatentSpec("<t>", "</t>", steps=2, record="pad"),
    "a spec that stops somehow": lambda b: med.LatentSpec("<t>", "</t>", steps=2, stop="soon"),
    "a projection that is no module": lambda b: roll(b, spec=med.LatentSpec("w5", "w6", steps=2, projection="lm_hed")),
    "near a vector that there is not": lambda b: roll(
        b, spec=med.LatentSpec("w5", "w6", steps=2, stop=med.specs.Near("model.norm", 0.1))
    ),
    "a block that there is not": lambda b: roll(b, spec=med.LatentSpec("w5", "w6", steps=2, hidden=7)),
    "load with a spec of words": lambda b: med.load(model().module, spec="MONET"),
}
