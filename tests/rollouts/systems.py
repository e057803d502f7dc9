"""The decoding loops of Monet, LVR, Mirage and Coconut in a straight line: one row, no cache, everything read again.

Each function returns what it would have recorded as new tokens, the vectors fed in each thought, and the indices of
the new tokens in whose place they were fed. A vector that would have been fed after the last token counts for nothing;
a thought in which none was fed is an empty tensor. Decoding is greedy. `say` chooses the token from the vector that
the output matrix reads, and is there for scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

Say = Callable[[Tensor], int]


class Run(NamedTuple):
    ids: list[int]
    latents: list[Tensor]
    positions: list[int]


@final
class _Row:
    """The inputs of one sequence so far, and what was recorded of it."""

    def __init__(self, model: Any, inputs: Mapping[str, Tensor], say: Say | None) -> None:
        ids = inputs["input_ids"]
        assert ids.shape[0] == 1
        assert bool(inputs.get("attention_mask", torch.ones(1)).all()), "a row of its own has no padding"
        self.decoder = getattr(model.model, "language_model", model.model)
        self.table = model.get_input_embeddings()
        self.say: Say = say or (lambda hidden: int(model.lm_head(hidden).argmax()))
        self.fed, self.axes = self.table(ids)[0], torch.arange(ids.shape[1])[None]
        if "pixel_values" in inputs:
            seen = model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output
            self.fed = self.fed.masked_scatter((ids[0] == model.config.image_token_id)[:, None], torch.cat(seen))
            places = {name: inputs[name] for name in ("mm_token_type_ids", "image_grid_thw")}
            self.axes = model.model.get_rope_index(ids, **places)[0][:, 0]
        self.prompt: list[int] = ids[0].tolist()
        self.ids: list[int] = []
        self.thoughts: list[list[Tensor]] = []
        self.positions: list[int] = []

    def read(self) -> Tensor:
        """Hidden state of the last position, after the final norm."""
        axes = self.axes[:, None] if len(self.axes) == 3 else self.axes
        return self.decoder(inputs_embeds=self.fed[None], position_ids=axes, use_cache=False).last_hidden_state[0, -1]

    def _append(self, vector: Tensor) -> None:
        self.fed = torch.cat([self.fed, vector[None]])
        self.axes = torch.cat([self.axes, (self.axes.max() + 1).expand(len(self.axes), 1)], dim=1)

    def feed_token(self) -> None:
        """Feed the embedding of the token recorded last."""
        self._append(self.table.weight[self.ids[-1]])

    def feed_latent(self, hidden: Tensor) -> None:
        """Feed a vector in the place of the token recorded last."""
        self._append(hidden)
        self.thoughts[-1].append(hidden)
        self.positions.append(len(self.ids) - 1)

    def result(self) -> Run:
        none = torch.zeros(0, self.fed.shape[1])
        return Run(self.ids, [torch.stack(z).float() if z else none for z in self.thoughts], self.positions)


@torch.no_grad()
def monet(
    model: Any,
    inputs: Mapping[str, Tensor],
    *,
    start: int,
    end: int,
    latent_size: int,
    max_new_tokens: int,
    eos: int | None = None,
    say: Say | None = None,
) -> Run:
    """Monet's vLLM runner: the state that predicted the start token is fed in its place, and so on.

    After `latent_size` vectors, or as soon as the end token is sampled, the end token is recorded. Any other token
    sampled in the thought stays; the end of sequence among them ends the row. A size of 0 is the same as 1.
    """
    row = _Row(model, inputs, say)
    inside, count = False, 0
    while True:
        hidden = row.read()
        token = row.say(hidden)
        if inside:
            if token == end or count >= latent_size:
                inside, token = False, end
        elif token == start:
            inside, count = True, 0
            row.thoughts.append([])
        row.ids.append(token)
        if token == eos or len(row.ids) == max_new_tokens:
            return row.result()
        if inside:
            row.feed_latent(hidden)
            count += 1
        else:
            row.feed_token()


@torch.no_grad()
def lvr(
    model: Any,
    inputs: Mapping[str, Tensor],
    *,
    start: int,
    steps: int,
    max_new_tokens: int,
    eos: int | None = None,
    head: Callable[[Tensor], Tensor] | None = None,
    head_speaks: bool = True,
    overrun: bool = False,
    say: Say | None = None,
) -> Run:
    """LVR's decoding by steps: once a start token was read as a token, exactly `steps` vectors; no end is forced.

    `head` is applied to the states read at latents: so not to the first vector, which is read at the start token.
    In the original, the output matrix reads what the head returns (`head_speaks`), the last state of the thought
    included, which chooses the first token after it. `overrun`: no thought is cut short by `max_new_tokens`, as in the
    original; the row then ends at the first token after the thought.
    """
    row = _Row(model, inputs, say)
    left, inside, last = 0, False, row.prompt[-1]
    while True:
        hidden = bare = row.read()
        if inside and head is not None:
            hidden = head(bare)
        token = row.say(hidden if head_speaks else bare)
        if inside:
            left -= 1
        elif last == start and steps:
            left = steps
            row.thoughts.append([])
        inside = left > 0
        row.ids.append(token)
        if token == eos and not inside:
            return row.result()
        if len(row.ids) >= max_new_tokens and not (overrun and inside):
            return row.result()
        if inside:
            row.feed_latent(hidden)
        else:
            row.feed_token()
        last = token


@torch.no_grad()
def mirage(
    model: Any,
    inputs: Mapping[str, Tensor],
    *,
    start: int,
    end: int,
    pad: int,
    most: int = 8,
    max_new_tokens: int,
    eos: int | None = None,
    say: Say | None = None,
) -> Run:
    """Mirage's sampling loop for one row: start token read, then vectors under pads until the end is sampled or forced.

    A start token sampled within the thought is recorded and read as a token, and the thought goes on from it. The
    original does not reset its counters, so that a second thought has no limit and may never close: here, as far as
    anything is defined, a start token after the thought is a token like others, and an end token before it too.
    """
    row = _Row(model, inputs, say)
    inside, count = False, 0
    while True:
        hidden = row.read()
        token = row.say(hidden)
        opens = token == start and (inside or not row.thoughts)
        if opens and not inside:
            inside = True
            row.thoughts.append([])
        elif inside and (token == end or (count == most and not opens)):
            inside, token = False, end
        elif inside and not opens:
            token = pad
        row.ids.append(token)
        if token == eos or len(row.ids) == max_new_tokens:
            return row.result()
        if inside and not opens:
            row.feed_latent(hidden)
            count += 1
        else:
            row.feed_token()


@torch.no_grad()
def coconut(
    model: Any,
    input_ids: Tensor,
    *,
    start: int,
    end: int,
    steps: int,
    max_new_tokens: int,
    eos: int | None = None,
    pad: int | None = None,
    say: Say | None = None,
) -> Run:
    """A text-only decoder that thinks for `steps` vectors once it has read the start token, and then reads the end.

    The start token usually ends the prompt; one that is said later opens a thought as well. Within a thought `pad` is
    recorded, or without one what was said; the end of sequence does not end it. With 0 steps nothing is opened.
    """
    row = _Row(model, {"input_ids": input_ids}, say)
    left, inside, last = 0, False, row.prompt[-1]
    while True:
        hidden = row.read()
        token = row.say(hidden)
        if inside:
            left -= 1
            inside, token = left > 0, token if left else end
        elif last == start and steps:
            inside, left = True, steps
            row.thoughts.append([])
        if inside and pad is not None:
            token = pad
        row.ids.append(token)
        if (token == eos and not inside) or len(row.ids) == max_new_tokens:
            return row.result()
        if inside:
            row.feed_latent(hidden)
        else:
            row.feed_token()
        last = token
