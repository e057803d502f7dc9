"""Wrong sites, and what is done at them."""

from __future__ import annotations

from typing import Any

import torch

import mediation as med
from tests.errors.bench import IDS, TEXTS, Bench, Call

LONGER = ["The cat ran", "The dog ran on the mat"]


@med.intervention
def clip(hidden, limit=3.0):
    return hidden.clamp(-limit, limit)


@med.intervention
def summed(hidden):
    return hidden.sum(-1)


@med.intervention
def forgetful(hidden):
    hidden.clone()


@med.intervention
def poison(hidden):
    return hidden / 0.0 - hidden / 0.0


@med.intervention
def mixed(hidden):
    return hidden @ hidden


SITES: dict[str, Call] = {
    "no such module": lambda b: b.lm(med.Site("model.layer.1.mlp")),
    "no such module, plain": lambda b: b.nn(med.Site("fc3")),
    "module is a number": lambda b: med.Site(3),
    "io": lambda b: med.Site("fc1", io="out"),
    "layer out of range": lambda b: b.lm(med.residual(12, at="last")),
    "layer as text": lambda b: med.residual("3"),
    "layer as a fraction": lambda b: med.residual(1.5),
    "no layer": lambda b: med.residual([]),
    "head out of range": lambda b: b.lm(med.attention(1, head=4, at="last")),
    "head as text": lambda b: med.attention(1, head="all"),
    "neuron out of range": lambda b: b.lm(med.neurons(1, [0, 32])),
    "units as text": lambda b: med.residual(1, units="all"),
    "units as fractions": lambda b: med.neurons(1, [0.5]),
    "unit out of range, plain": lambda b: b.nn(med.Site("fc1", units=(0, 4))),
    "each feature of a module that has no width": lambda b: b.nn(med.Site("act", units="each")),
    "layers of a plain module": lambda b: b.nn(med.residual(1)),
    "at: fraction": lambda b: med.residual(1, at=2.5),
    "at: list of fractions": lambda b: med.residual(1, at=[0.5, 1.0]),
    "at: None": lambda b: med.residual(1, at=None),
    "at: nothing": lambda b: med.residual(1, at=[]),
    "at: slice of text": lambda b: med.residual(1, at=slice("a", "b")),
    "at: out of range": lambda b: b.lm(med.residual(1, at=7)),
    "at: empty slice": lambda b: b.lm(med.residual(1, at=slice(6, 9))),
    "at: unknown span": lambda b: b.lm(med.residual(1, at="subjct")),
    "at: span, and there are none": lambda b: b.on(TEXTS, TEXTS, med.residual(1, at="subject")),
    "at: spans, and there are none": lambda b: b.on(TEXTS, TEXTS, med.residual(1, at="spans")),
    "at: no axis of positions": lambda b: b.nn(med.Site("fc1", at="last")),
    "at: each of no axis": lambda b: b.nn(med.Site("fc1", at="each")),
    "overlap": lambda b: med.Zero().at(med.residual(1)) | med.Scale(2.0).at(med.residual(1, at="last")),
    "overlap through a span": lambda b: b.lm_ablated(
        med.Zero().at(med.mlp(1, at=1)) | med.Scale(2.0).at(med.mlp(1, at="subject"))
    ),
    "overlap of one mediator": lambda b: b.lm((med.residual(1) | med.residual(1, at="last")).jointly()),
    "a set without sites": lambda b: med.residual(at="last") - med.residual(at="last"),
    "a set of paths": lambda b: med.SiteSet(("fc1", "fc2")),
    "called twice": lambda b: b.nn(med.Site("twice"), model=b.unused),
    "never called": lambda b: b.nn(med.Site("never"), model=b.unused),
    "pattern without eager attention": lambda b: b.lm(med.pattern(1, head=0, at="last"), model=b.sdpa),
    "layer out of range, negative": lambda b: b.lm(med.mlp(-4)),
    "head of an unknown number": lambda b: b.lm(med.attention(1, head=0), model=headless(b)),
    "heads that do not divide": lambda b: b.lm(med.attention(1, head=0), model=headless(b, n_heads=3)),
    "head of an MLP": lambda b: med.Site(kind="mlp", layer=1, head=0),
    "no MLP": lambda b: b.lm(med.mlp(1), model=headless(b)),
    "output that is no tensor": lambda b: b.nn(med.Site("odd"), model=b.odd),
    "feature that the module has not": lambda b: b.nn(med.Site("act", units=[9])),
    "repeated positions": lambda b: med.residual(1, at=[2, 2]),
    "joined with a path": lambda b: med.residual(1) | "model.layers.2",
    "kind": lambda b: med.Site(kind="residul", layer=1),
}


