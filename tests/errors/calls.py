"""The catalogue of wrong calls through the public API, by what they are wrong about; see `test_errors`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

import mediation as med
from tests.errors.bench import Bench, Unused

Call = Callable[[Bench], Any]
IDS = [[3, 4, 8], [3, 5, 8, 9]]
TEXTS = ["The cat sat", "The dog ran"]


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


@med.outcome
def matrix(output):
    return output


@med.outcome
def number(output):
    return 1.0


@med.outcome
def logarithm(output):
    return output[:, 0].log()


LOAD: dict[str, Call] = {
    "a path that is not there": lambda b: med.load("models/nothing/here"),
    "a gguf file that is not there": lambda b: med.load("./nothing.gguf"),
    "a number": lambda b: med.load(42),
    "a class": lambda b: med.load(nn.Linear),
    "a state dict": lambda b: med.load(b.module.state_dict()),
    "loading options for a module": lambda b: med.load(b.module, device_map="auto"),
    "dtype as text": lambda b: med.load(b.module, dtype="bfloat16"),
    "device that is none": lambda b: med.load(b.module, device="gpu"),
    "tokenizer as text": lambda b: med.load(b.module, "gpt2"),
    "architecture as text": lambda b: med.load(b.llama.module, architecture="model.layers"),
    "architecture: no such list": lambda b: arch(b, layers="model.layer"),
    "architecture: not a list": lambda b: arch(b, layers="model"),
    "architecture: no such part": lambda b: arch(b, layers="model.layers", attention="self_attention"),
    "architecture: no such embedding": lambda b: arch(b, layers="model.layers", embedding="embed"),
    "architecture: heads": lambda b: arch(b, layers="model.layers", n_heads=0),
}

PAIRS: dict[str, Call] = {
    "one text": lambda b: med.Pairs(base="The cat sat"),
    "a frame": lambda b: med.Pairs(base=b.frame),
    "nothing": lambda b: med.Pairs(base=[]),
    "a scalar": lambda b: med.Pairs(base=torch.tensor(1.0)),
    "empty text": lambda b: med.Pairs(base=["The cat sat", ""]),
    "None among texts": lambda b: med.Pairs(base=["The cat sat", None]),
    "texts and ids": lambda b: med.Pairs(base=["The cat sat", [3, 4]]),
    "one list of ids": lambda b: med.Pairs(base=[3, 4, 8]),
    "no ids": lambda b: med.Pairs(base=[[3, 4], []]),
    "ids that are words": lambda b: med.Pairs(base=[["The", "cat"]]),
    "a list of float tensors": lambda b: med.Pairs(base=[torch.ones(3), torch.zeros(3)]),
    "unequal length": lambda b: med.Pairs(base=TEXTS, source=TEXTS[:1]),
    "two kinds": lambda b: med.Pairs(base=TEXTS, source=IDS),
    "tensors of unequal rows": lambda b: med.Pairs(base={"x": torch.zeros(2, 3), "y": torch.zeros(3, 3)}),
    "frame of another length": lambda b: med.Pairs(base=TEXTS, frame=b.frame),
    "frame is a dict": lambda b: med.Pairs(base=TEXTS, frame={"answer": [" Paris", " Rome"]}),
    "from a dict": lambda b: med.Pairs.from_frame({"base": TEXTS}),
    "base column": lambda b: med.Pairs.from_frame(b.frame, base="corupted", source="clean"),
    "source column": lambda b: med.Pairs.from_frame(b.frame, base="corrupted"),
    "base is source": lambda b: med.Pairs.from_frame(b.frame, base="clean", source="clean"),
    "None in a column": lambda b: med.Pairs.from_frame(b.frame.assign(clean=[None, *b.frame["clean"][1:]]), "corrupted", "clean"),
    "cluster column": lambda b: med.Pairs.from_frame(b.frame, "corrupted", "clean", cluster="templat"),
    "cluster without a frame": lambda b: med.Pairs(base=TEXTS, cluster="template"),
    "cluster is a number": lambda b: med.Pairs(base=TEXTS, cluster=3),
    "cluster labels: too few": lambda b: med.Pairs(base=TEXTS, cluster=["a"]),
    "cluster labels: missing": lambda b: med.Pairs(base=TEXTS, cluster=["a", None]),
    "cluster labels: lists": lambda b: med.Pairs(base=TEXTS, cluster=[["a"], ["b"]]),
    "weights: negative": lambda b: med.Pairs(base=TEXTS, weight=[1.0, -1.0]),
    "weights: text": lambda b: med.Pairs(base=TEXTS, weight=["one", "two"]),
    "weights: one number": lambda b: med.Pairs(base=TEXTS, weight=2.0),
    "spans: no mapping": lambda b: med.Pairs(base=TEXTS, spans="subject"),
    "spans: column": lambda b: med.Pairs.from_frame(b.frame, "corrupted", "clean", spans={"subject": "animl"}),
    "spans: not found": lambda b: med.Pairs(base=TEXTS, spans={"subject": ["cat", "cat"]}),
    "spans: found twice": lambda b: med.Pairs(base=["a cat, a cat"], spans={"subject": ["cat"]}),
    "spans: outside": lambda b: med.Pairs(base=TEXTS, spans={"subject": [(4, 7), (4, 70)]}),
    "spans: one for all": lambda b: med.Pairs(base=[*TEXTS, "A bird sat"], spans={"subject": (4, 7)}),
    "spans: no offsets": lambda b: med.Pairs(base=TEXTS, spans={"subject": [4, 4]}),
    "spans: substring of ids": lambda b: med.Pairs(base=IDS, spans={"subject": ["cat", "dog"]}),
    "spans: reserved name": lambda b: med.Pairs(base=TEXTS, spans={"last": ["cat", "dog"]}),
    "subset": lambda b: b.pairs.subset([0, 9]),
    "column": lambda b: b.pairs.column("anser"),
}

ENCODING: dict[str, Call] = {
    "texts without a tokenizer": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), model=b.no_tokenizer),
    "ids outside the vocabulary": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), pairs=med.Pairs(base=[[3, 4]], source=[[3, 400]])),
    "longer than the model reads": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), pairs=med.Pairs(base=[[3] * 40], source=[[4] * 40])),
    "a padded batch": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), pairs=padded(b)),
    "argument that the module has not": lambda b: b.nn(pairs=med.Pairs(base={"z": torch.ones(2, 3)}, source={"z": torch.zeros(2, 3)})),
    "spans of tensors": lambda b: b.nn(pairs=med.Pairs(base=torch.ones(2, 3), source=torch.zeros(2, 3), spans={"left": [(0, 1), (0, 1)]})),
    "texts for a plain module": lambda b: b.nn(pairs=med.Pairs(base=TEXTS, source=TEXTS)),
    "tensors that the module cannot take": lambda b: b.nn(pairs=med.Pairs(base=torch.ones(2, 5), source=torch.zeros(2, 5))),
}

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
    "at: span, and there are none": lambda b: b.lm(med.residual(1, at="subject"), pairs=med.Pairs(base=TEXTS, source=TEXTS), outcome=med.LogitDiff(3, 4)),
    "at: spans, and there are none": lambda b: b.lm(med.residual(1, at="spans"), pairs=med.Pairs(base=TEXTS, source=TEXTS), outcome=med.LogitDiff(3, 4)),
    "at: no axis of positions": lambda b: b.nn(med.Site("fc1", at="last")),
    "at: each of no axis": lambda b: b.nn(med.Site("fc1", at="each")),
    "overlap": lambda b: med.Zero().at(med.residual(1)) | med.Scale(2.0).at(med.residual(1, at="last")),
    "overlap through a span": lambda b: med.ablate(b.llama, b.pairs, med.Zero().at(med.mlp(1, at=1)) | med.Scale(2.0).at(med.mlp(1, at="subject")), med.LogitDiff("answer", "foil")),
    "overlap of one mediator": lambda b: b.lm((med.residual(1) | med.residual(1, at="last")).jointly()),
    "a set without sites": lambda b: med.residual(at="last") - med.residual(at="last"),
    "a set of paths": lambda b: med.SiteSet(("fc1", "fc2")),
    "called twice": lambda b: b.nn(med.Site("twice"), model=b.unused),
    "never called": lambda b: b.nn(med.Site("never"), model=b.unused),
    "pattern without eager attention": lambda b: b.lm(med.pattern(1, head=0, at="last"), model=b.sdpa),
}

ALIGNMENT: dict[str, Call] = {
    "misaligned pair": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), pairs=med.Pairs(base=TEXTS, source=["The cat ran", "The dog ran on the mat"])),
    "misaligned span": lambda b: b.lm(med.residual(1, at="subject"), med.LogitDiff(3, 4), pairs=med.Pairs(base=["The cat sat"], source=["The cow sat"], spans={"subject": (["cat"], ["cow"])})),
    "misaligned attention": lambda b: b.lm(med.pattern(1, head=0, at="last"), med.LogitDiff(3, 4), pairs=med.Pairs(base=TEXTS, source=["The cat ran", "The dog ran on the mat"])),
    "misaligned donor": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), donor=med.Swap(), pairs=med.Pairs(base=IDS, source=IDS)),
    "tensors of other widths": lambda b: b.nn(med.Site("fc1"), model=med.load(b.counted(nn.Sequential(OrderedDict(fc1=nn.Identity(), pool=nn.AdaptiveAvgPool1d(2))))), pairs=med.Pairs(base=torch.ones(2, 3), source=torch.zeros(2, 5))),
    "mean of unequal lengths": lambda b: med.ablate(b.llama, med.Pairs(base=IDS), med.Mean().at(med.mlp(1)), med.LogitDiff(3, 4)),
    "no source": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), pairs=med.Pairs(base=TEXTS)),
    "run without a source": lambda b: med.ablate(b.llama, med.Pairs(base=TEXTS), med.Zero().at(med.mlp(1)), med.LogitDiff(3, 4), run="source"),
    "swap of one unit": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), donor=med.Swap(), pairs=med.Pairs(base=TEXTS[:1], source=TEXTS[1:])),
}

OUTCOMES: dict[str, Call] = {
    "no outcome": lambda b: b.nn(outcome="answer"),
    "outcome not called": lambda b: b.lm(med.residual(1), med.KL),
    "a plain function": lambda b: b.nn(outcome=lambda output: output[:, 0]),
    "several tokens": lambda b: b.lm(med.residual(1), med.LogitDiff(" New York", " Rome")),
    "several tokens without the space": lambda b: b.lm(med.residual(1), med.LogitDiff("Paris", " Rome")),
    "several tokens in a column": lambda b: b.lm(med.residual(1), med.LogitDiff("animal", "foil")),
    "unknown to the tokenizer": lambda b: b.lm(med.residual(1), med.LogitDiff("é", " Rome")),
    "misspelt column": lambda b: b.lm(med.residual(1), med.LogitDiff("answr", "foil")),
    "misspelt column, any length": lambda b: b.lm(med.residual(1), med.LogProb("answr")),
    "a list of answers": lambda b: b.lm(med.residual(1), med.LogitDiff([" Paris", " Rome"], "foil")),
    "empty answer": lambda b: b.lm(med.residual(1), med.LogProb("")),
    "None in a column ": lambda b: b.lm(med.residual(1), pairs=med.Pairs.from_frame(b.frame.assign(answer=[None] * 4), "corrupted", "clean")),
    "id outside the vocabulary": lambda b: b.lm(med.residual(1), med.Probability(400)),
    "words without a tokenizer": lambda b: b.nn(outcome=med.LogitDiff(" Paris", " Rome")),
    "answer is foil": lambda b: b.lm(med.residual(1), med.LogitDiff("answer", "answer")),
    "index outside the output": lambda b: b.nn(outcome=med.LogitDiff(0, 2)),
    "index outside the output, probability": lambda b: b.nn(outcome=med.Probability(2)),
    "one number a row": lambda b: b.nn(model=b.single),
    "answer not among candidates": lambda b: b.lm(med.residual(1), med.Accuracy("answer", candidates=(" Paris", " York"))),
    "one candidate": lambda b: b.lm(med.residual(1), med.Accuracy(" Paris", candidates=(" Paris",))),
    "candidates column": lambda b: b.lm(med.residual(1), med.Accuracy("answer", candidates="candidates")),
    "candidates are no list": lambda b: b.lm(med.residual(1), med.Accuracy("answer", candidates=3)),
    "candidates outside the output": lambda b: b.nn(outcome=med.Accuracy(0, candidates=(0, 5))),
    "read at None": lambda b: med.KL(at=None),
    "read at an unknown span": lambda b: b.lm(med.residual(1), med.KL(at="subjct")),
    "read at several tokens": lambda b: b.lm(med.residual(1), med.KL(at="all")),
    "read out of range": lambda b: b.lm(med.residual(1), med.LogitDiff("answer", "foil", at=20)),
    "several tokens read elsewhere": lambda b: b.lm(med.residual(1), med.LogProb(" New York", at=0)),
    "custom: not a function": lambda b: med.outcome("logits"),
    "custom: three parameters": lambda b: med.outcome(lambda output, units, more: output),
    "custom: wrong shape": lambda b: b.nn(outcome=matrix),
    "custom: a number": lambda b: b.nn(outcome=number),
    "NaN": lambda b: b.nn(outcome=logarithm),
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
}

QUESTIONS: dict[str, Call] = {
    "pairs is a frame": lambda b: b.lm(med.residual(1), pairs=b.frame),
    "pairs is a tuple": lambda b: b.nn(pairs=(torch.ones(2, 3), torch.zeros(2, 3))),
    "model is none": lambda b: b.lm(med.residual(1), model=42),
    "mediator is a path": lambda b: b.lm("model.layers.1"),
    "mediator is a list": lambda b: b.lm([med.residual(1), med.residual(2)]),
    "mediator is not called": lambda b: b.lm(med.residual),
    "mediator is an assignment": lambda b: b.lm(med.Zero().at(med.residual(1))),
    "unknown estimand": lambda b: b.nn(estimands=["te", "pni"]),
    "estimand not called": lambda b: b.nn(estimands=med.TotalEffect),
    "no estimand": lambda b: b.nn(estimands=[]),
    "estimands is a number": lambda b: b.nn(estimands=3),
    "cde without an ablation": lambda b: b.nn(estimands="cde"),
    "iie without a donor": lambda b: b.nn(estimands="iie"),
    "te with a donor": lambda b: b.nn(estimands="te", donor=med.Swap()),
    "ablation effect of mediate": lambda b: b.nn(estimands="ablation"),
    "kind of effect": lambda b: med.NaturalDirectEffect("direct"),
    "ablation is placed": lambda b: b.nn(ablation=med.Zero().at(med.Site("fc1"))),
    "ablation is not called": lambda b: b.nn(ablation=med.Zero),
    "donor is an ablation": lambda b: b.nn(donor=med.Zero()),
    "donor with a run": lambda b: b.nn(donor=med.Swap(run="base")),
    "arm without a site": lambda b: b.ablated(med.Zero()),
    "arms is a list": lambda b: b.ablated([med.Zero().at(med.Site("fc1"))]),
    "no arms": lambda b: b.ablated({}),
    "arm with a site, and sites": lambda b: b.ablated(med.Zero().at(med.Site("fc1")), sites=med.Site("fc2")),
    "sites is a path": lambda b: b.ablated(med.Zero(), sites="fc1"),
    "arm with a dose that is no number": lambda b: b.ablated({("noise", "big"): med.Zero().at(med.Site("fc1"))}),
    "run": lambda b: b.ablated(med.Zero().at(med.Site("fc1")), run="sorce"),
    "estimands of ablate": lambda b: b.ablated(med.Zero().at(med.Site("fc1")), estimands="te"),
    "doses without sites": lambda b: med.doses(lambda scale: med.GaussianNoise(scale), [0.5]),
    "doses of one number": lambda b: med.doses(lambda scale: med.GaussianNoise(scale).at(med.Site("fc1")), 0.5),
    "doses of an object": lambda b: med.doses(med.GaussianNoise(0.5), [0.5]),
    "n_draws": lambda b: b.nn(n_draws=0),
    "rng": lambda b: b.nn(rng=-1),
    "rng of numpy's old kind": lambda b: b.nn(rng=np.random.RandomState(0)),
    "confidence_level": lambda b: b.nn(confidence_level=95),
    "n_resamples": lambda b: b.nn(n_resamples=10),
    "method": lambda b: b.nn(method="bootstrap_t"),
    "backend": lambda b: b.nn(backend="nnsigt"),
    "backend is a class": lambda b: b.nn(backend=med.engine.HookBackend),
    "argument": lambda b: b.nn(batchsize=4),
    "argument of mediate itself": lambda b: b.nn(n_resample=99),
    "batch_size": lambda b: b.nn(batch_size=0),
    "padding_side": lambda b: b.nn(padding_side="middle"),
    "checks": lambda b: b.nn(checks=-1),
    "fan_out": lambda b: b.nn(fan_out="no"),
    "progress": lambda b: b.nn(progress="quiet"),
    "world": lambda b: med.World("sauce"),
}

FRAMES: dict[str, Call] = {
    "not a frame": lambda b: med.effects([[0.0, 1.0]]),
    "no rows": lambda b: med.effects(b.outcomes[:0]),
    "no potential outcome": lambda b: med.effects(b.outcomes.add_prefix("Y_")),
    "one potential outcome": lambda b: med.effects(b.outcomes[["y00"]]),
    "missing potential outcome": lambda b: med.effects(b.outcomes[["y00", "y01"]], estimands="te"),
    "NaN": lambda b: med.effects(b.outcomes.assign(y01=[0.0, 1.0, np.nan, 1.0, np.nan, 1.0])),
    "strings": lambda b: med.effects(b.outcomes.assign(y01="high")),
    "one string": lambda b: med.effects(b.outcomes.assign(y01=[0.1, 0.2, "n/a", 0.4, 0.5, 0.6])),
    "repeated column": lambda b: med.effects(b.outcomes[["y00", "y00", "y11"]]),
    "repeated rows": lambda b: med.effects(b.outcomes.assign(unit=[0, 1, 2, 3, 4, 4])),
    "draws without units": lambda b: med.effects(b.outcomes.assign(draw=0)),
    "unit missing": lambda b: med.effects(b.outcomes.assign(unit=["a", "b", "c", "d", "e", None])),
    "unit without a site": lambda b: med.effects(b.outcomes.assign(unit=[0, 1, 2, 0, 1, 3], site=list("aaabbb"))),
    "cluster missing": lambda b: med.effects(b.outcomes.assign(cluster=["a", "a", "b", None, "c", "c"])),
    "cluster that changes": lambda b: med.effects(b.outcomes.assign(unit=[0, 1, 2] * 2, draw=[0] * 3 + [1] * 3, cluster=range(6))),
    "weight negative": lambda b: med.effects(b.outcomes.assign(weight=[1, 1, 1, -1, 1, 1])),
    "weight text": lambda b: med.effects(b.outcomes.assign(weight="heavy")),
    "dose text": lambda b: med.effects(b.outcomes.rename(columns={"y00": "y", "y11": "ym"}).assign(unit=range(6), dose="low")),
    "unknown estimand": lambda b: med.effects(b.outcomes, estimands=["pm", "pnde2"]),
    "method": lambda b: med.effects(b.outcomes, method="bca"),
    "provenance": lambda b: med.effects(b.outcomes, provenance="my run"),
}

RESULTS: dict[str, Call] = {
    "file that is not there": lambda b: med.read(b.folder / "nothing.parquet"),
    "file of another kind": lambda b: med.read(b.folder / "table.csv"),
    "path that is none": lambda b: med.read(3),
    "corrupt account": lambda b: med.read(spoilt(b, "x.json", b"{")),
    "corrupt table": lambda b: med.read(spoilt(b, "x.parquet", b"PAR1")),
    "saved as csv": lambda b: b.effects.save(b.folder / "table.csv"),
    "summary of an unknown estimand": lambda b: b.effects.summary("pnei"),
    "summary of no rows": lambda b: b.sweep.summary(most=0),
    "table made by hand": lambda b: med.Effects(pd.DataFrame({"estimand": ["te"]}), b.effects.units, {}),
}

PLOTS: dict[str, Call] = {
    "not effects": lambda b: med.plot.forest(b.effects.tidy()),
    "decomposition of a sweep": lambda b: med.plot.decomposition(b.sweep),
    "heatmap of one site": lambda b: med.plot.heatmap(b.effects),
    "heatmap of an unknown estimand": lambda b: med.plot.heatmap(b.sweep, "pni"),
    "heatmap at an unknown position": lambda b: med.plot.heatmap(b.sweep, position="first"),
    "heatmap limit": lambda b: med.plot.heatmap(b.sweep, limit=-1.0),
    "heatmap colours": lambda b: med.plot.heatmap(b.sweep, cmap="RdBu_rr"),
    "dose without doses": lambda b: med.plot.dose(b.arms),
    "dose of effects": lambda b: med.plot.dose(b.effects),
    "several axes": lambda b: med.plot.forest(b.effects, ax=[1, 2]),
    "parts missing": lambda b: med.plot.decomposition(med.effects(b.outcomes[["y00", "y11"]], rng=0, n_resamples=99)),
}

WARNINGS: dict[str, Call] = {
    "one cluster": lambda b: med.effects(b.outcomes.assign(cluster="a"), rng=0, n_resamples=99),
    "one unit": lambda b: med.effects(b.outcomes[:1], rng=0, n_resamples=99),
    "one unit, run": lambda b: b.lm(med.residual(1, at="last"), pairs=b.pairs.subset([0])),
    "same value": lambda b: med.effects(b.outcomes.assign(y01=0.0, y00=0.0), rng=0, n_resamples=99),
    "positions of unequal inputs": lambda b: b.lm(med.residual(1, at="each"), med.LogitDiff(3, 4), pairs=med.Pairs(base=IDS, source=[[3, 6, 8], [3, 6, 8, 9]])),
}

BEFORE = {"encoding": ENCODING, "sites": SITES, "alignment": ALIGNMENT, "outcomes": OUTCOMES, "questions": QUESTIONS}
CATALOGUE = {
    "load": LOAD,
    "pairs": PAIRS,
    **BEFORE,
    "interventions": INTERVENTIONS,
    "frames": FRAMES,
    "results": RESULTS,
    "plots": PLOTS,
}


def arch(b: Bench, **paths: Any) -> med.Model:
    return med.load(b.llama.module, architecture=med.Architecture(**paths))


def padded(b: Bench) -> med.Pairs:
    batch = b.tokenizer(["The cat sat", "The cat sat on the mat"], return_tensors="pt", padding=True)
    return med.Pairs(base=batch, source=batch)


def spoilt(b: Bench, name: str, content: bytes) -> Any:
    path = b.effects.save(b.folder / "x.parquet")
    (b.folder / name).write_bytes(content)
    return path
