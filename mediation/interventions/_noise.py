"""Interventions that put in noise."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .._checks import seed_number, true_or_false
from ..errors import DesignError
from ._abstract import AbstractIntervention
from ._broadcast import norms, number_within, working_dtype
from ._needs import NOTHING, Given, Moment, Need, Noise, supplied

_STD = Moment("std")


@final
@dataclass(frozen=True, slots=True, repr=False)
class GaussianNoise(AbstractIntervention):
    r"""Normal noise, added to the activation or in its place.

    With e standard normal (independent for each number of the activation) and s = `scale`, or `scale` times the
    site's standard deviation if `relative`:

    ======== ============== ==========================================
    replace  norm_matched   I(h)
    ======== ============== ==========================================
    False    False          h + s e
    False    True           (h + s e) \|h\| / \|h + s e\|
    True     False          s e
    True     True           e \|h\| / \|e\|
    ======== ============== ==========================================

    \|.\| is the Euclidean norm over the last axis (the features), separately for each row and position. An
    activation of norm 0 stays 0 where norms are matched. `scale` 0, added, changes nothing. Sums and norms are
    computed in float32 for half precisions.

    Parameters
    ----------
    scale
        Standard deviation of the noise, in units of the activation (of the site's standard deviation if `relative`).
        In the fourth row of the table it cancels, and any positive number will do.
    relative
        Multiply `scale` by the site's standard deviation, ``Moment("std")``. It would cancel in the fourth row, and
        is refused there.
    replace
        Put the noise, which has mean zero, in the place of the activation.
    norm_matched
        Keep the norm of the activation.
    stream
        Interventions with the same stream see the same draws e; give another number for independent ones.

    Raises
    ------
    DesignError
        If `scale` is not a finite number of at least 0, or an argument would have no effect.

    Examples
    --------
    >>> noise = GaussianNoise(0.5)
    >>> noise.needs()
    frozenset({Noise(stream=0)})
    >>> noise(torch.ones(1, 2), {Noise(): torch.tensor([[2.0, -2.0]])})
    tensor([[2., 0.]])
    """

    scale: float
    relative: bool = False
    replace: bool = False
    norm_matched: bool = False
    stream: int = 0

    def __post_init__(self) -> None:
        wanted = "a finite number of at least 0"
        scale = number_within(self.scale, 0, sys.float_info.max, what="GaussianNoise: scale", wanted=wanted)
        object.__setattr__(self, "scale", scale)
        for name in ("relative", "replace", "norm_matched"):
            true_or_false(getattr(self, name), what=f"GaussianNoise: {name}")
        seed_number(self.stream, what="GaussianNoise: stream")
        if self.replace and self.norm_matched and (self.relative or scale == 0):
            found = "relative=True" if self.relative else "scale = 0"
            raise DesignError(
                f"GaussianNoise: {found} has no meaning with replace=True and norm_matched=True, where the norm of the "
                "activation sets the size of the noise. Write GaussianNoise(1.0, replace=True, norm_matched=True)."
            )

    def needs(self) -> frozenset[Need]:
        """Return the draws and, if `relative`, the site's standard deviation."""
        return frozenset({Noise(self.stream), _STD} if self.relative else {Noise(self.stream)})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the noised activation."""
        dtype = working_dtype(hidden)
        before = hidden.to(dtype)
        noise = supplied(Noise(self.stream), hidden, given, by=self).to(dtype).expand_as(hidden) * self.scale
        if self.relative:
            noise = noise * supplied(_STD, hidden, given, by=self).to(dtype)
        after = noise if self.replace else before + noise
        if self.norm_matched:
            after = after * (norms(before) / norms(after).clamp_min(torch.finfo(dtype).tiny))
        return after.to(hidden.dtype)
