"""The decode loop: a prefill, then one token or one latent a step for every row, with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from .._errors import BackendError
from ..engine import AbstractBackend
from ..models import Model
from ..units import Encoded
from ._batch import next_batch, prompt_batch
from ..specs import LatentSpec
from ._stops import Stops
from ._tokens import LatentTokens
from ._trajectory import Segment, Stopped


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rules:
    """What decides the next token beside the model.

    Attributes
    ----------
    spec, tokens
        The latent thought and its ids, or None.
    eos
        Ids that end a row.
    stop
        Strings that end a row once they stand in its generated text.
    max_new_tokens
        Positions that a row may add, latent ones included.
    """

    spec: LatentSpec | None
    tokens: LatentTokens | None
    eos: frozenset[int]
    stop: tuple[str, ...]
    max_new_tokens: int
    tokenizer: Any


@final
class Row:
    """One unit on its way: what it has recorded, and what is fed to it next."""

    __slots__ = ("_closing", "_left", "_plain", "_rules", "ids", "latents", "segments", "stopped", "unit", "vector")

    def __init__(self, unit: int, prompt: Sequence[int], rules: Rules) -> None:
        self.unit = unit
        self.ids: list[int] = []
        self.segments: list[Segment] = []
        self.latents: list[Tensor] = []
        self.vector: Tensor | None = None
        self.stopped: Stopped | None = None
        self._rules = rules
        self._plain: list[int] = []
        self._left = 0
        self._closing = False
        if rules.tokens is not None and prompt[-1] == rules.tokens.start:
            self._open(0)

    def text_ids(self) -> list[int]:
        """Return the ids that are text: all but those of latent positions and the final end-of-sequence token."""
        return self._plain[:-1] if self.stopped == "eos" else self._plain

    def take(self, sampled: int, hidden: Tensor | None) -> None:
        """Decide the next position, from the token and the hidden state that the model has put out at this one."""
        if self.stopped is not None:
            return
        spec, tokens = self._rules.spec, self._rules.tokens
        token, self.vector = sampled, None
        if spec is None or tokens is None:
            self._append(token)
        elif self._left:
            assert hidden is not None
            pad = tokens.pad if spec.record == "pad" else None
            self._append(sampled if pad is None else pad, hidden)
        elif self._closing:
            self._closing = False
            self._append(tokens.end)
        elif sampled == tokens.start:
            self._open(len(self.ids) + spec.feed_start_token)
            first = None if spec.feed_start_token or not self._left else hidden
            self._append(sampled, first, shown=True)
        else:
            self._append(sampled)

    def _open(self, at: int) -> None:
        assert self._rules.spec is not None
        self._left = self._rules.spec.steps
        self.segments.append((at, at))

    def _append(self, token: int, vector: Tensor | None = None, *, shown: bool = False) -> None:
        self.ids.append(token)
        if vector is None or shown:
            self._plain.append(token)
        if vector is not None:
            assert self._rules.spec is not None
            self.vector = vector
            self.latents.append(vector.detach().float().cpu())
            self.segments[-1] = (self.segments[-1][0], len(self.ids))
            self._left -= 1
            self._closing = self._left == 0 and self._rules.spec.force_end
        elif token in self._rules.eos:
            self.stopped = "eos"
        elif self._says_stop():
            self.stopped = "stop"
        if self.stopped is None and len(self.ids) >= self._rules.max_new_tokens:
            self.stopped = "length"

    def _says_stop(self) -> bool:
        if not self._rules.stop:
            return False
        # A stop string is found as soon as it is complete, so the last tokens are enough: at least a quarter of a
        # character each, since one of UTF-8 may be four tokens.
        tail = self._rules.tokenizer.decode(self._plain[-4 * max(map(len, self._rules.stop)) - 4 :])
        return any(stop in tail for stop in self._rules.stop)


def decode(
    model: Model,
    encoded: Sequence[Encoded],
    units: Sequence[int],
    rules: Rules,
    stops: Stops,
    backend: AbstractBackend,
    *,
    prefill: bool,
    advance: Callable[[int], None],
) -> list[Row]:
    """Decode `units` in one batch and return their rows.

    Parameters
    ----------
    encoded
        The prompts of all units.
    prefill
        Whether interventions hold at the last token of the prompt too.
    advance
        Told how many positions are done.

    Raises
    ------
    BackendError
        If the logits of a row are NaN or infinite.
    """
    from transformers import DynamicCache

    prompt = prompt_batch(model, [encoded[unit] for unit in units])
    rows = [Row(unit, _ids(encoded[unit]), rules) for unit in units]
    cache = DynamicCache(config=model.module.config)  # type: ignore[arg-type]
    common: dict[str, Any] = {"past_key_values": cache, "use_cache": True}
    if "logits_to_keep" in model.forward_names:
        common["logits_to_keep"] = 1
    here, step = prompt, 0
    while any(row.stopped is None for row in rows):
        seen: list[Tensor] = []
        vectors = [row.vector for row in rows]
        visits = stops.visits(here, intervene=step > 0 or prefill, vectors=vectors, seen=seen)
        sampled, finite = backend.forward(model, {**here.inputs, **common}, visits, _greedy)
        for index, row in enumerate(rows):
            if row.stopped is None and not finite[index]:
                raise BackendError(
                    f"rollout: the logits of unit {row.unit} at new token {step} are NaN or infinite. Look at the "
                    "intervention's scale and at the model's dtype."
                )
            row.take(sampled[index], seen[0][index] if seen else None)
        step += 1
        advance(len(rows))
        # Rows that have ended are fed their last token again; nothing of them is read.
        here = next_batch(model, prompt, [row.ids[-1] for row in rows], step)
    advance(len(rows) * (rules.max_new_tokens - step))
    return rows


def _ids(encoded: Encoded) -> list[int]:
    assert encoded.ids is not None
    return [int(i) for i in encoded.ids]


def _greedy(output: Any) -> tuple[list[int], list[bool]]:
    """Return the likeliest token of each row, and whether its logit is a number."""
    best = output.logits[:, -1].max(dim=-1)
    return best.indices.tolist(), torch.isfinite(best.values).tolist()
