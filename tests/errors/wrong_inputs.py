"""Wrong models and units."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import mediation as med
from tests.errors.bench import IDS, TEXTS, Bench, Call

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
    "None in a column": lambda b: med.Pairs.from_frame(b.holed, "corrupted", "clean"),
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
    "a generator": lambda b: med.Pairs(base=(text for text in TEXTS)),
    "token ids with a batch axis": lambda b: med.Pairs(base=[torch.tensor([IDS[0]]), torch.tensor([IDS[1]])]),
    "a mapping of lists": lambda b: med.Pairs(base={"x": [1.0, 2.0]}),
    "frame of texts only": lambda b: med.Pairs.from_frame(b.frame["clean"]),
    "spans: one number": lambda b: med.Pairs(base=TEXTS, spans={"subject": 4}),
}


ENCODING: dict[str, Call] = {
    "texts without a tokenizer": lambda b: b.lm(med.residual(1), med.LogitDiff(3, 4), model=b.no_tokenizer),
    "ids outside the vocabulary": lambda b: b.on([[3, 4]], [[3, 400]]),
    "longer than the model reads": lambda b: b.on([[3] * 40], [[4] * 40]),
    "a mask with a hole": lambda b: b.on(masked([1, 0, 1]), masked([1, 1, 1])),
    "a mask of another shape": lambda b: b.on(masked([1, 1]), masked([1, 1])),
    "a padded batch with positions": lambda b: b.on(masked([0, 1, 1], placed=True), masked([0, 1, 1], placed=True)),
    "argument that the module has not": lambda b: b.nn_on({"z": torch.ones(2, 3)}, {"z": torch.zeros(2, 3)}),
    "spans of tensors": lambda b: b.nn_on(torch.ones(2, 3), torch.zeros(2, 3), spans={"left": [(0, 1), (0, 1)]}),
    "texts for a plain module": lambda b: b.nn_on(TEXTS, TEXTS),
    "tensors that the module cannot take": lambda b: b.nn_on(torch.ones(2, 5), torch.zeros(2, 5)),
    "one row of ids": lambda b: b.on(torch.tensor([3, 4, 8]), torch.tensor([3, 5, 8])),
    "numbers that are no tensor of the module": lambda b: b.nn_on(torch.ones(2, 3).long(), torch.zeros(2, 3).long()),
}


def arch(b: Bench, **paths: Any) -> med.Model:
    return med.load(b.llama.module, architecture=med.models.Architecture(**paths))


def masked(mask: list[int], *, placed: bool = False) -> dict[str, torch.Tensor]:
    ids = torch.tensor([[3, 4, 8]])
    return {"input_ids": ids, "attention_mask": torch.tensor([mask]), **({"position_ids": ids} if placed else {})}
