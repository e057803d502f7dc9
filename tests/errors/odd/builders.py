"""Valid calls of what states a question: units, sites, interventions, outcomes, estimands, specs, models."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch

import mediation as med
from mediation import testing
from tests.errors.bench import TEXTS, Bench
from tests.errors.odd.recipe import Recipe, of
from tests.errors.wrong_thoughts import viewer

FRAME = pd.DataFrame({"base": TEXTS, "source": TEXTS[::-1], "kind": ["a", "b"], "word": ["cat", "dog"]})
FRAME["other"] = FRAME["word"].to_list()[::-1]
SITE = med.mlp(1)
ZERO = med.Zero()


def judged(text: str, answer: str) -> float:
    return float(text == answer)


def clip(hidden: torch.Tensor, limit: float = 3.0) -> torch.Tensor:
    return hidden.clamp(-limit, limit)


def upper(text: str) -> str:
    return text.upper()


def noise(scale: float) -> med.interventions.Assignment:
    return med.GaussianNoise(scale).at(SITE)


def picture() -> np.ndarray:
    return np.zeros((28, 28, 3), dtype=np.uint8)


def _units() -> list[Recipe]:
    return [
        of("Pairs", med.Pairs, base=TEXTS, source=TEXTS[::-1], frame=FRAME, cluster=["a", "b"], weight=[1.0, 2.0],
           spans={"subject": (["cat", "dog"], ["dog", "cat"])}, columns=("base", "source")),
        of("Pairs", med.Pairs, base=[[3, 4, 5], [4, 5]], source=[[3, 4, 6], [4, 6]], cluster="kind", frame=FRAME,
           weight=None, spans={"first": [(0, 1), (0, 1)]}),
        of("Pairs", med.Pairs, base=torch.zeros(2, 3), source=torch.ones(2, 3), frame=FRAME, cluster=["kind", "word"]),
        of("Pairs", med.Pairs, base={"x": torch.zeros(2, 3)}, source={"x": torch.ones(2, 3)}),
        of("Pairs.from_frame", med.Pairs.from_frame, frame=FRAME, base="base", source="source", cluster="kind",
           weight=None, spans={"subject": ("word", "other")}),
        of("Pairs.subset", med.Pairs(base=TEXTS).subset, units=[0, 1]),
        of("Pairs.inputs", med.Pairs(base=TEXTS, source=TEXTS).inputs, run="base"),
        of("Pairs.column", med.Pairs(base=TEXTS, frame=FRAME).column, name="kind"),
        of("Prompt", med.Prompt, text="<image>Is it red?", images=[picture()], question="Is it red?", offset=7),
        of("Prompt.asking", med.Prompt("Is it red?", question="Is it red?").asking, question="Is it blue?"),
        of("Prompt.with_", med.Prompt("Is it red?").with_, text="Is it blue?", images=(), question=None, offset=None),
        Recipe("prompts", lambda b: med.prompts, lambda b: {
            "model": viewer(), "questions": ["Is it red?", "Is it blue?"], "images": [picture(), picture()],
            "system": "Look.", "answer": "Yes"}),
        Recipe("prompts", lambda b: med.prompts, lambda b: {
            "model": viewer(), "questions": ["Is it red?"], "images": [[picture(), picture()]], "system": None}),
    ]  # fmt: skip


def _sites() -> list[Recipe]:
    return [
        of("Site", med.Site, module="fc1", at="all", io="output", kind="module", layer=None, head=None, units=(0, 1)),
        of("Site", med.Site, kind="residual", layer=1, stack="decoder"),
        of("Site.with_", med.Site("fc1").with_, module="fc2", at=[0, 1], io="output", kind="module", layer=None,
           head=None, units=None),
        of("SiteSet", med.SiteSet, sites=(SITE, med.mlp(2))),
        of("residual", med.residual, layer=[0, 1], at="last", units=None, stack=None),
        of("attention", med.attention, layer=1, head=0, at=[0, 1], units=None, stack=None),
        of("mlp", med.mlp, layer=range(2), at="each", units="each", stack=None),
        of("neurons", med.neurons, layer=1, units=[0, 1], at="last", stack=None),
        of("pattern", med.pattern, layer=1, head="each", at=0, stack=None),
        of("embedding", med.embedding, at="last", units=[0], stack=None),
        of("image", med.image, index=0, box=(0.25, 0.0, 0.5, 1.0)),
        of("image", med.image, index=None, box="bbox"),
        of("prompt", med.prompt),
        of("question", med.question),
        of("imagination", med.imagination, segment=0),
        of("latents", med.latents, step=[0, 1], segment=0, when="in-loop"),
        of("InputSite", med.sites.InputSite, kind="image", index=0, box=None),
        of("ThoughtSite", med.sites.ThoughtSite, kind="latents", step="all", segment=None, when="in-loop"),
        of("ThoughtSite.with_", med.latents().with_, kind="latents", step=1, segment=0, when="after-the-fact"),
    ]  # fmt: skip


def _interventions() -> list[Recipe]:
    return [
        of("Add", med.Add, value=[1.0, 2.0]),
        of("Constant", med.Constant, value=np.ones(3)),
        of("Scale", med.Scale, factor=2.0),
        of("Blank", med.rewrites.Blank, filler="..."),
        of("Blend", med.Blend, intervention=ZERO, weight=0.5),
        of("GaussianNoise", med.GaussianNoise, scale=1.0, relative=False, replace=False, norm_matched=False, stream=0),
        of("Interchange", med.Interchange, run="other"),
        of("Interchange", med.Interchange, world=med.World("base", med.Zero().at(med.mlp(0)))),
        of("Masked", med.Masked, intervention=ZERO, mask=[True, False]),
        of("Mean", med.Mean, over="units", run="same"),
        of("Oracle", med.interventions.Oracle, values=([[1.0, 2.0]], [[3.0, 4.0]])),
        of("Oracle.of", med.interventions.Oracle(([[1.0, 2.0]],)).of, unit=0),
        of("RandomDirection", med.interventions.RandomDirection, run="other", stream=0),
        of("RepeatFirst", med.rewrites.RepeatFirst, of="word"),
        of("ReplaceText", med.rewrites.ReplaceText, text=("a", "b")),
        of("Shorten", med.interventions.Shorten, keep=1),
        of("ShuffleSteps", med.interventions.ShuffleSteps, stream=0),
        of("Subspace", med.Subspace, basis=[[1.0, 0.0]], inside=ZERO, complement=False),
        of("Subspace.keep", med.Subspace.keep, basis=[[1.0, 0.0]]),
        of("Swap", med.Swap, donor="index", column=None, index=(1, 0), run="same"),
        of("Swap", med.Swap, donor="matched", column="kind", index=None),
        of("Then", med.interventions.Then, parts=(ZERO, med.Scale(2.0))),
        of("Truncate", med.rewrites.Truncate, keep=1, of="word"),
        of("AbstractPlaceable.at", ZERO.at, site=SITE),
        of("AbstractPlaceable.at", med.rewrites.Blank().at, site=med.imagination()),
        of("Assignment", med.interventions.Assignment, entries=((SITE, ZERO),)),
        of("intervention", med.intervention, function=clip),
        of("InterventionFactory.__call__", med.intervention(clip), limit=1.0),
        of("rewriter", med.rewrites.rewriter, function=upper),
        of("matched", med.matched, site=med.latents(), n=2, filler="..."),
        of("doses", med.doses, make=noise, levels=[0.5, 1.0], name="noise"),
        of("World", med.World, run="base", assignment=ZERO.at(SITE)),
        of("do", med.do, inputs=[med.Prompt("Is it red?", question="Is it red?")] * 2,
           assignment=med.rewrites.ShuffleWords().at(med.question()), frame=FRAME, rng=0),
        of("do", med.do, inputs=[med.Prompt("<image>Is it red?", images=[picture()])],
           assignment=med.GaussianNoise(1.0).at(med.image()), frame=None, rng=0),
        *[of(name, getattr(med, name)) for name in (
            "FirstRepeat", "Identity", "RandomWords", "ShuffleSentences", "ShuffleWords", "Skip", "Zero",
            "AblationEffect", "ControlledDirectEffect", "InterventionalDirectEffect", "InterventionalIndirectEffect",
            "MediatedInteraction", "OverallEffect", "PortionEliminated", "ReferenceInteraction", "TotalEffect",
            "ThoughtLength", "Degenerate")],
    ]  # fmt: skip


def _outcomes() -> list[Recipe]:
    return [
        of("Accuracy", med.Accuracy, answer="answer", candidates=(0, 1), at="last"),
        of("AnswerCorrect", med.AnswerCorrect, answer="answer", options="options"),
        of("AnswerFlipped", med.outcomes.AnswerFlipped, options={"A": "cat", "B": "dog"}),
        of("Cued", med.outcomes.Cued, outcome=med.LogProb(1), cue="Answer:"),
        of("KL", med.KL, at="last"),
        of("LogProb", med.LogProb, answer=0, at="last"),
        of("LogProb", med.LogProb, answer=None, at=1),
        of("Perplexity", med.outcomes.Perplexity, answer=0, at="last"),
        of("LogitDiff", med.LogitDiff, answer=" Paris", foil=" Rome", at=0),
        of("Probability", med.Probability, answer=" Paris", at="last"),
        of("Told", med.outcomes.Told, text="a", answer="b", steps=0, tokens=0, repeats=False, stopped="eos"),
        of("judge", med.outcomes.judge, function=judged),
        of("outcome", med.outcome, function=lambda output: output[:, 0]),
        of("NaturalDirectEffect", med.estimands.NaturalDirectEffect, kind="pure"),
        of("NaturalIndirectEffect", med.estimands.NaturalIndirectEffect, kind="total"),
        of("ProportionMediated", med.estimands.ProportionMediated, kind="total"),
        of("Screen", med.Screen, k=2, steps=None, sample=30, split=None),
        of("Screen", med.Screen, k=2, steps=5, sample=30, split=0.5),
    ]  # fmt: skip


LATENT = {
    "start": "<a>", "end": "<b>", "steps": 3, "pad": "<p>", "stop": "steps", "feed_start_token": True,
    "force_end": True, "record": "pad", "projection": "head", "project_first": True, "projection_speaks": False,
    "hidden": "post_norm", "segments": 1, "eos_ends": False, "answer_from": "everything",
}  # fmt: skip


def _specs() -> list[Recipe]:
    return [
        of("LatentSpec", med.LatentSpec, **LATENT),
        of("Near", med.specs.Near, parameter="head.weight", within=0.1, metric="mse"),
        of("TextSpec", med.TextSpec, start="<a>", end="<b>", answer_from="everything"),
        of("Sampling", med.Sampling, temperature=1.0, top_k=5, top_p=0.9),
        of("Architecture", med.models.Architecture, layers="blocks", attention="attn", attention_out=None, mlp="mlp",
           mlp_out=None, embedding="wte", n_heads=2, causal=True),
        of("Architecture.part", med.models.Architecture(layers="blocks", mlp="mlp").part, name="mlp"),
        of("Architecture.path", med.models.Architecture(layers="blocks", mlp="mlp").path, layer=0, part="mlp"),
    ]  # fmt: skip


def loaded(b: Bench) -> dict[str, object]:
    return {
        "source": b.module, "tokenizer": None, "processor": None, "spec": None, "architecture": None, "dtype": None,
        "device": "cpu", "trust_remote_code": False,
    }  # fmt: skip


def _models() -> list[Recipe]:
    return [
        Recipe("load", lambda b: med.load, loaded),
        Recipe("load", lambda b: med.load, lambda b: {"source": b.llama.module, "tokenizer": b.tokenizer}),
        Recipe("Model", lambda b: med.Model, lambda b: {
            "module": b.module, "tokenizer": None, "architecture": None, "name": "net", "processor": None,
            "spec": None}),
        Recipe("reinitialised", lambda b: med.models.reinitialised, lambda b: {"model": b.llama, "seed": 0}),
    ]  # fmt: skip


def _data() -> list[Recipe]:
    return [
        of("LinearInteraction", testing.LinearInteraction, a=2.0, d=3.0, b=4.0, c=5.0),
        of("Gate", testing.Gate, kind="and"),
        of("ParallelMediators", testing.ParallelMediators, gains=(1.0, 2.0), weights=(3.0, 4.0), direct=5.0),
        of("SharedNoise", testing.SharedNoise, a=2.0, d=3.0, b=4.0),
        of("TraitGate", testing.TraitGate),
        of("CooperativeGame", testing.CooperativeGame, n_players=2, worth=len),
        of("AbstractClosedForm.potential_outcomes", testing.Gate("and").potential_outcomes, base=torch.zeros(2, 2),
           source=torch.ones(2, 2), through=["first"]),
        of("AbstractClosedForm.ablated", testing.Gate("and").ablated, inputs=torch.zeros(2, 2), value=0.0,
           through=["first"]),
        of("check_backend", testing.check_backend, backend=med.engine.HookBackend(), tolerance=1e-5),
        of("check_laws", testing.check_laws, intervention=ZERO, hidden=torch.zeros(2, 3, 4), given=None),
        of("tiny_model", testing.tiny_model, family="llama", seed=0, layers=1, attention="eager", vocab_size=20),
        of("tiny_processor", testing.tiny_processor, family="llava", extra_tokens=("<a>",)),
        of("tiny_tokenizer", testing.tiny_tokenizer),
        of("tiny_vision_model", testing.tiny_vision_model, family="llava", seed=0, layers=1, attention="eager",
           vocabulary=None),
    ]  # fmt: skip


@cache
def recipes() -> list[Recipe]:
    """Return every recipe."""
    return [*_units(), *_sites(), *_interventions(), *_outcomes(), *_specs(), *_models(), *_data()]
