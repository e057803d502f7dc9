"""The last matrix product, for the tokens that an outcome asks for alone.

A language model's unembedding gives one logit a token of the vocabulary. Where the outcome reads two of them, the
others are as much work as many blocks: here the module that computes them is given no positions, and its output is
replaced by the logits that are asked for. What the model does to logits afterwards, it does to these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..backends import Visit, main_tensor
from ..study import Study

MOST_OF_VOCABULARY = 0.25


def narrowed(
    study: Study, units: Sequence[int], picks: Sequence[Callable[[Tensor], Tensor]]
) -> tuple[list[Visit], Callable[[Any], Tensor]] | None:
    """Return the visits that compute only the logits that are asked for, and the function to ``(rows, outcomes)``.

    Each outcome has a product of its own, so that it has the same bits beside others as alone.

    Parameters
    ----------
    units
        Unit of each row.
    picks
        For each outcome, from the input of the unembedding ``(rows, positions, features)`` to the position that is
        read, ``(rows, 1, features)``.

    Returns
    -------
    tuple or None
        None where an outcome asks for the whole vocabulary, or for much of it, or the module is not known.
    """
    found, numbers = study.unembedding, torch.tensor(units)
    asked = [part.asked for part in study.prepared.each if part.asked is not None and part.reduce_asked]
    if found is None or len(asked) < len(picks):
        return None
    wanted = [torch.unique(one[numbers], return_inverse=True) for one in asked]
    head = study.model.module.get_submodule(found.path)
    assert isinstance(head, nn.Linear)
    if any(len(ids) > MOST_OF_VOCABULARY * head.out_features for ids, _ in wanted):
        return None
    kept: list[Tensor] = []

    def enter(hidden: Tensor) -> Tensor:
        kept[:] = [pick(hidden) for pick in picks]
        return hidden[:, :0]

    def leave(_: Tensor) -> Tensor:
        products = [_product(head, hidden, ids) for hidden, (ids, _) in zip(kept, wanted, strict=True)]
        kept.clear()
        return torch.cat(products, dim=-1)

    def finish(output: Any) -> Tensor:
        logits = getattr(output, "logits", None)
        logits = logits if isinstance(logits, Tensor) else main_tensor(output)
        assert logits is not None
        outcomes, start = [], 0
        for part, (ids, columns) in zip(study.prepared.each, wanted, strict=True):
            assert part.reduce_asked is not None
            mine = logits[:, -1, start : start + len(ids)]
            outcomes.append(part.reduce_asked(torch.gather(mine, 1, columns.to(mine.device)), numbers))
            start += len(ids)
        return torch.stack(outcomes, dim=1)

    return [Visit(found.path, "input", enter), Visit(found.path, "output", leave)], finish


def _product(head: nn.Linear, hidden: Tensor, ids: Tensor) -> Tensor:
    """Return some columns of the logits, in float32 (float64 where the model is)."""
    wide = hidden.dtype if hidden.dtype == torch.float64 else torch.float32
    ids = ids.to(head.weight.device)
    bias = None if head.bias is None else head.bias[ids].to(wide)
    return nn.functional.linear(hidden.to(wide), head.weight[ids].to(wide), bias)
