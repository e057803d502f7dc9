"""Interventions inside a linear subspace of the features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast, final

import torch
from torch import Tensor

from .._checks import true_or_false
from .._values import Value
from ..errors import DesignError
from ._abstract import AbstractIntervention, an_intervention
from ._broadcast import Numbers, numbers, working_dtype
from ._constant import Zero
from ._needs import NOTHING, Given, Need

_LEAST_INDEPENDENCE = 1e-6
"""Smallest singular value of the unit-length directions at which they count as independent."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Subspace(AbstractIntervention):
    """An intervention inside a subspace, nothing outside it: h + (I(h) - h) P.

    P = Q Q' is the orthogonal projector onto the span of `basis`, with Q from a QR decomposition in double precision
    (the subspace interchange of Geiger et al. 2024). The sum is computed in float32 for half precisions.

    Parameters
    ----------
    basis
        Directions, (k, features) with k <= features, linearly independent; they need be neither orthogonal nor of
        length one.
    inside
        Intervention I: ``Interchange()`` takes this subspace from the other run, ``Zero()`` projects it out.
    complement
        Act in the orthogonal complement of the span instead (P becomes 1 - P). ``Subspace.keep`` uses it.

    Raises
    ------
    DesignError
        If the directions are not linearly independent (a singular value of the directions, each scaled to length one,
        is below 1e-6), or when called on an activation with another number of features.

    Examples
    --------
    >>> Subspace([[2.0, 0.0]], Zero())(torch.tensor([[3.0, 1.0]]))
    tensor([[0., 1.]])
    >>> Subspace.keep([[2.0, 0.0]])(torch.tensor([[3.0, 1.0]]))
    tensor([[3., 0.]])
    """

    basis: Numbers
    inside: AbstractIntervention
    complement: bool = False
    orthonormal: Tensor = field(init=False, repr=False, compare=False)
    """Orthonormal directions with the same span, (features, k), float64."""

    def __post_init__(self) -> None:
        basis = numbers(self.basis, what="Subspace: basis")
        an_intervention(self.inside, what="Subspace: inside")
        true_or_false(self.complement, what="Subspace: complement")
        object.__setattr__(self, "basis", basis)
        object.__setattr__(self, "orthonormal", _orthonormal(basis))

    @classmethod
    def keep(cls, basis: Numbers) -> Subspace:
        """Return the intervention that keeps only the subspace: I(h) = h P.

        Parameters
        ----------
        basis
            Directions, (k, features), linearly independent.
        """
        return cls(basis, Zero(), complement=True)

    def needs(self) -> frozenset[Need]:
        """Return what `inside` needs."""
        return self.inside.needs()

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return `hidden` with the part inside the subspace replaced."""
        features = self.orthonormal.shape[0]
        if not hidden.ndim or hidden.shape[-1] != features:
            raise DesignError(
                f"Subspace: the basis has {features} features, and the activation's shape is {tuple(hidden.shape)}. "
                "Give directions with as many features as its last axis."
            )
        dtype = working_dtype(hidden)
        directions = self.orthonormal.to(dtype=dtype, device=hidden.device)
        before = hidden.to(dtype)
        change = self.inside(hidden, given).to(dtype) - before
        part = change @ directions @ directions.T
        return (before + (change - part if self.complement else part)).to(hidden.dtype)


def _orthonormal(basis: Value) -> Tensor:
    tensor: Tensor = basis.data
    if tensor.ndim != 2 or not tensor.numel():
        raise DesignError(
            f"Subspace: basis has shape {basis.shape}; (k, features) is needed, one direction a row, "
            "such as [[1.0, 0.0]]."
        )
    k, features = tensor.shape
    lengths = torch.linalg.vector_norm(tensor, dim=1, keepdim=True)
    if k > features or not bool((lengths > 0).all()):
        rank = int(torch.linalg.matrix_rank(tensor))
        raise _dependent(k, features, rank)
    unit = tensor / lengths
    rank = int((torch.linalg.svdvals(unit) >= _LEAST_INDEPENDENCE).sum())
    if rank < k:
        raise _dependent(k, features, rank)
    orthonormal, _ = torch.linalg.qr(unit.T, mode="reduced")
    return cast("Tensor", orthonormal)


def _dependent(k: int, features: int, rank: int) -> DesignError:
    return DesignError(
        f"Subspace: the {k} directions of {features} features span only {rank}. "
        "Leave out directions that are zero or a combination of the others."
    )
