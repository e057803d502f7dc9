"""One batch forward and backward: activations at some stops, and the gradients of the outcomes there.

Plain forward hooks with gradients on, apart from the backends, which run without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ...errors import OutcomeError, SiteError
from ...models import Model, in_use, said
from ..backends import HookBackend, Visit, attached, call
from ..passes import Batch, Row, reading, reference_logits
from ..study import Side, Study

Stop = tuple[str, str]
Tensors = dict[Stop, Tensor]

_GRAPH = 2**30  # bytes of activations that one pass keeps for its way back, on a CPU
_SHARE_OF_FREE = 0.4


@final
@dataclass(frozen=True, slots=True, eq=False)
class Differentiated:
    """One batch that has run.

    Attributes
    ----------
    batch
        What ran.
    activations
        By stop: path and side of a module.
    gradients
        Gradient of each row's outcome at every stop; empty where it was not asked for.
    outcomes
        ``(rows,)``, float64.
    """

    batch: Batch
    activations: Tensors
    gradients: Tensors
    outcomes: Tensor


def differentiate(
    study: Study,
    batch: Batch,
    rows: Sequence[tuple[str, int]],
    stops: Sequence[Stop],
    *,
    slopes: bool = True,
    put: tuple[Stop, Tensor] | None = None,
    side: Side = "left",
) -> Differentiated:
    """Run a batch forward and, for `slopes`, backward.

    Parameters
    ----------
    rows
        ``(run, unit)`` of each row.
    stops
        Where activations and gradients are kept.
    put
        A stop, and the activation that the model goes on with there.

    Raises
    ------
    OutcomeError
        If the outcome has no gradient.
    SiteError
        If an activation holds whole numbers, or no gradient reaches it.
    """
    kept: Tensors = {}
    visits = [] if put is None else [Visit(*put[0], lambda _: put[1])]  # type: ignore[arg-type]
    visits += [Visit(*stop, _keeper(kept, stop, slopes=slopes)) for stop in stops]  # type: ignore[arg-type]
    extra, finish = reading(study, batch, rows, _reference(study, rows, side))
    with _hooked(study.model.module, visits), torch.set_grad_enabled(slopes):
        outcomes = finish(call(study.model.module, {**batch.inputs, **extra}))[:, 0]
    gradients = _gradients(study, outcomes, kept) if slopes else {}
    activations = {stop: tensor.detach() for stop, tensor in kept.items()}
    return Differentiated(batch, activations, gradients, outcomes.detach().double().cpu())


def _reference(study: Study, rows: Sequence[tuple[str, int]], side: Side) -> Tensor | None:
    if not study.prepared.uses_reference:
        return None
    with torch.no_grad():
        return reference_logits(study, HookBackend(), [Row(-1, "base", unit, 0) for _, unit in rows], side=side)


def _gradients(study: Study, outcomes: Tensor, kept: Tensors) -> Tensors:
    """Return the gradients of the outcomes at every stop; rows do not mix, so that of their sum is each row's."""
    label = study.prepared.label
    if not outcomes.requires_grad:
        raise OutcomeError(
            f"The outcome {label} has no gradient at these sites, and attribution scores are made of it. Either small "
            "changes of the output do not move it, as with an accuracy, or it does not depend on the sites. Screen by "
            "such as med.LogitDiff('answer', 'foil') or med.LogProb('answer'), or patch every site."
        )
    found = torch.autograd.grad(outcomes.sum(), list(kept.values()), allow_unused=True)
    given: Tensors = {}
    for (path, io), one in zip(kept, found, strict=True):
        if one is None:
            raise SiteError(
                f"No gradient of {label} reaches the {io} of {path!r}: nothing that the outcome reads depends on it, "
                "or the model stops gradients there. Leave it out, or patch without a screen."
            )
        given[(path, io)] = one
    return given


def _keeper(kept: Tensors, stop: Stop, *, slopes: bool) -> Callable[[Tensor], Tensor | None]:
    """Return a visit that keeps an activation, and where gradients are asked begins or goes on with the graph.

    The model goes on with a copy, so that what it changes in place is not what was kept.
    """

    def see(tensor: Tensor) -> Tensor | None:
        if not tensor.is_floating_point():
            raise SiteError(
                f"The {stop[1]} of {stop[0]!r} holds whole numbers, which have no gradient. Name a site after them, "
                "such as med.embedding()."
            )
        if not slopes:
            kept[stop] = tensor.clone()
            return None
        kept[stop] = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
        return kept[stop].clone()

    return see


@contextmanager
def _hooked(module: nn.Module, visits: Sequence[Visit]) -> Iterator[None]:
    """Attach visits, and let no parameter ask for a gradient, so that none of their graph is kept."""
    asking = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        with in_use(module), attached(module, visits):
            yield
    finally:
        for parameter in asking:
            parameter.requires_grad_()


def tokens_with_gradients(model: Model) -> int:
    """Return how many tokens one pass should hold when all of its activations are kept for the way back."""
    config = getattr(model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    hidden = said(config, "hidden_size") or 1024
    inner = said(config, "intermediate_size") or 4 * hidden
    layers = said(config, "num_hidden_layers") or 12
    budget = _GRAPH
    if model.device.type == "cuda":
        budget = int(_SHARE_OF_FREE * torch.cuda.mem_get_info(model.device)[0])
    return max(64, budget // (layers * (16 * hidden + 6 * inner) * torch.finfo(model.dtype).bits // 8))
