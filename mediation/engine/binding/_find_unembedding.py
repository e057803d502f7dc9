"""Which module is the unembedding, tried on one input before outcomes are read from a part of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ...models import Model
from ..backends import HookBackend
from ..passes import Batch, readout
from ..study import Study, Unembedding

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
_HALF = 0.1


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
