"""The sweep that every arm does: a model, its units, its sites, and the fewest FLOPs that the numbers take."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Site = tuple[int, int]  # layer, position

SHAPES: dict[str, dict[str, int]] = {
    "7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
    },
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}


@dataclass(frozen=True)
class Case:
    """A sweep of the residual stream over layers and three positions.

    Attributes
    ----------
    module
        A causal model of `transformers` that is never traced itself: arms work on `bare` copies, because nnsight leaves
        its mark on a module.
    base, source
        Token ids, ``(units, tokens)``, drawn at random: all tokens of a unit differ between the two.
    answer, foil
        Ids of the tokens whose logits are subtracted, at the last position.
    positions
        Positions that are swept.
    """

    name: str
    module: Any
    tokenizer: Any
    base: Tensor
    source: Tensor
    answer: int
    foil: int
    positions: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length of an input."""
        return self.base.shape[1]

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return int(self.module.config.num_hidden_layers)

    def sites(self, step: int = 1) -> list[Site]:
        """Return every `step`-th layer at each position, always with the first layer."""
        return [(layer, position) for position in self.positions for layer in range(0, self.layers, step)]

    def flops(self, sites: list[Site]) -> float:
        """Return the FLOPs of the patched rows of one unit, a multiplication and an addition being two.

        A row that is patched at the output of block l and at position p has to run the blocks above l on the tokens
        from p on, and needs two columns of the unembedding at the last token. A token of a block takes 2 FLOPs a
        weight of its matrices, and 4 x heads x head size for every token that it attends to, itself included. Norms,
        rotations, the softmax and the two plain runs are not counted.
        """
        config = self.module.config
        width, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
        head = getattr(config, "head_dim", None) or width // heads
        weights = width * head * (2 * heads + 2 * config.num_key_value_heads) + 3 * width * inner
        total = 0.0
        for layer, position in sites:
            seen = sum(token + 1 for token in range(position, self.tokens))
            block = 2 * weights * (self.tokens - position) + 4 * heads * head * seen
            total += (self.layers - 1 - layer) * block + 2 * 2 * width
        return total

    def bare(self, dtype: torch.dtype | None = None) -> Any:
        """Return a copy of the module that shares its weights, or has its own if `dtype` is another."""
        if dtype is not None and dtype != self.module.dtype:
            return copy.deepcopy(self.module).to(dtype)
        shared = {id(held): held for held in (*self.module.parameters(), *self.module.buffers())}
        return copy.deepcopy(self.module, shared)


def case(
    name: str, module: Any, tokenizer: Any, *, tokens: int, units: int, positions: tuple[int, ...] | None = None
) -> Case:
    """Return a sweep on a model; by default a quarter in, half-way, and at the last token."""
    device, vocabulary = module.device, module.config.vocab_size
    generator = torch.Generator().manual_seed(0)
    base = torch.randint(10, vocabulary, (units, tokens), generator=generator)
    # Another token at every position: a cell before the first difference would cost `mediation` nothing.
    source = 10 + (base - 10 + torch.randint(1, vocabulary - 10, base.shape, generator=generator)) % (vocabulary - 10)
    where = positions if positions is not None else (tokens // 4, tokens // 2, tokens - 1)
    answer, foil = vocabulary // 3, vocabulary // 2
    return Case(name, module, tokenizer, base.to(device), source.to(device), answer, foil, where)


def real_model(name: str | None) -> tuple[str, Any, Any]:
    """Return name, module and tokenizer of a text model, by default that of the demo."""
    from mediation.demo._weights import find_model

    model = find_model(name)
    label = "SmolLM2-135M" if name is None else name
    return label, model.module, model.tokenizer


def shaped_model(shape: str, *, device: str, dtype: torch.dtype, layers: int | None = None) -> tuple[str, Any, Any]:
    """Return a Llama of random weights, built where it runs, and a tokenizer that stands in for its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from mediation.testing import tiny_tokenizer

    sizes = SHAPES[shape] | ({"num_hidden_layers": layers} if layers is not None else {})
    config = LlamaConfig(**sizes, max_position_embeddings=4096, tie_word_embeddings=False)
    default = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            module = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(default)
    return f"a Llama of {shape} shape, random weights", module.eval(), tiny_tokenizer()
