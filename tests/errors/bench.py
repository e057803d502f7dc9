"""What the wrong calls are made on: tiny models of real classes, an offline tokenizer, small units."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import mediation as med

TEXTS = ["The cat sat", "The dog ran"]
IDS = [[3, 4, 8], [3, 5, 8, 9]]
WORDS = ("The", " cat", " dog", " bird", " sat", " ran", " on", " the", " mat", " Paris", " Rome", " New", " York")
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
QUICK = {"rng": 0, "n_resamples": 99, "checks": 0, "progress": False}


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Words with their space are one token, everything else is letters; with character offsets."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ _.,"
    pieces = [("<unk>", 0.0), ("<pad>", 0.0), ("<s>", 0.0)]
    pieces += [(word, -1.0) for word in WORDS] + [(letter, -9.0) for letter in letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\S+"), behavior="isolated")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<s>")


class Odd(nn.Module):
    """One module puts out a text."""

    def __init__(self) -> None:
        super().__init__()
        self.odd, self.out = Worded(), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.odd(x)
        return self.out(x)


class Worded(nn.Module):
    def forward(self, x: torch.Tensor) -> str:
        return "word"


class Unused(nn.Module):
    """One module is called twice, one never."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never, self.out = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.twice(self.twice(x)))


@dataclass
class Bench:
    """Everything a wrong call needs, made once; `forwards` lists the rows of every forward pass of any model here."""

    folder: Path
    forwards: list[int] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def counted(self, module: nn.Module) -> nn.Module:
        """Return `module` with a hook that writes down the rows of each of its forward passes."""

        def note(_: nn.Module, args: Any, kwargs: Any) -> None:
            first = args[0] if args else next(iter(kwargs.values()))
            self.forwards.append(len(first))

        module.register_forward_pre_hook(note, with_kwargs=True)
        return module

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return make_tokenizer()

    def _llama(self, attention: str) -> nn.Module:
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=len(self.tokenizer), attn_implementation=attention, **SIZES)
        return self.counted(LlamaForCausalLM(config))

    @cached_property
    def llama(self) -> med.Model:
        return med.load(self._llama("eager"), self.tokenizer)

    @cached_property
    def sdpa(self) -> med.Model:
        return med.load(self._llama("sdpa"), self.tokenizer)

    @cached_property
    def no_tokenizer(self) -> med.Model:
        return med.load(self._llama("eager"))

    @cached_property
    def module(self) -> nn.Module:
        torch.manual_seed(0)
        return self.counted(nn.Sequential(OrderedDict(fc1=nn.Linear(3, 4), act=nn.ReLU(), fc2=nn.Linear(4, 2))))

    @cached_property
    def plain(self) -> med.Model:
        return med.load(self.module)

    @cached_property
    def single(self) -> med.Model:
        torch.manual_seed(0)
        return med.load(
            self.counted(nn.Sequential(OrderedDict(fc1=nn.Linear(3, 4), fc2=nn.Linear(4, 1), flat=nn.Flatten(0))))
        )

    @cached_property
    def unused(self) -> med.Model:
        torch.manual_seed(0)
        return med.load(self.counted(Unused()))

    @cached_property
    def column(self) -> med.Model:
        torch.manual_seed(0)
        return med.load(self.counted(nn.Sequential(OrderedDict(fc1=nn.Linear(3, 4), fc2=nn.Linear(4, 1)))))

    @cached_property
    def pooled(self) -> med.Model:
        return med.load(self.counted(nn.Sequential(OrderedDict(fc1=nn.Identity(), pool=nn.AdaptiveAvgPool1d(2)))))

    @cached_property
    def odd(self) -> med.Model:
        torch.manual_seed(0)
        return med.load(self.counted(Odd()))

    @property
    def misspelt(self) -> Any:
        return med.outcome(lambda output, units: output[:, 0] * len(units["knd"]))

    @cached_property
    def frame(self) -> pd.DataFrame:
        animals = [" cat", " dog", " bird", " cat"]
        return pd.DataFrame(
            {
                "clean": [f"The{animal} sat on the mat" for animal in animals],
                "corrupted": [f"The{animal} ran on the mat" for animal in animals],
                "animal": [animal.strip() for animal in animals],
                "answer": [" Paris", " Paris", " Rome", " Rome"],
                "foil": [" Rome", " Rome", " Paris", " Paris"],
                "template": ["a", "a", "b", "c"],
            }
        )

    @property
    def holed(self) -> pd.DataFrame:
        return self.frame.assign(answer=None, clean=[None, *self.frame["clean"][1:]])

    @property
    def unanswered(self) -> med.Pairs:
        return med.Pairs.from_frame(self.frame.assign(answer=None), "corrupted", "clean")

    @cached_property
    def pairs(self) -> med.Pairs:
        return med.Pairs.from_frame(
            self.frame, base="corrupted", source="clean", cluster="template", spans={"subject": "animal"}
        )

    @cached_property
    def tensors(self) -> med.Pairs:
        generator = torch.Generator().manual_seed(0)
        x0, x1 = torch.randn(6, 3, generator=generator), torch.randn(6, 3, generator=generator)
        return med.Pairs(base=x0, source=x1, frame=pd.DataFrame({"kind": list("aabbcc"), "lone": list("aabbcd")}))

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        return pd.DataFrame(rng.normal(size=(6, 4)), columns=["y00", "y01", "y10", "y11"])

    @property
    def drawn(self) -> pd.DataFrame:
        return self.outcomes.assign(unit=[0, 0, 1, 1, 2, 2], draw=[0, 1] * 3)

    @property
    def ablations(self) -> pd.DataFrame:
        return self.outcomes.set_axis(["y", "a", "b", "ym"], axis=1).assign(unit=range(6))

    @cached_property
    def effects(self) -> med.Effects:
        return med.effects(self.outcomes, rng=0, n_resamples=99)

    @cached_property
    def sweep(self) -> med.Effects:
        return self.lm(med.residual([0, 1], at="last"), method="percentile")

    @cached_property
    def arms(self) -> med.Effects:
        return med.ablate(
            self.plain, self.tensors, med.Zero().at(med.Site("fc1")), med.LogitDiff(0, 1), **QUICK, **self.options
        )

    def lm(self, mediator: Any, outcome: Any = None, *, model: Any = None, pairs: Any = None, **options: Any) -> Any:
        """Return the effects through `mediator` in the language model."""
        said = med.LogitDiff("answer", "foil") if outcome is None else outcome
        units = self.pairs if pairs is None else pairs
        return med.mediate(model or self.llama, units, mediator, said, **{**QUICK, **self.options, **options})

    def on(self, base: Any, source: Any, mediator: Any = None, *, spans: Any = None, **options: Any) -> Any:
        """Return the effects in the language model on inputs of your own."""
        pairs = med.Pairs(base=base, source=source, spans=spans or {})
        return self.lm(mediator or med.residual(1), med.LogitDiff(3, 4), pairs=pairs, **options)

    def lm_ablated(self, arms: Any, *, base: Any = None, **options: Any) -> Any:
        """Return the ablation effects of `arms` in the language model."""
        pairs = self.pairs if base is None else med.Pairs(base=base)
        return med.ablate(self.llama, pairs, arms, med.LogitDiff(3, 4), **{**QUICK, **self.options, **options})

    def nn(self, mediator: Any = None, outcome: Any = None, **options: Any) -> Any:
        """Return the effects through `mediator` in the plain module."""
        where, said = mediator or med.Site("fc1"), outcome if outcome is not None else med.LogitDiff(0, 1)
        model, pairs = options.pop("model", self.plain), options.pop("pairs", self.tensors)
        return med.mediate(model, pairs, where, said, **{**QUICK, **self.options, **options})

    def nn_on(self, base: Any, source: Any, *, spans: Any = None, **options: Any) -> Any:
        """Return the effects in the plain module on inputs of your own."""
        return self.nn(pairs=med.Pairs(base=base, source=source, spans=spans or {}), **options)

    def ablated(self, arms: Any, outcome: Any = None, **options: Any) -> Any:
        """Return the ablation effects of `arms` in the plain module."""
        said = med.LogitDiff(0, 1) if outcome is None else outcome
        return med.ablate(self.plain, self.tensors, arms, said, **{**QUICK, **self.options, **options})


Call = Callable[[Bench], Any]