ALIGNMENT: dict[str, Call] = {
    "misaligned pair": lambda b: b.on(TEXTS, LONGER, med.residual(1)),
    "misaligned span": lambda b: b.on(
        ["The cat sat"], ["The cow sat"], med.residual(1, at="subject"), spans={"subject": (["cat"], ["cow"])}
    ),
    "misaligned attention": lambda b: b.on(TEXTS, LONGER, med.pattern(1, head=0, at="last")),
    "misaligned donor": lambda b: b.on(IDS, IDS, med.residual(1), donor=med.Swap()),
    "mean of unequal lengths": lambda b: b.lm_ablated(med.Mean().at(med.mlp(1)), base=IDS),
    "no source": lambda b: b.on(TEXTS, None),
    "run without a source": lambda b: b.lm_ablated(med.Zero().at(med.mlp(1)), base=TEXTS, run="source"),
    "swap of one unit": lambda b: b.on(TEXTS[:1], TEXTS[1:], med.residual(1), donor=med.Swap()),
}


INTERVENTIONS: dict[str, Call] = {
    "constant of the wrong shape": lambda b: b.ablated(med.Constant([1.0, 2.0, 3.0]).at(med.Site("fc1"))),
    "constant NaN": lambda b: med.Constant([1.0, float("nan")]),
    "constant text": lambda b: med.Constant("zero"),
    "scale negative": lambda b: med.GaussianNoise(-0.5),
    "swap matched without a column": lambda b: med.Swap("matched"),
    "swap matched, unknown column": lambda b: b.nn(donor=med.Swap("matched", column="knd")),
    "swap matched, a lone label": lambda b: b.nn(donor=med.Swap("matched", column="lone")),
    "swap index of wrong length": lambda b: b.nn(donor=med.Swap("index", index=(1, 0))),
    "swap index out of range": lambda b: b.nn(donor=med.Swap("index", index=(1, 2, 3, 4, 5, 6))),
    "swap unknown donor": lambda b: med.Swap("deranged"),
    "blend": lambda b: med.Blend(med.Zero(), 1.5),
    "subspace of other width": lambda b: b.ablated(med.Subspace([[1.0, 0.0]], med.Zero()).at(med.Site("fc1"))),
    "placed at a path": lambda b: med.Zero().at("model.layers.1.mlp"),
    "placed twice": lambda b: med.Zero().at(med.Site("fc1")) | med.Zero(),
    "custom not called": lambda b: clip.at(med.Site("fc1")),
    "custom: unknown parameter": lambda b: clip(limt=2.0),
    "custom: other shape": lambda b: b.ablated(summed().at(med.Site("fc1"))),
    "custom: returns None": lambda b: b.ablated(forgetful().at(med.Site("fc1"))),
    "custom: makes NaN": lambda b: b.ablated(poison().at(med.Site("fc1"))),
    "custom: closure": lambda b: closure(),
    "custom: fails": lambda b: b.ablated(mixed().at(med.Site("fc1"))),
    "custom as an arm, not called": lambda b: b.ablated(clip),
    "donor's activation of another shape": lambda b: b.nn_on(torch.ones(2, 3), torch.zeros(2, 5), model=b.pooled),
}


def headless(b: Bench, **known: Any) -> med.Model:
    paths = {"layers": "model.layers", "attention": "self_attn", "attention_out": "self_attn.o_proj"}
    return med.load(b.llama.module, b.tokenizer, architecture=med.models.Architecture(**paths, **known))


def closure() -> Any:
    limit = 3.0

    @med.intervention
    def clamp(hidden):
        return hidden.clamp(max=limit)

    return clamp
