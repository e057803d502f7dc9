"""A tiny decoder that writes a thought between two words, closed after as many words as a script says."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

import mediation as med
from mediation.testing import tiny_model
from tests.rollouts.scenarios import steer
from tests.rollouts.systems import Run
from tests.rollouts.tiny import VOCABULARY, words

START, END = 55, 56
SPEC = med.TextSpec(f"w{START}", f"w{END}")
BASE = [[3, 14, 15, START], [9, 2, 35, 8, 9, START], [7, START], [31, 41, 59, 26, START]]
SOURCE = [[3, 1, 15, START], [9, 2, 44, 8, 9, START], [17, START], [31, 41, 9, 26, START]]
CLOSES = [3, 4, 2, 3, 2, 3, 4, 5]
LIMIT = 9


@functools.cache
def writer(*, closes: tuple[int, ...] = tuple(CLOSES), seed: int = 3) -> med.Model:
    """A Llama of float64 whose greedy thoughts, base units first, have `closes` words before the end marker."""
    module = tiny_model(
        "llama",
        seed=seed,
        attention="sdpa",
        hidden_size=112,
        vocab_size=VOCABULARY,
        bos_token_id=None,
        eos_token_id=None,
    )
    scripts = [{count: END} for count in closes]
    steer(
        module,
        lambda prompt, say: _plain(module, prompt, say),
        [torch.tensor([prompt]) for prompt in (*BASE, *SOURCE)],
        scripts,
    )
    return med.load(module, tokenizer=words(), dtype=torch.float64, spec=SPEC)


@torch.no_grad()
def _plain(model: torch.nn.Module, prompt: torch.Tensor, say) -> Run:
    ids = prompt[0].tolist()
    for _ in range(LIMIT):
        hidden = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0, -1]
        ids.append(say(hidden))
    return Run(ids, [], [])


@torch.no_grad()
def written(model: med.Model, prompt: Sequence[int], n: int = LIMIT) -> list[int]:
    """Greedy tokens after a prompt, whole sequence each time."""
    ids = list(prompt)
    for _ in range(n):
        ids.append(int(model.module(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def body(model: med.Model, prompt: Sequence[int]) -> list[int]:
    """The words of a unit's own thought, and the end marker."""
    said = written(model, prompt)
    return said[: said.index(END) + 1]


@torch.no_grad()
def logit_diff(model: med.Model, ids: Sequence[int], answer: int, foil: int) -> float:
    logits = model.module(torch.tensor([list(ids)]), use_cache=False).logits[0, -1]
    return float(logits[answer] - logits[foil])
