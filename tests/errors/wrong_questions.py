"""Wrong outcomes and options."""

from __future__ import annotations

import warnings

import numpy as np
import torch

import mediation as med
from tests.errors.bench import Call


@med.outcome
def matrix(output):
    return output


@med.outcome
def number(output):
    return 1.0


@med.outcome
def logarithm(output):
    return output[:, 0].log()


def another_study(b):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)
        b.nn(out=b.folder / "run")
    b.forwards.clear()
    return b.nn(out=b.folder / "run", batch_size=2)


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
    "None in a column": lambda b: b.lm(med.residual(1), pairs=b.unanswered),
    "id outside the vocabulary": lambda b: b.lm(med.residual(1), med.Probability(400)),
    "words without a tokenizer": lambda b: b.nn(outcome=med.LogitDiff(" Paris", " Rome")),
    "answer is foil": lambda b: b.lm(med.residual(1), med.LogitDiff("answer", "answer")),
    "index outside the output": lambda b: b.nn(outcome=med.LogitDiff(0, 2)),
    "index outside the output, probability": lambda b: b.nn(outcome=med.Probability(2)),
    "one number a row": lambda b: b.nn(model=b.single),
    "answer not among candidates": lambda b: b.lm(med.mlp(1), med.Accuracy("answer", (" Paris", " York"))),
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
    "one column of output": lambda b: b.nn(outcome=med.Probability(0), model=b.column),
    "custom: fails": lambda b: b.nn(outcome=b.misspelt),
    "custom: no signature": lambda b: med.outcome(torch.max),
    "at, of a plain module": lambda b: b.nn(outcome=med.LogitDiff(0, 1, at=0)),
    "outcome where the mediator belongs": lambda b: b.nn(med.LogitDiff(0, 1), med.Site("fc1")),
    "negative index": lambda b: b.nn(outcome=med.LogitDiff(-1, 0)),
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
    "estimand not called": lambda b: b.nn(estimands=med.estimands.TotalEffect),
    "no estimand": lambda b: b.nn(estimands=[]),
    "estimands is a number": lambda b: b.nn(estimands=3),
    "cde without an ablation": lambda b: b.nn(estimands="cde"),
    "iie without a donor": lambda b: b.nn(estimands="iie"),
    "te with a donor": lambda b: b.nn(estimands="te", donor=med.Swap()),
    "ablation effect of mediate": lambda b: b.nn(estimands="ablation"),
    "kind of effect": lambda b: med.estimands.NaturalDirectEffect("direct"),
    "ablation is placed": lambda b: b.nn(ablation=med.Zero().at(med.Site("fc1"))),
    "ablation is not called": lambda b: b.nn(ablation=med.Zero),
    "donor is an ablation": lambda b: b.nn(donor=med.Zero()),
    "donor is not called": lambda b: b.nn(donor=med.Swap),
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
    "out: a number": lambda b: b.nn(out=1),
    "out: no name": lambda b: b.nn(out=""),
    "out: a file": lambda b: b.nn(out="/dev/null"),
    "out: another study": another_study,
    "precision: half": lambda b: b.nn(precision="half"),
    "precision: a torch type": lambda b: b.nn(precision=torch.float16),
    "recheck: negative": lambda b: b.nn(precision="bfloat16", recheck=-1),
    "recheck of a float32 run": lambda b: b.nn(recheck=32),
    "progress": lambda b: b.nn(progress="quiet"),
    "world": lambda b: med.World("sauce"),
}
