"""The batches of a rollout: which rows run together, and how they are padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch

from ..engine import HookBackend
from ..engine.passes import Batch, join_aligned, join_features, position_rows
from ..engine.sizes import split, tokens_per_pass
from ..engine.study import Layout, remembers
from ..engine.verify import find_layout
from ..models import Model, in_use
from ..units import Encoded
from ._again import ALL, Fed


def batches(
    model: Model,
    encoded: Sequence[Encoded],
    *,
    max_new_tokens: int,
    batch_size: int | None,
    tokens: int | None = None,
    layout: Layout = "padded",
) -> Iterator[list[int]]:
    """Yield the rows of each batch; prompts of unequal length run together where padding is exact.

    Parameters
    ----------
    encoded
        The prompt of each row.
    max_new_tokens
        Positions that a row may add.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    tokens
        Tokens in one pass; None asks the memory at hand.
    layout
        Which rows may share a pass; see `rollout_layout`.
    """
    rows: dict[int, list[int]] = {}
    for row, one in enumerate(encoded):
        rows.setdefault(0 if _pads(model) and layout == "padded" else _length(one), []).append(row)
    for some in rows.values():
        yield from split(
            some,
            lambda row: _length(encoded[row]) + max_new_tokens,
            tokens=tokens_per_pass(model) if tokens is None else tokens,
            rows=batch_size,
            layout=layout,
        )


def rollout_layout(model: Model, encoded: Sequence[Encoded], **options: Any) -> Layout:
    """Return which rows may share a pass; see `batches`, whose options it takes, and `find_layout` for how it is found.

    Compared are the logits after the prompt and after one more token. It is found once in a run.

    Warns
    -----
    BatchDependenceWarning
        If rows depend on each other.
    """
    lengths = [_length(one) for one in encoded]

    def batches_of(layout: Layout) -> list[list[int]]:
        return list(batches(model, encoded, layout=layout, **options))

    with in_use(model) as use, torch.no_grad():
        key = ("rollouts", frozenset(lengths), len(encoded) > 1, options["batch_size"])
        if key not in use.kept:
            found = find_layout(
                batches_of, lambda rows: _look(model, [encoded[row] for row in rows]), lambda row: lengths[row]
            )
            found.warn(type(model.module).__name__)
            use.kept[key] = found.layout
        layout: Layout = use.kept[key]
    return layout


def _look(model: Model, encoded: Sequence[Encoded]) -> list[torch.Tensor]:
    """Return the logits of the last prompt, and those after its last token once more."""
    from transformers import DynamicCache

    prompt, run = prompt_batch(model, encoded), HookBackend().forward
    common: dict[str, Any] = {"use_cache": True}
    common["past_key_values"] = DynamicCache(config=model.module.config)  # type: ignore[arg-type]
    tail = Tail(model, prompt, encoded, range(len(encoded)))
    more = [Fed(int(one.ids[-1])) for one in encoded if one.ids is not None]
    return [
        run(model, {**inputs, **common}, [], lambda output: output.logits[-1, -1].clone())
        for inputs in (prompt.inputs, tail.batch(more).inputs)
    ]


def _pads(model: Model) -> bool:
    """Return True if the model can be told of padding, and gives numbers there.

    Eager attention computes probabilities in float32, in which the mask of float64 is infinite: a padded position,
    which sees nothing, would be NaN.
    """
    open_in_double = (
        model.dtype == torch.float64 and getattr(model.module.config, "_attn_implementation", "") == "eager"
    )
    return "attention_mask" in model.forward_names and not open_in_double


def prompt_batch(model: Model, encoded: Sequence[Encoded]) -> Batch:
    """Return the batch of `encoded`, padded on the left, where new tokens can follow every row."""
    lengths = tuple(map(_length, encoded))
    width = max(lengths)
    starts = tuple(width - length for length in lengths)
    tokens = torch.zeros(len(encoded), width, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for row, one in enumerate(encoded):
        assert one.ids is not None
        tokens[row, starts[row] :] = one.ids
        mask[row, starts[row] :] = 1
    inputs: dict[str, Any] = {"input_ids": tokens.to(model.device), **join_features(model, encoded)}
    padded = min(lengths) < width
    if padded:
        inputs["attention_mask"] = mask.to(model.device)
    told = padded or any(one.axes is not None for one in encoded) or remembers(model)
    if "position_ids" in model.forward_names and told:
        inputs["position_ids"] = position_rows(encoded, starts, lengths, width).to(model.device)
    inputs |= join_aligned(model, encoded, starts, lengths, width)
    return Batch(inputs, starts, lengths, width)


@final
class Tail:
    """The rows of a batch once their prompts are in the cache: what each new position is told."""

    __slots__ = ("_device", "_mask", "_more", "_next", "_shape", "_width")

    def __init__(
        self, model: Model, prompt: Batch, encoded: Sequence[Encoded], rows: Sequence[int], *, hides: bool = False
    ) -> None:
        """Keep what follows `rows`, each the number of a prompt of the batch `prompt`; with a mask if one hides."""
        self._device, self._width = model.device, prompt.width
        chosen = torch.tensor(rows, device=model.device)
        mask = prompt.inputs.get("attention_mask")
        self._mask = mask[chosen] if mask is not None else None
        if hides and self._mask is None:
            self._mask = torch.ones(len(rows), prompt.width, dtype=torch.long, device=model.device)
        names = {name for one in encoded for name in one.aligned}
        self._more = {name: prompt.inputs[name][chosen, -1:] for name in names if _goes_on(model, prompt.inputs[name])}
        positions = prompt.inputs.get("position_ids")
        self._shape = () if positions is None or positions.ndim == 2 else (positions.shape[0],)
        self._next = (
            torch.tensor([[encoded[row].next_position] for row in rows], device=model.device)
            if hides or positions is not None
            else None
        )

    def batch(self, fed: Sequence[Fed]) -> Batch:
        """Return the batch of the next new position of every row, and move on."""
        n = len(fed)
        inputs: dict[str, Any] = {"input_ids": torch.tensor([one.token for one in fed], device=self._device)[:, None]}
        inputs |= self._more
        for row, one in enumerate(fed):
            if one.since is not None:
                self._hide(row, one.since)
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(n, 1)], dim=1)
            inputs["attention_mask"] = self._mask
        if self._next is not None:
            inputs["position_ids"] = self._next.expand(*self._shape, n, 1)
            self._next = self._next + 1
        return Batch(inputs, (0,) * n, (1,) * n, 1)

    def _hide(self, row: int, since: int) -> None:
        """Hide what a row has read from a new position on; the positions that follow are counted without that."""
        assert self._mask is not None
        assert self._next is not None
        first = 0 if since == ALL else self._width + since
        hidden = self._mask.shape[1] - first
        # A mask or a count that was handed out stays as it was.
        self._mask, self._next = self._mask.clone(), self._next.clone()
        self._mask[row, first:] = 0
        self._next[row] = 0 if since == ALL else self._next[row] - hidden

    def keep(self, rows: torch.Tensor) -> None:
        """Forget all rows but these."""
        self._more = {name: value[rows] for name, value in self._more.items()}
        self._mask = self._mask[rows] if self._mask is not None else None
        self._next = self._next[rows] if self._next is not None else None


def _goes_on(model: Model, entries: torch.Tensor) -> bool:
    """Return True if new tokens are told an argument ``(rows, tokens, ...)`` too: as for the last of the prompt.

    Types of tokens beside images are not: they say which tokens of the prompt see later ones.
    """
    return entries.ndim > 2 or not model.reads_images


def _length(encoded: Encoded) -> int:
    return encoded.length or 0
