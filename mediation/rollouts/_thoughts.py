"""Thoughts of plain runs: what was fed or written, kept so that it can be put into another run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..engine.study import donor_units
from ..errors import DesignError
from ..interventions import Donor, Moment
from ..models import Model
from ..specs import LatentSpec, Spec, TextSpec
from ..units import Pairs
from ._row import Row
from ._spans import written_thoughts

Key = tuple[str, int, int]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Thought:
    """The thoughts of one run of one unit, in order.

    Attributes
    ----------
    latents
        ``(steps, hidden)`` each, in the model's dtype and on its device.
    texts
        Written thoughts, with the blanks beside the markers.
    bodies
        Their tokens, the end marker included; empty where the end marker is missing.
    """

    latents: tuple[Tensor, ...] = ()
    texts: tuple[str, ...] = ()
    bodies: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return max(len(self.latents), len(self.texts))


def thought_of(row: Row, prompt_ids: list[int], model: Model, spec: Spec | None) -> Thought:
    """Return the thoughts of a row that has been decoded."""
    if isinstance(spec, LatentSpec):
        width = int(model.module.get_input_embeddings().weight.shape[-1])  # type: ignore[operator]
        nothing = torch.zeros(0, width, dtype=model.dtype, device=model.device)
        return Thought(latents=tuple(torch.stack(steps) if steps else nothing for steps in row.latents))
    if isinstance(spec, TextSpec):
        texts, bodies = written_thoughts(model.tokenizer, prompt_ids, row.text_ids(), spec)
        return Thought(texts=texts, bodies=bodies)
    return Thought()


@final
class Thoughts:
    """The thoughts of all plain runs of a study, by run, unit and draw; without sampling, there is one draw."""

    __slots__ = ("_donors", "_held", "_moments", "_pairs", "_pools", "_sampled", "_seed")

    def __init__(self, pairs: Pairs, seed: int, *, sampled: bool = False) -> None:
        self._pairs = pairs
        self._seed = seed
        self._sampled = sampled
        self._donors: dict[tuple[Donor, int], list[int]] = {}
        self._held: dict[Key, Thought] = {}
        self._pools: dict[str, tuple[str, ...]] = {}
        self._moments: dict[tuple[Moment, str, int], Tensor] = {}

    @property
    def seed(self) -> int:
        """Seed of noise and donors."""
        return self._seed

    def put(self, run: str, unit: int, draw: int, thought: Thought) -> None:
        """Keep one."""
        self._held[run, unit, draw] = thought

    def get(self, run: str, unit: int, draw: int) -> Thought:
        """Return one; without thoughts if it was not run."""
        return self._held.get((run, unit, draw if self._sampled else 0), Thought())

    def donor(self, need: Donor, unit: int, draw: int) -> int:
        """Return the unit that gives its thought to `unit`."""
        if need.unit == "own":
            return unit
        key = (need, draw)
        if key not in self._donors:
            self._donors[key] = donor_units(need, self._pairs, seed=self._seed, draw=draw).tolist()
        return self._donors[key][unit]

    def pool(self, run: str) -> tuple[str, ...]:
        """Return every written thought of a run, without the blanks beside the markers."""
        if run not in self._pools:
            thoughts = [thought for (of, _, _), thought in self._in_order() if of == run]
            self._pools[run] = tuple(text.strip() for thought in thoughts for text in thought.texts)
        return self._pools[run]

    def _in_order(self) -> list[tuple[Key, Thought]]:
        return [(key, self._held[key]) for key in sorted(self._held)]

    def moment(self, need: Moment, run: str, segment: int) -> Tensor:
        """Return a mean by step ``(steps, hidden)``, one over steps ``(1, hidden)``, or a standard deviation ``()``.

        A mean by step is over the units that have that step. A changed run may open one more thought than any plain run
        has: it takes the moment of the last one that some unit has.

        Raises
        ------
        DesignError
            If no unit has a thought in that run.
        """
        key = (need, run, segment)
        if key not in self._moments:
            held = next(filter(None, (self._latents(run, one) for one in range(segment, -1, -1))), None)
            if held is None:
                raise DesignError(f"No unit has a latent thought in its {run} run, so there is no {need.kind}.")
            self._moments[key] = _moment(need, held)
        return self._moments[key]

    def _latents(self, run: str, segment: int) -> list[Tensor]:
        """Return a thought of every unit that has it, ``(steps, hidden)`` each."""
        return [
            thought.latents[segment].double()
            for (of, _, _), thought in self._in_order()
            if of == run and len(thought.latents) > segment and len(thought.latents[segment])
        ]


def _moment(need: Moment, held: list[Tensor]) -> Tensor:
    together = torch.cat(held)
    if need.kind == "std":
        return together.var(dim=0, unbiased=False).mean().sqrt()
    if need.over == "tokens":
        return together.mean(dim=0, keepdim=True)
    steps = max(len(one) for one in held)
    return torch.stack([torch.stack([one[step] for one in held if len(one) > step]).mean(0) for step in range(steps)])
