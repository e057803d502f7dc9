"""Modules whose potential outcomes Y(x, m) are known in closed form.

Each module computes its output by submodules, which are the sites, and states the truth apart from that, in
plain arithmetic: `mediators_of` is M(x) and `outcome_of` is Y(x, m).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from .._checks import called, elements, listed, number, one_of
from ..errors import DesignError
from ..outcomes import outcome


@outcome
def first_output(output: Tensor) -> Tensor:
    """Return the first column of a module's output: the outcome of every model here."""
    return output[:, 0]


class AbstractClosedForm(nn.Module, ABC):
    """A module from ``(n, features)`` to ``(n, 1)`` with known potential outcomes.

    Mediators are numbers; none of them listens to another one, so those that are not intervened on have the
    value that the running input gives them.
    """

    @property
    @abstractmethod
    def sites(self) -> tuple[str, ...]:
        """Paths of the submodules whose outputs, ``(n, 1)``, are the mediators."""

    @abstractmethod
    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return M(x), ``(n, len(sites))``."""

    @abstractmethod
    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return Y(x, m), ``(n,)``, for inputs ``(n, features)`` and mediators ``(n, len(sites))``."""

    def potential_outcomes(
        self, base: Tensor, source: Tensor, through: Sequence[str] | None = None
    ) -> dict[str, Tensor]:
        """Return ``y00``, ``y01``, ``y10`` and ``y11``, each ``(n,)``.

        Parameters
        ----------
        base, source
            Inputs, ``(n, features)``.
        through
            Sites that are the mediator, jointly; None for all of them.

        Raises
        ------
        DesignError
            If a site is not one of `sites`.

        Examples
        --------
        >>> import torch
        >>> from mediation.testing import Gate
        >>> worlds = Gate("and").potential_outcomes(torch.zeros(1, 2), torch.ones(1, 2), through=["first"])
        >>> {name: float(value) for name, value in worlds.items()}
        {'y00': 0.0, 'y01': 0.0, 'y10': 0.0, 'y11': 1.0}
        """
        chosen = self._chosen(through)
        for what, given in (("base", base), ("source", source)):
            _check_inputs(given, what)
        mask = torch.tensor([site in chosen for site in self.sites])
        inputs = (base, source)
        return {
            f"y{x}{m}": self.outcome_of(
                inputs[x], torch.where(mask, self.mediators_of(inputs[m]), self.mediators_of(inputs[x]))
            )
            for x in (0, 1)
            for m in (0, 1)
        }

    def ablated(self, inputs: Tensor, value: float, through: Sequence[str] | None = None) -> Tensor:
        """Return Y(x, m*), ``(n,)``: the mediators in `through` (None for all) set to `value`."""
        chosen = self._chosen(through)
        _check_inputs(inputs, "inputs")
        value = number(value, what="value")
        mask = torch.tensor([site in chosen for site in self.sites])
        return self.outcome_of(inputs, torch.where(mask, torch.tensor(value).to(inputs), self.mediators_of(inputs)))

    def _chosen(self, through: Sequence[str] | None) -> tuple[str, ...]:
        """Return the sites that are the mediator."""
        if through is None:
            return self.sites
        chosen = tuple(elements(through, what="through", needed=f"a list of sites, of {listed(self.sites)},"))
        for site in chosen:
            one_of(site, self.sites, what="a site of through")
        return chosen


def _linear(*weights: float) -> nn.Linear:
    """Return the map from ``(n, len(weights))`` to the weighted sum ``(n, 1)``."""
    layer = nn.Linear(len(weights), 1, bias=False, device="meta")  # so that no random number is drawn
    layer.weight = nn.Parameter(torch.tensor([weights]))
    return layer


def _check_inputs(given: object, what: str) -> None:
    if not isinstance(given, Tensor) or given.ndim != 2:
        found = f"of shape {tuple(given.shape)}" if isinstance(given, Tensor) else called(given)
        raise DesignError(f"{what} is {found}; a tensor (n, features) is needed.")


def _numbers(given: object, what: str) -> tuple[float, ...]:
    what = f"ParallelMediators: {what}"
    found = elements(given, what=what, needed="a list of numbers, one a mediator,")
    return tuple(number(one, what=f"a number of {what}") for one in found)


@final
class LinearInteraction(AbstractClosedForm):
    """Linear in the input and the mediator, with an interaction: Y(x, m) = d x + b m + c x m, M(x) = a x.

    From x0 to x1, with the difference D = x1 - x0: PNIE = (b + c x0) a D, TNIE = (b + c x1) a D,
    PNDE = (d + c a x0) D, TNDE = (d + c a x1) D, INTmed = c a D^2, CDE(m*) = (d + c m*) D.

    Parameters
    ----------
    a
        Effect of the input on the mediator.
    d, b, c
        Weights of the input, of the mediator and of their product. With ``b = c = 0`` the mediator moves and
        nothing reads it, so that its indirect effects are 0.

    Examples
    --------
    >>> import torch
    >>> LinearInteraction(a=2, d=3, b=4, c=5)(torch.ones(1, 1))
    tensor([[21.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, a: float = 2.0, d: float = 3.0, b: float = 4.0, c: float = 5.0) -> None:
        super().__init__()
        named = {"a": a, "d": d, "b": b, "c": c}
        a, d, b, c = (number(value, what=f"LinearInteraction: {name}") for name, value in named.items())
        self.weights = (a, d, b, c)
        self.mediator = _linear(a)
        self.direct, self.indirect, self.interaction = _linear(d), _linear(b), _linear(c)

    sites = ("mediator",)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return Y(x, M(x)), ``(n, 1)``."""
        mediator = self.mediator(inputs)
        output: Tensor = self.direct(inputs) + self.indirect(mediator) + self.interaction(inputs * mediator)
        return output

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return a x."""
        return self.weights[0] * inputs

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return d x + b m + c x m."""
        _, d, b, c = self.weights
        x, m = inputs[:, 0], mediators[:, 0]
        return d * x + b * m + c * x * m


