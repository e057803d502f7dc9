"""A move of the size of an exchange, in a random direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from .._checks import one_of, seed_number
from ._abstract import AbstractIntervention
from ._broadcast import norms, working_dtype
from ._needs import NOTHING, RUNS, Donor, Given, Need, Noise, supplied


@final
@dataclass(frozen=True, slots=True, repr=False)
class RandomDirection(AbstractIntervention):
    r"""The activation moved as far as `Interchange` moves it, in a random direction: I(h) = h + \|d - h\| e / \|e\|.

    d is the unit's own activation in the other run and e standard normal, so e / \|e\| is uniform on the sphere
    (Muller 1959). \|.\| is the Euclidean norm over the last axis (the features), separately for each row and position.
    Where d = h, nothing changes, exactly. Norms are computed in float32 for half precisions. As a control it asks
    whether an effect is that of *this* change, or of any change of its size.

    Parameters
    ----------
    run
        Input whose activation is d: ``"other"`` (source's in a base run, base's in a source run), ``"base"``,
        ``"source"``.
    stream
        Interventions with the same stream see the same draws e; give another number for independent ones.

    Raises
    ------
    DesignError
        If `run` is not known, or `stream` is not a whole number of at least 0.

    Examples
    --------
    >>> given = {Donor("other"): torch.tensor([[3.0, 4.0]]), Noise(): torch.tensor([[0.0, -2.0]])}
    >>> RandomDirection()(torch.zeros(1, 2), given)
    tensor([[ 0., -5.]])
    """

    run: Literal["other", "base", "source"] = "other"
    stream: int = 0

    def __post_init__(self) -> None:
        one_of(self.run, tuple(run for run in RUNS if run != "same"), what="RandomDirection: run")
        seed_number(self.stream, what="RandomDirection: stream")

    def needs(self) -> frozenset[Need]:
        """Return the unit's own activation in that run, and the draws."""
        return frozenset({Donor(self.run), Noise(self.stream)})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the moved activation."""
        dtype = working_dtype(hidden)
        before = hidden.to(dtype)
        donor = supplied(Donor(self.run), hidden, given, by=self).to(dtype).expand_as(hidden)
        draws = supplied(Noise(self.stream), hidden, given, by=self).to(dtype).expand_as(hidden)
        step = norms(donor - before) / norms(draws).clamp_min(torch.finfo(dtype).tiny)
        return (before + step * draws).to(hidden.dtype)
