"""The last matrix product, for the tokens that an outcome asks for alone.

A language model's unembedding gives one logit a token of the vocabulary. Where the outcome reads two of them, the
others are as much work as many blocks: here the module that computes them is given no positions, and its output is
replaced by the logits that are asked for. What the model does to logits afterwards, it does to these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from ..models import Model
from ._backend import Visit, main_tensor
from ._hooks import HookBackend
from ._inputs import Batch

if TYPE_CHECKING:
    from ._study import Study

_MOST_OF_VOCABULARY = 0.25
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
_HALF = 0.1


@final
@dataclass(frozen=True, slots=True)
class Unembedding:
    """Where the unembedding is: a linear module, called once, whose output is nothing but scaled or capped later.

    Attributes
    ----------
    path
        Dotted path of the module.
    """

    path: str


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
    if len(ids) > _MOST_OF_VOCABULARY * head.out_features:
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


def find_unembedding(study: Study, batch: Batch, row: tuple[str, int], full: Tensor) -> Unembedding | None:
    """Return the unembedding of a study's model, if outcomes can be read from a part of it.

    That is tried on one input: each logit that the outcome reads must be the one that the whole vocabulary gives. The
    outcome itself would not do: a difference of two logits, or an answer that is right, survives much that happens to
    logits.

    Parameters
    ----------
    batch, row
        One plain input, and its ``(run, unit)``; the outcome asks for some tokens.
    full
        Its logits ``(vocabulary,)`` where the outcome is read.
    """
    from ._reading import readout

    path, prepared = _path(study.model), study.prepared
    if path is None:
        return None
    assert prepared.asked is not None
    tried, expected = Unembedding(path), full[prepared.asked[row[1]].to(full.device)].double()
    bare = replace(study, unembedding=tried, prepared=replace(prepared, reduce_asked=lambda logits, _: logits))
    try:
        extra, visits, finish = readout(bare, batch, [row])
        if not visits:
            return None  # the outcome asks for much of the vocabulary
        found = HookBackend().forward(study.model, {**batch.inputs, **extra}, visits, finish)[0].double()
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
        return None
    apart = (found.to(expected.device) - expected).abs()
    close = apart <= _TOLERANCE.get(study.model.dtype, _HALF) * (1 + expected.abs())
    return tried if bool(close.all()) else None


def _path(model: Model) -> str | None:
    """Return the path of a plain linear unembedding on this device; None for one that is wrapped in any way."""
    getter = getattr(model.module, "get_output_embeddings", None)
    try:
        head = getter() if callable(getter) else None
    except (NotImplementedError, AttributeError):
        return None
    if type(head) is not nn.Linear or head.weight.device.type == "meta" or head._forward_hooks:
        return None
    if head._forward_pre_hooks or hasattr(head, "_hf_hook"):
        return None
    return next((path for path, module in model.module.named_modules() if module is head), None)
