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
    study: Study, units: Sequence[int], pick: Callable[[Tensor], Tensor]
) -> tuple[list[Visit], Callable[[Any], Tensor]] | None:
    """Return the visits that compute only the logits that are asked for, and the function to outcomes ``(rows,)``.

    Parameters
    ----------
    units
        Unit of each row.
    pick
        From the input of the unembedding ``(rows, positions, features)`` to the position that is read,
        ``(rows, 1, features)``.

    Returns
    -------
    tuple or None
        None where the outcome asks for the whole vocabulary, or for much of it, or the module is not known.
    """
    prepared, found = study.prepared, study.unembedding
    if found is None or prepared.asked is None or prepared.reduce_asked is None:
        return None
    ids, columns = torch.unique(prepared.asked[torch.tensor(units)], return_inverse=True)
    head = study.model.module.get_submodule(found.path)
    assert isinstance(head, nn.Linear)
    if len(ids) > MOST_OF_VOCABULARY * head.out_features:
        return None
    reduce = prepared.reduce_asked
    kept: list[Tensor] = []

    def enter(hidden: Tensor) -> Tensor:
        kept.append(pick(hidden))
        return hidden[:, :0]

    def leave(_: Tensor) -> Tensor:
        return _product(head, kept.pop(), ids)

    def finish(output: Any) -> Tensor:
        logits = getattr(output, "logits", None)
        logits = logits if isinstance(logits, Tensor) else main_tensor(output)
        assert logits is not None
        return reduce(torch.gather(logits[:, -1], 1, columns.to(logits.device)), torch.tensor(units))

    return [Visit(found.path, "input", enter), Visit(found.path, "output", leave)], finish


def _product(head: nn.Linear, hidden: Tensor, ids: Tensor) -> Tensor:
    """Return some columns of the logits, in float32 (float64 where the model is)."""
    wide = hidden.dtype if hidden.dtype == torch.float64 else torch.float32
    ids = ids.to(head.weight.device)
    bias = None if head.bias is None else head.bias[ids].to(wide)
    return nn.functional.linear(hidden.to(wide), head.weight[ids].to(wide), bias)
