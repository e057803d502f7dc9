"""The slow path of thoughts: whole sequences of input embeddings, without a cache, one row at a time."""

from __future__ import annotations

import torch
from torch import Tensor

import mediation as med
from tests.rollouts.tiny import decoder

START, END = 5, 6
STEPS = 3
SPEC = med.LatentSpec(f"w{START}", f"w{END}", steps=STEPS)
BASE = [[3, 14, 15, START], [9, 2, 35, 8, 9, START], [7, START], [31, 41, 59, 26, 53, START]]
SOURCE = [[3, 1, 15, START], [9, 2, 44, 8, 9, START], [17, START], [31, 41, 9, 26, 53, START]]
ANSWER, FOIL = 10, 11
OUTCOME = med.LogitDiff(ANSWER, FOIL)


def exact() -> med.Model:
    return decoder("llama", dtype=torch.float64)


def embed(model: med.Model, tokens: list[int]) -> Tensor:
    return model.module.get_input_embeddings()(torch.tensor(tokens))


@torch.no_grad()
def state(model: med.Model, embeds: Tensor) -> Tensor:
    """The last hidden state after the final norm, ``(hidden,)``."""
    return model.module.model(inputs_embeds=embeds[None], use_cache=False).last_hidden_state[0, -1]


def thought(model: med.Model, prompt: list[int], steps: int = STEPS, change=lambda step, own: own) -> Tensor:
    """The latents of a prompt that ends in the start token; each is changed as it is fed."""
    embeds, fed = embed(model, prompt), []
    for step in range(steps):
        fed.append(change(step, state(model, embeds)))
        embeds = torch.cat([embeds, fed[-1][None]])
    return torch.stack(fed) if fed else torch.zeros(0, embeds.shape[1], dtype=embeds.dtype)


def answer(
    model: med.Model, prompt: list[int], latents: Tensor, more: tuple[int, ...] = (), *, closed: bool = True
) -> float:
    """logit(ANSWER) - logit(FOIL) after the prompt, these latents, the end token (if `closed`) and `more`."""
    after = [END, *more] if closed else [*more]
    embeds = torch.cat([embed(model, prompt), latents, *([embed(model, after)] if after else [])])
    with torch.no_grad():
        logits = model.module.lm_head(state(model, embeds))
    return float(logits[ANSWER] - logits[FOIL])


def said(model: med.Model, prompt: list[int], latents: Tensor, n: int) -> list[int]:
    """The likeliest tokens after the prompt, these latents and the end token."""
    embeds, found = torch.cat([embed(model, prompt), latents, embed(model, [END])]), []
    for _ in range(n):
        with torch.no_grad():
            found.append(int(model.module.lm_head(state(model, embeds)).argmax()))
        embeds = torch.cat([embeds, embed(model, found[-1:])])
    return found
