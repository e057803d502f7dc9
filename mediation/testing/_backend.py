"""Is a backend right? Its numbers against one plain forward pass per world."""

from __future__ import annotations

from typing import Literal

import torch

from .._checks import number, shown
from ..engine import AbstractBackend, Execution, Reference, World, make_study, progress_for, run_study
from ..errors import BackendError, DesignError
from ..interventions import Add, Assignment, Interchange, Mean
from ..models import load
from ..outcomes import LogitDiff
from ..sites import Site, SiteSet, attention, embedding, mlp, neurons, pattern, residual
from ..units import Pairs
from ._tiny import tiny_model

_LENGTHS = (5, 7, 7, 6)
_SITES: tuple[Site, ...] = (
    embedding(at=2),
    residual(0, at="last"),
    residual(1, at=1, units=(0, 3)),
    mlp(0),
    attention(1),
    attention(0, head=2, at=(0, -1)),
    pattern(1, head=1, at="last"),
    pattern(1, head=3, at="last"),
    neurons(1, (0, 5)),
    Site("model.layers.1.self_attn", io="input"),
    Site("model.norm", at=-2),
)


def check_backend(backend: AbstractBackend, *, tolerance: float = 1e-5) -> None:
    """Check that a backend gives the numbers of one plain forward pass per world, input by input.

    A tiny random Llama is run on inputs of three lengths: interventions at sites of every kind, alone and together,
    padded on either side, in batches and one by one, with and without the growing batch of layer sweeps.

    Parameters
    ----------
    backend
        The backend.
    tolerance
        Largest difference of an outcome that passes; outcomes are of the size of 1.

    Raises
    ------
    DesignError
        If `backend` is not an `AbstractBackend`.
    BackendError
        If a number differs: which world, unit and manner of running, and both values.

    Examples
    --------
    >>> from mediation.engine import HookBackend
    >>> check_backend(HookBackend())
    """
    if not isinstance(backend, AbstractBackend):
        raise DesignError(
            f"check_backend({shown(backend)}): an instance of a subclass of mediation.engine.AbstractBackend is needed."
        )
    number(tolerance, what="check_backend: tolerance", least=0)
    study = make_study(load(tiny_model("llama")), _pairs(), _worlds(), LogitDiff(5, 6), seed=0)
    reference = Reference(study)
    expected = [[reference.outcomes(world, unit)[0] for unit in range(len(_LENGTHS))] for world in study.worlds]
    sides: tuple[Literal["left", "right"], ...] = ("left", "right")
    for execution in (
        *(Execution(backend=backend, padding_side=side, fan_out=False, checks=0) for side in sides),
        Execution(backend=backend, batch_size=1, fan_out=False, checks=0),
        Execution(backend=backend, checks=0),
    ):
        values = run_study(study, execution, progress_for(False)).values[:, :, 0]
        for index, world in enumerate(study.worlds):
            for unit, wanted in enumerate(expected[index]):
                if not abs(values[index, unit] - wanted) <= tolerance:
                    raise BackendError(
                        f"The backend {backend.name!r} gave {values[index, unit]:.6g} for unit {unit} in {world}, and "
                        f"one plain forward pass gives {wanted:.6g} (padding_side={execution.padding_side!r}, "
                        f"batch_size={execution.batch_size}, fan_out={execution.fan_out})."
                    )


def _pairs() -> Pairs:
    generator = torch.Generator().manual_seed(1)
    base = [torch.randint(3, 500, (length,), generator=generator) for length in _LENGTHS]
    source = [torch.randint(3, 500, (length,), generator=generator) for length in _LENGTHS]
    return Pairs(base=base, source=source)


def _worlds() -> list[World]:
    """Return worlds that exchange every site, together and alone, in either input, and some that read other units."""
    alone = [Interchange().at(site) for site in _SITES]
    sweep = [Interchange().at(residual(layer, at=at)) for layer in (0, 1) for at in (1, "last")]
    together = Assignment(tuple((site, Interchange()) for site in _SITES))
    moved = Mean(over="tokens").at(mlp(0)) | Add(1.0).at(SiteSet((residual(1, at=0), attention(1, at=1))))
    return [
        World("base"),
        World("source"),
        *(World("base", one) for one in (*alone, *sweep, together, moved)),
        World("source", together),
    ]
