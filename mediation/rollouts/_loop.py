"""The decode loop: a prefill, then one token or one latent a step for every row, with a cache of keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ..engine import AbstractBackend, Visit
from ..engine.passes import Batch
from ..models import Model
from ..units import Encoded
from ._again import Fed
from ._batch import Tail, prompt_batch
from ._plan import Job, Rules, UnplaceableError
from ._row import Row
from ._sampling import Sampler, Sampling
from ._stops import Stops

_LEAST = 4  # rows of a batch from which those that have ended are dropped


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decoding:
    """How every batch of a rollout is decoded.

    Attributes
    ----------
    model
        The model.
    rules
        What decides the next token beside it.
    stops
        The places at which it is read and changed.
    backend
        What runs forward passes.
    prefill
        Whether interventions hold at the last token of the prompt too.
    sampling, seed
        How tokens are drawn; the likeliest one for None.
    asked
        Ids whose log-probability is kept at every step; None for nothing, and -1 stands for the recorded token.
    in_prompts
        From the batch of prompts, and which they are, to what happens in their pass instead of what `stops` do there.
    advance
        Told how many positions are done.
    """

    model: Model
    rules: Rules
    stops: Stops
    backend: AbstractBackend
    prefill: bool = False
    sampling: Sampling | None = None
    seed: int = 0
    asked: tuple[int, ...] | None = None
    in_prompts: Callable[[Batch, Sequence[int]], list[Visit]] | None = None
    advance: Callable[[int], None] = lambda _: None


@final
class _Batch:
    """Rows that are decoded together; the live ones are those still in the cache."""

    def __init__(self, how: Decoding, encoded: Sequence[Encoded], jobs: Sequence[Job]) -> None:
        from transformers import DynamicCache

        self.how = how
        self.prompts = list(dict.fromkeys(job.prompt for job in jobs))
        self.encoded = [encoded[prompt] for prompt in self.prompts]
        where = {prompt: place for place, prompt in enumerate(self.prompts)}
        self.source = [where[job.prompt] for job in jobs]
        self.rows = [_started(job, encoded[job.prompt], how.rules) for job in jobs]
        self.live = list(range(len(jobs)))
        self.done = 0
        self.cache: Any = DynamicCache(config=how.model.module.config)  # type: ignore[arg-type]
        self.common: dict[str, Any] = {"past_key_values": self.cache, "use_cache": True}
        if "logits_to_keep" in how.model.forward_names:
            self.common["logits_to_keep"] = 1
        sampling = how.sampling
        who = [(job.unit, job.draw) for job in jobs]
        self.sampler = Sampler(sampling, who, how.seed) if sampling is not None else None

    def run(self) -> list[Row]:
        prompt = prompt_batch(self.how.model, self.encoded)
        logits, hidden = self._prefill(prompt)
        chosen = torch.tensor(self.source, device=logits.device)
        if self.source != list(range(len(self.encoded))):
            self.cache.batch_select_indices(chosen)
            logits, hidden = logits[chosen], None if hidden is None else hidden[chosen]
        tail = Tail(self.how.model, prompt, self.encoded, self.source, hides=self.how.rules.hides)
        self._take(logits, hidden)
        while any(row.stopped is None for row in self.rows):
            self._drop_ended(tail)
            # Rows that have ended and are still here are fed their last token again; nothing of them is read.
            mine = [self.rows[row] for row in self.live]
            fed = [row.next if row.stopped is None else Fed(row.next.token) for row in mine]
            logits, hidden = self._forward(tail.batch(fed), [one.vector for one in fed], intervene=True)
            self._take(logits, hidden)
        how_many = len(self.rows) * self.how.rules.max_new_tokens
        self.how.advance(max(0, how_many - self.done))
        return self.rows

    def _prefill(self, prompt: Batch) -> tuple[Tensor, Tensor | None]:
        how = self.how
        if how.in_prompts is None:
            return self._forward(prompt, [None] * len(self.encoded), intervene=how.prefill)
        visits = how.in_prompts(prompt, self.prompts)
        return how.backend.forward(how.model, {**prompt.inputs, **self.common}, visits, _last), None

    def _forward(
        self, batch: Any, vectors: Sequence[Tensor | None], *, intervene: bool
    ) -> tuple[Tensor, Tensor | None]:
        how, seen = self.how, list[Tensor]()
        visits = how.stops.visits(batch, intervene=intervene, vectors=vectors, seen=seen)
        logits: Tensor = how.backend.forward(how.model, {**batch.inputs, **self.common}, visits, _last)
        return logits, seen[0] if seen else None

    def _take(self, logits: Tensor, hidden: Tensor | None) -> None:
        """Let every live row decide its next position."""
        how = self.how
        states = _states(how, hidden)
        logits = self._spoken(logits, states)
        best, said = logits.max(dim=-1)
        finite, sampled = torch.isfinite(best).tolist(), said.tolist()
        if self.sampler is not None:
            sampled = self._drawn(self.sampler, logits)
        for index, number in enumerate(self.live):
            row = self.rows[number]
            if row.stopped is not None:
                continue
            if not finite[index]:
                row.give_up("nan", "nan")
            else:
                try:
                    row.take(sampled[index], states(index, row), logits[index])
                except UnplaceableError as reason:
                    row.give_up(str(reason))
        if how.asked is not None:
            self._score(logits)
        decided = sum(not self.rows[number].reading for number in self.live)
        self.done += decided
        how.advance(decided)

    def _drawn(self, sampler: Sampler, logits: Tensor) -> list[int]:
        """Draw a token for every row; an answer that may not read everything has random numbers of its own."""
        for index, number in enumerate(self.live):
            row = self.rows[number]
            if row.answering and not row.reading:
                sampler.restart(index, len(row.segments))
        return sampler.draw(logits)

    def _spoken(self, logits: Tensor, states: Callable[[int, Row], Tensor | None]) -> Tensor:
        """Return the logits, at latents those of the projected state where the spec has it so."""
        tokens = self.how.rules.tokens
        if tokens is None or tokens.speaks is None:
            return logits
        inside = [index for index, number in enumerate(self.live) if self.rows[number].at_latent]
        if inside:
            vectors = [states(index, self.rows[self.live[index]]) for index in inside]
            logits = logits.clone()
            logits[inside] = tokens.speaks(torch.stack([one for one in vectors if one is not None])).to(logits.dtype)
        return logits

    def _score(self, logits: Tensor) -> None:
        """Keep the log-probabilities that were asked for, at the position that has just been decided."""
        assert self.how.asked is not None
        mine = [self.rows[number] for number in self.live]
        fixed = [list(self.how.asked)] * len(mine)
        taken = [row.ids[-1] if row.ids else 0 for row in mine]
        index = torch.tensor([[t if i < 0 else i for i in ids] for ids, t in zip(fixed, taken, strict=True)])
        logs = torch.log_softmax(logits.float(), dim=-1).gather(1, index.to(logits.device)).cpu()
        for row, values in zip(mine, logs, strict=True):
            if len(row.scores) < len(row.ids):
                row.scores.append(values)

    def _drop_ended(self, tail: Tail) -> None:
        """Take rows that have ended out of the batch, once half of it has."""
        going = [index for index, row in enumerate(self.live) if self.rows[row].stopped is None]
        if len(self.live) < _LEAST or 2 * len(going) > len(self.live) or not _selects(self.cache):
            return
        chosen = torch.tensor(going, device=self.how.model.device)
        self.cache.batch_select_indices(chosen)
        tail.keep(chosen)
        if self.sampler is not None:
            self.sampler.keep(going)
        self.live = [self.live[index] for index in going]


def decode(how: Decoding, encoded: Sequence[Encoded], jobs: Sequence[Job]) -> list[Row]:
    """Decode `jobs` in one batch and return their rows; jobs with one prompt share its prefill.

    Parameters
    ----------
    how
        Model, rules and places.
    encoded
        The prompts.
    jobs
        The rows.
    """
    with torch.no_grad():
        return _Batch(how, encoded, jobs).run()


def _started(job: Job, encoded: Encoded, rules: Rules) -> Row:
    assert encoded.ids is not None
    try:
        return Row(job, encoded.ids.tolist(), rules)
    except UnplaceableError as reason:
        row = Row(Job(prompt=job.prompt, unit=job.unit, draw=job.draw), encoded.ids.tolist(), rules)
        row.job = job
        row.give_up(str(reason))
        return row


def _states(how: Decoding, hidden: Tensor | None) -> Callable[[int, Row], Tensor | None]:
    """Return what would be fed back to each row: its hidden state, or what the projection makes of it."""
    if hidden is None:
        return lambda index, row: None
    tokens, own = how.rules.tokens, hidden
    if tokens is None or tokens.projection is None:
        return lambda index, row: own[index]
    projected = tokens.projection(own)
    return lambda index, row: own[index] if row.first and not tokens.project_first else projected[index]


def _selects(cache: Any) -> bool:
    """Return True if rows can be taken out of the cache."""
    from transformers.cache_utils import DynamicLayer

    return all(isinstance(layer, DynamicLayer) for layer in cache.layers)


def _last(output: Any) -> Tensor:
    """Return the logits of the next token, ``(rows, vocabulary)``, without what they were cut from."""
    logits: Tensor = output.logits
    return logits[:, -1] if logits.shape[1] == 1 else logits[:, -1].clone()
