"""Players that carry one bit each: gates of two, and cooperative games, whose worths are effects of sets of sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Literal, final

import torch
from torch import Tensor, nn

from .._checks import number, one_of, positive_int, shown
from ..errors import DesignError
from ..interventions import AbstractIntervention
from ._closed_forms import AbstractClosedForm, _linear

_MOST_PLAYERS, _WHY = 16, "Worths are as many as sets of players, 2 ** n_players."


@final
class Gate(AbstractClosedForm):
    """A gate of two bits, each carried by a mediator of its own: Y(m1, m2) = m1 AND m2, OR, or XOR.

    From (0, 0) to (1, 1), one mediator at a time: AND has PNIE 0 + 0, TNIE 1 + 1 and a joint effect of 1; OR has
    PNIE 1 + 1 and TNIE 0 + 0; XOR has PNIE 1 + 1, TNIE -1 - 1 and a joint effect of 0. So effects of single
    sites do not add up to that of the set.

    Parameters
    ----------
    kind
        ``"and"``, ``"or"`` or ``"xor"``.

    Examples
    --------
    >>> import torch
    >>> bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> Gate("xor")(bits).flatten().tolist()
    [0.0, 1.0, 0.0]
    """

    def __init__(self, kind: Literal["and", "or", "xor"] = "and") -> None:
        super().__init__()
        self.kind = one_of(kind, ("and", "or", "xor"), what="Gate")
        self.first, self.second = _linear(1.0, 0.0), _linear(0.0, 1.0)

    sites = ("first", "second")

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the gate of both bits, ``(n, 1)``, as a polynomial in them."""
        one: Tensor = self.first(inputs)
        other: Tensor = self.second(inputs)
        both = one * other
        if self.kind == "and":
            return both
        return one + other - both if self.kind == "or" else one + other - 2 * both

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return the bits."""
        return inputs

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return the entry of the truth table; the input itself is not read."""
        one, other = mediators.bool().T
        table: dict[str, Tensor] = {"and": one & other, "or": one | other, "xor": one ^ other}
        return table[self.kind].to(inputs)


@final
class CooperativeGame(AbstractClosedForm):
    """A game of k players, each a mediator that carries one bit: Y(m) = size of the unit * v({i: m_i = 1}).

    The input is the k bits and the size of the unit. From (0, ..., 0, size) to (1, ..., 1, size) the effect of patching
    the sites of S together is size * v(S) (denoising), so joint, single and Shapley effects are those of the game.

    Parameters
    ----------
    n_players
        Number of players k; sites are called ``players.0`` and so on.
    worth
        From a set of players (numbers from 0) to its worth v(S); the empty set is worth 0.

    Examples
    --------
    >>> gloves = CooperativeGame(3, lambda players: min(len(players & {0, 1}), len(players & {2})))
    >>> gloves(torch.tensor([[1.0, 0.0, 1.0, 2.0], [1.0, 1.0, 0.0, 2.0]])).flatten().tolist()
    [2.0, 0.0]
    """

    def __init__(self, n_players: int, worth: Callable[[frozenset[int]], float]) -> None:
        super().__init__()
        k = positive_int(n_players, what="CooperativeGame: n_players", most=_MOST_PLAYERS, why=_WHY)
        if not callable(worth) or isinstance(worth, (type, nn.Module, AbstractIntervention)):
            raise DesignError(
                f"CooperativeGame: worth = {shown(worth)}: a function from a set of players to a number is needed."
            )
        self.worths = {
            frozenset(chosen): number(worth(frozenset(chosen)), what="CooperativeGame: what worth returns")
            for size in range(k + 1)
            for chosen in combinations(range(k), size)
        }
        self.dividends = _dividends(self.worths, k)
        self.players = nn.ModuleList(_linear(*[float(i == j) for j in range(k)], 0.0) for i in range(k))
        self.size = _linear(*[0.0] * k, 1.0)

    @property
    def sites(self) -> tuple[str, ...]:
        """The players."""
        return tuple(f"players.{i}" for i in range(len(self.players)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return size * v, ``(n, 1)``, as a sum over coalitions of what each adds to its parts (Harsanyi dividends)."""
        bits = [player(inputs) for player in self.players]
        size: Tensor = self.size(inputs)
        total = torch.zeros_like(size)
        for coalition, dividend in self.dividends.items():
            term = size * dividend
            for i in coalition:
                term = term * bits[i]
            total = total + term
        return total

    def mediators_of(self, inputs: Tensor) -> Tensor:
        """Return the bits."""
        return inputs[:, :-1]

    def outcome_of(self, inputs: Tensor, mediators: Tensor) -> Tensor:
        """Return size * v(players whose bit is 1), from the table of worths."""
        present = [frozenset(i for i, bit in enumerate(row) if bit) for row in mediators.bool().tolist()]
        return inputs[:, -1] * torch.tensor([self.worths[one] for one in present]).to(inputs)


def _dividends(worths: Mapping[frozenset[int], float], k: int) -> dict[frozenset[int], float]:
    """Return what each coalition adds to the sum over its parts (Moebius transform), where that is not 0."""
    found = dict(worths)
    for player in range(k):
        for coalition in found:
            if player in coalition:
                found[coalition] -= found[coalition - {player}]
    return {coalition: dividend for coalition, dividend in found.items() if dividend != 0.0}