@final
class ParallelMediators(AbstractClosedForm):
    """Mediators side by side, without interaction: Y(x, m) = d x + sum_k b_k m_k, M_k(x) = a_k x.

    PNIE = TNIE = b_k a_k D for mediator k alone, so the joint effect is the sum, and TE is that plus d D.

    Parameters
    ----------
    gains
        Effects of the input on the mediators, a_k.
    weights
        Weights of the mediators, b_k.
    direct
        Weight of the input, d.

    Examples
    --------
    >>> ParallelMediators(gains=(1.0, 2.0), weights=(3.0, 4.0)).sites
    ('mediators.0', 'mediators.1')
    """

    def __init__(
        self, gains: Sequence[float] = (1.0, -2.0, 0.5), weights: Sequence[float] = (3.0, 4.0, 0.0), direct: float = 5.0
    ) -> None:
        super().__init__()
        gains, weights = (_numbers(given, what) for what, given in (("gains", gains), ("weights", weights)))
        if len(gains) != len(weights) or not gains:
            raise DesignError(f"ParallelMediators: {len(gains)} gains and {len(weights)} weights; as many are needed.")
        self.gains, self.weights, self.slope = gains, weights, number(direct, what="ParallelMediators: direct")
        self.mediators = nn.ModuleList(_linear(float(gain)) for gain in gains)
        self.readers = nn.ModuleList(_linear(float(weight)) for weight in weights)
        self.direct = _linear(self.slope)

    @property
    def sites(self) -> tuple[str, ...]:
        """The mediators."""
        return tuple(f"mediators.{index}" for index in range(len(self.gains)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return Y(x, M(x)), ``(n, 1)``."""
        output: Tensor = self.direct(inputs)
        for mediator, reader in zip(self.mediators, self.readers, strict=True):
            output = output + reader(mediator(inputs))
        return output

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return a_k x."""
        return inputs * torch.tensor(self.gains).to(inputs)

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return d x + sum_k b_k m_k."""
        total = self.slope * inputs[:, 0]
        for index, weight in enumerate(self.weights):
            total = total + weight * mediators[:, index]
        return total


@final
class SharedNoise(AbstractClosedForm):
    """Noise u of the unit in the mediator and in the outcome: M(x) = a x + u, Y(x, m) = d x + b m + u.

    The input is ``(x, u)``. A unit keeps its u in every world, so its effects do not depend on it:
    PNIE = TNIE = b a D and PNDE = d D exactly, though mediator and outcome are confounded by u.

    Parameters
    ----------
    a
        Effect of x on the mediator.
    d, b
        Weights of x and of the mediator.

    Examples
    --------
    >>> import torch
    >>> SharedNoise(a=2, d=3, b=4).outcome_of(torch.tensor([[1.0, 10.0]]), torch.tensor([[5.0]]))
    tensor([33.])
    """

    def __init__(self, a: float = 2.0, d: float = 3.0, b: float = 4.0) -> None:
        super().__init__()
        named = {"a": a, "d": d, "b": b}
        a, d, b = (number(value, what=f"SharedNoise: {name}") for name, value in named.items())
        self.weights = (a, d, b)
        self.mediator, self.direct, self.reader = _linear(a, 1.0), _linear(d, 1.0), _linear(b)

    sites = ("mediator",)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return Y(x, M(x)), ``(n, 1)``."""
        output: Tensor = self.direct(inputs) + self.reader(self.mediator(inputs))
        return output

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return a x + u."""
        return (self.weights[0] * inputs[:, 0] + inputs[:, 1])[:, None]

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return d x + b m + u."""
        _, d, b = self.weights
        return d * inputs[:, 0] + b * mediators[:, 0] + inputs[:, 1]


@final
class TraitGate(AbstractClosedForm):
    """A mediator that only suits its own unit: M(x) = x XOR c, Y(x, m) = x AND (m XOR c), c a trait of the unit.

    The input is ``(x, c)``. From x = 0 to x = 1 every unit has TNIE = TE = 1. With the mediator of a random unit
    instead, where c = 1 in half of them, IIE = 0 and OE = 1/2: natural and interventional effects are not the same.

    Examples
    --------
    >>> import torch
    >>> TraitGate()(torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])).flatten().tolist()
    [0.0, 1.0, 1.0]
    """

    def __init__(self) -> None:
        super().__init__()
        self.mediator = _Xor()

    sites = ("mediator",)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return Y(x, M(x)), ``(n, 1)``."""
        x, trait = inputs[:, :1], inputs[:, 1:]
        mediator = self.mediator(inputs)
        output: Tensor = x * (mediator + trait - 2 * mediator * trait)
        return output

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return x XOR c."""
        return (inputs[:, :1].bool() ^ inputs[:, 1:].bool()).to(inputs)

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return x AND (m XOR c)."""
        bits = inputs.bool()
        return (bits[:, 0] & (mediators[:, 0].bool() ^ bits[:, 1])).to(inputs)


@final
class _Xor(nn.Module):
    """XOR of two bits, as a polynomial in them."""

    def forward(self, bits: Tensor) -> Tensor:
        one, other = bits[:, :1], bits[:, 1:]
        return one + other - 2 * one * other
