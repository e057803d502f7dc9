"""Answers that may not read everything, in a straight line: no cache, no mask, one row, everything read again.

What is hidden is not fed at all, and positions are 0, 1, 2, ... of what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

import mediation as med

# Base and source have the same two last words, the question.
BASE = [[3, 14, 15], [9, 2, 6, 35, 8, 19], [7, 21, 22], [31, 41, 59, 26, 53], [58, 9, 7, 10]]
SOURCE = [[1, 14, 15], [2, 9, 6, 35, 8, 19], [17, 21, 22], [31, 4, 59, 26, 53], [18, 9, 7, 10]]


def prompt_of(words: list[int], opens: int | None = None, *, last: int = 2) -> med.Prompt:
    """A text of words, and the start word if it opens a thought; the question is the last other words."""
    said = [f"w{word}" for word in words]
    text = " ".join(said if opens is None else [*said, f"w{opens}"])
    question = " ".join(said[-last:])
    return med.Prompt(text, question=question, offset=len(" ".join(said)) - len(question))


@final
@dataclass
class Line:
    """The embeddings and rotary positions that one row sees, and what it said so far."""

    module: Any
    fed: Tensor
    axes: Tensor

    def __post_init__(self) -> None:
        inner = self.module.model if hasattr(self.module, "model") else self.module.transformer
        self.decoder = getattr(inner, "language_model", inner)
        self.table = self.module.get_input_embeddings().weight
        self.ids: list[int] = []
        self.logs: list[Tensor] = []

    def read(self) -> Tensor:
        places = self.axes[:, None] if len(self.axes) == 3 else self.axes
        found = self.decoder(inputs_embeds=self.fed[None], position_ids=places, use_cache=False)
        return found.last_hidden_state[0, -1]

    def put(self, vectors: Sequence[Tensor]) -> None:
        """Feed vectors at the positions that follow."""
        first = int(self.axes.max()) + 1 if self.axes.numel() else 0
        more = torch.arange(first, first + len(vectors)).expand(len(self.axes), -1)
        self.fed = torch.cat([self.fed, *(vector[None] for vector in vectors)])
        self.axes = torch.cat([self.axes, more], dim=1)

    def cut(self, length: int) -> None:
        """Forget all but the first positions."""
        self.fed, self.axes = self.fed[:length], self.axes[:, :length]

    def tokens(self, ids: Sequence[int]) -> list[Tensor]:
        return [self.table[token] for token in ids]

    def note(self, token: int, hidden: Tensor) -> int:
        """Record a token and the log-probabilities that the model gives there."""
        self.ids.append(token)
        self.logs.append(torch.log_softmax(self.module.lm_head(hidden).float(), dim=-1))
        return token

    def said(self, hidden: Tensor) -> int:
        return int(self.module.lm_head(hidden).argmax())


def line_of(model: med.Model, prompt: med.Prompt) -> tuple[Line, list[int]]:
    """A row that has read a prompt, pictures included, and its tokens."""
    module = model.module
    if not prompt.images:
        ids = torch.tensor(model.tokenizer(prompt.text)["input_ids"])
        wide = 3 if hasattr(getattr(module, "model", None), "get_rope_index") else 1
        return Line(module, module.get_input_embeddings()(ids), torch.arange(len(ids)).expand(wide, -1)), ids.tolist()
    batch = model.processor(text=[prompt.text], images=[list(prompt.images)], return_tensors="pt")
    ids, grid = batch["input_ids"][0], batch["image_grid_thw"]
    seen = torch.cat(module.model.get_image_features(batch["pixel_values"], grid).pooler_output)
    place = ids == module.config.image_token_id
    fed = module.get_input_embeddings()(ids).masked_scatter(place[:, None], seen)
    axes = module.model.get_rope_index(ids[None], mm_token_type_ids=place.int()[None], image_grid_thw=grid)[0][:, 0]
    return Line(module, fed, axes), ids.tolist()


def question_of(model: med.Model, prompt: med.Prompt) -> list[int]:
    """The question's tokens: of these prompts, those of its text read by itself."""
    return list(model.tokenizer.encode(prompt.question, add_special_tokens=False))


@torch.no_grad()
def latent_line(model: med.Model, prompt: med.Prompt, spec: med.LatentSpec, n: int) -> Line:
    """A latent rollout of exactly `steps` latents a thought, whose end is forced."""
    line, ids = line_of(model, prompt)
    start, end = (model.tokenizer.convert_tokens_to_ids(one) for one in (spec.start, spec.end))
    opened = ids[-1] == start
    while len(line.ids) < n:
        hidden = line.read()
        said = line.said(hidden)
        thought, before = [], len(line.fed)
        if not opened:
            line.note(said, hidden)
            if said != start or spec.feed_start_token:
                line.put(line.tokens([said]))
            if said != start:
                continue
            if spec.feed_start_token:
                before, hidden = len(line.fed), None
            else:
                thought = [hidden]
                line.put(thought)
                hidden = None
        opened = False
        while len(thought) < spec.steps and len(line.ids) < n:
            hidden = line.read() if hidden is None else hidden
            line.note(line.said(hidden), hidden)
            thought.append(hidden)
            line.put([hidden])
            hidden = None
        if len(line.ids) == n:
            break
        hidden = line.read()
        line.note(end, hidden)
        _close(line, spec, before, thought, line.tokens([end]), line.tokens(question_of(model, prompt)))
        if spec.answer_from == "prompt" and not _ends_in(line, start, before):
            line.cut(before)
            line.put(line.tokens([start, end]))
    return line


def _ends_in(line: Line, token: int, before: int) -> bool:
    """True if the position before the thought is that of a start token."""
    return bool((line.fed[before - 1] == line.table[token]).all())


@torch.no_grad()
def written_line(model: med.Model, prompt: med.Prompt, spec: med.TextSpec, n: int) -> Line:
    """A rollout with written thoughts between markers of one token each."""
    line, ids = line_of(model, prompt)
    start, end = (model.tokenizer.convert_tokens_to_ids(one) for one in (spec.start, spec.end))
    body: list[int] | None = [] if ids[-1] == start else None
    before = len(line.fed)
    while len(line.ids) < n:
        hidden = line.read()
        token = line.note(line.said(hidden), hidden)
        if body is None or token != end:
            line.put(line.tokens([token]))
            if body is not None:
                body.append(token)
            elif token == start:
                body, before = [], len(line.fed)
            continue
        thought, closing = line.tokens(body), line.tokens([end])
        line.put(closing)
        _close(line, spec, before, thought, closing, line.tokens(question_of(model, prompt)))
        body = None
    return line


def _close(
    line: Line,
    spec: med.LatentSpec | med.TextSpec,
    before: int,
    thought: list[Tensor],
    end: list[Tensor],
    question: list[Tensor],
) -> None:
    """Forget what the answer may not read."""
    if spec.answer_from == "thought":
        line.cut(0)
        line.put([*thought, *end, *question])
    elif spec.answer_from == "prompt":
        line.cut(before)
        line.put(end)
    elif isinstance(spec, med.LatentSpec):
        line.put(end)
