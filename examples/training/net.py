"""The model as training needs it: features of pictures, sequences of embeddings, thoughts that are fed back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision, get_vision_position_ids

from mediation.datasets import synthetic

_CHUNK = 2 * 4  # pixels of a visual token


class Net:
    """A Qwen2.5-VL model with its tokenizer, run on embeddings whose positions are known beforehand."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.text = model.model.language_model
        self._layouts: dict[tuple[int, int], tuple[Tensor, int, int]] = {}

    def token(self, name: str) -> int:
        """Return the id of a special token."""
        return int(self.tokenizer.convert_tokens_to_ids(name))

    def embed(self, ids: Tensor) -> Tensor:
        """Return embeddings of ids; padding (-1) gets those of token 0."""
        return self.text.embed_tokens(ids.clamp(min=0))

    def features(self, pixels: Tensor) -> Tensor:
        """Return visual features, ``(units, tokens, width)``, of pictures ``(units, height, width, 3)``."""
        units, height, width, _ = pixels.shape
        tower, one = self.model.model.visual, (height // 4) * (width // 4)
        turns = get_vision_position_ids(torch.tensor([[1, height // 4, width // 4]]), 2)
        states = tower.patch_embed(patches(pixels)).reshape(units, one, -1)
        cosine, sine = tower.rotary_pos_emb(states, turns)
        for block in tower.blocks:
            # The tower itself takes pictures of any size, one at a time; these are all of one size.
            three = block.attn.qkv(block.norm1(states)).reshape(units, one, 3, block.attn.num_heads, -1)
            query, key, value = three.unbind(2)
            query, key = apply_rotary_pos_emb_vision(query, key, cosine, sine)
            seen = functional.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (query, key, value)))
            states = states + block.attn.proj(seen.transpose(1, 2).flatten(2))
            states = states + block.mlp(block.norm2(states))
        return tower.merger(states.flatten(0, 1)).reshape(units, one // 4, -1)

    def prompt(self, features: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings of the prompt and its positions, ``(3, units, tokens)``."""
        units, tokens = question.shape[0], features.shape[1]
        before, after = self._around()
        ids = torch.cat([before.expand(units, -1), question, after.expand(units, -1)], dim=1)
        embedded = self.embed(ids)
        start, side = len(before) - 1, round(tokens**0.5)
        embeds = torch.cat([embedded[:, :start], features, embedded[:, start:]], dim=1)
        rows, columns = torch.arange(tokens) // side, torch.arange(tokens) % side
        place = torch.stack([torch.zeros(tokens, dtype=torch.long), rows, columns]) + start
        head = torch.arange(start).expand(3, -1)
        tail = (torch.arange(embeds.shape[1] - start - tokens) + start + side).expand(3, -1)
        positions = torch.cat([head, place, tail], dim=1)
        return embeds, positions[:, None].expand(3, units, -1)

    def run(
        self, embeds: Tensor, positions: Tensor | None = None, *, cache: Any = None, mask: Tensor | None = None
    ) -> Tensor:
        """Return the states after the final norm, ``(units, tokens, width)``."""
        if positions is None:
            positions = after(0, embeds)
        return self.text(
            inputs_embeds=embeds,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            attention_mask=mask,
        ).last_hidden_state

    def logits(self, states: Tensor) -> Tensor:
        """Return logits of the next token."""
        return self.model.lm_head(states)

    def cache(self) -> Any:
        """Return an empty cache of keys and values."""
        return DynamicCache(config=self.model.config)

    def thinks(self, state: Tensor, at: int, steps: int, cache: Any, mask: Tensor | None = None) -> Tensor:
        """Feed `steps` latents, each the last state, and return them with the state after the last one.

        Parameters
        ----------
        state
            That of the start token, ``(units, width)``.
        at
            The position of the first latent.

        Returns
        -------
        Tensor
            ``(units, steps + 1, width)``; the first `steps` are what was fed.
        """
        found = [state]
        for step in range(steps):
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            one = found[-1][:, None]
            found.append(self.run(one, after(at + step, one), cache=cache, mask=mask)[:, -1])
        return torch.stack(found, dim=1)

    def _around(self) -> tuple[Tensor, Tensor]:
        before = self.tokenizer("<|im_start|>user\n<|vision_start|><|vision_end|>")["input_ids"]
        following = self.tokenizer("<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
        return torch.tensor(before), torch.tensor(following)


def after(start: int, embeds: Tensor) -> Tensor:
    """Return text positions from `start` on for `embeds`, ``(3, units, tokens)``."""
    units, tokens = embeds.shape[:2]
    return (torch.arange(tokens) + start).expand(3, units, tokens)


def patches(pixels: Tensor) -> Tensor:
    """Return pictures as Qwen2.5-VL's processor cuts them: rows of patches, 2 x 2 patches a token together."""
    units, height, width, _ = pixels.shape
    scaled = pixels.float() / 255 * 2 - 1
    cut = scaled.reshape(units, height // 8, 2, 4, width // 8, 2, 4, 3)
    rows = cut.permute(0, 1, 4, 2, 5, 7, 3, 6)  # units, rows, columns, patch row, patch column, channel, y, x
    twice = rows[:, :, :, :, :, :, None].expand(-1, -1, -1, -1, -1, -1, 2, -1, -1)  # a still picture is two frames
    return twice.reshape(units * height * width // 16, -1)


def said(net: Net, states: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of `targets` (-1: not asked) at the states that predict them."""
    return functional.cross_entropy(net.logits(states).flatten(0, 1).float(), targets.flatten(), ignore_index=-1)


assert synthetic.CELL == _CHUNK
