"""Tiny random decoders whose tokens are words with a number, and the latent loop restated without a cache."""

from __future__ import annotations

import functools

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import mediation as med
from mediation.testing import tiny_model

VOCABULARY = 60
HIDDEN = 16
# Of different lengths, so that a batch is padded.
PROMPTS = [[3, 14, 15], [9, 2, 6, 5, 35, 8, 9], [7], [31, 41, 59, 26, 53], [58, 9, 7, 9]]
FAMILIES = ["llama", "gpt2"]


def words() -> PreTrainedTokenizerFast:
    """One token a word; word i is `wi`."""
    vocabulary = {f"w{i}": i for i in range(VOCABULARY)} | {"<unk>": VOCABULARY}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@functools.cache
def decoder(family: str, *, eos: int | None = None, dtype: torch.dtype = torch.float32) -> med.Model:
    """A decoder of 60 words that ends at word `eos`."""
    attention = "eager" if family == "gemma2" else "sdpa"
    module = tiny_model(
        family, seed=1, layers=3, attention=attention, vocab_size=VOCABULARY, bos_token_id=None, eos_token_id=eos
    )
    return med.load(module, tokenizer=words(), dtype=dtype)


def generated(model: med.Model, prompts: list[list[int]], n: int, **options: object) -> list[list[int]]:
    """New tokens of `generate`, prompts padded on the left."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.no_grad():
        found = model.module.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=n, pad_token_id=0, **options
        )
    return found[:, width:].tolist()


def straight_line(model: med.Model, prompt: list[int], spec: med.LatentSpec, n: int):
    """One row of a latent rollout, restated: no cache, no batch, every embedding spelled out at every step.

    Returns the tokens, the latents that were fed, and the positions at which they were.
    """
    inner = model.module.model if hasattr(model.module, "model") else model.module.transformer
    table, head = model.module.get_input_embeddings().weight, model.module.lm_head.weight
    start, end = (int(getattr(spec, what).removeprefix("w")) for what in ("start", "end"))
    pad = int(spec.pad.removeprefix("w")) if spec.pad else None
    inputs = [table[token] for token in prompt]
    ids, fed, where = [], [], []
    left = spec.steps if prompt[-1] == start else 0
    force = False
    with torch.no_grad():
        while len(ids) < n:
            hidden = inner(inputs_embeds=torch.stack(inputs)[None], use_cache=False).last_hidden_state[0, -1]
            said = int((head @ hidden).argmax())
            if left > 0:
                is_latent, token = True, pad if spec.record == "pad" else said
                left -= 1
                force = left == 0 and spec.force_end
            elif force:
                is_latent, token, force = False, end, False
            elif said == start and not spec.feed_start_token and spec.steps:
                is_latent, token, left = True, start, spec.steps - 1
                force = left == 0 and spec.force_end
            else:
                is_latent, token = False, said
                left = spec.steps if said == start else 0
            if is_latent:
                where.append(len(ids))
                fed.append(hidden)
            inputs.append(hidden if is_latent else table[token])
            ids.append(token)
    return ids, torch.stack(fed).float() if fed else torch.zeros(0, HIDDEN), where
