"""Several outcomes of the same runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from .._checks import listed
from ..errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared

Outcomes: TypeAlias = AbstractOutcome | Sequence[AbstractOutcome] | Mapping[str, AbstractOutcome]


@final
@dataclass(frozen=True, slots=True)
class Several(AbstractOutcome):
    """Outcomes that are read in the same runs: `grouped` says which can be.

    Parameters
    ----------
    outcomes
        The outcomes.

    Examples
    --------
    >>> from mediation import KL, LogitDiff
    >>> len(Several((LogitDiff(" Paris", " Rome"), KL())).outcomes)
    2
    """

    outcomes: tuple[AbstractOutcome, ...]

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind each to units and model."""
        return _joined([one.prepare(pairs, model) for one in self.outcomes])


def _joined(parts: Sequence[Prepared]) -> Prepared:
    if len({part.continuation for part in parts} - {None}) > 1:
        raise OutcomeError(
            f"{listed(part.label for part in parts)} append different tokens to an input, so they cannot be read in "
            "the same runs. Give them as a list, outcome=[...], which runs them apart."
        )

    def reduce(output: Any, units: Tensor, reference: Tensor | None) -> Tensor:
        return torch.stack([part.read(output, units, reference) for part in parts], dim=1)

    return Prepared(
        label="; ".join(part.label for part in parts),
        cue=parts[0].cue,
        reduce=reduce,
        at=next((part.at for part in parts if part.at != "last"), "last"),
        continuation=next((part.continuation for part in parts if part.continuation), None),
        uses_reference=any(part.uses_reference for part in parts),
        parts=tuple(parts),
    )


def grouped(outcomes: Mapping[str, AbstractOutcome], pairs: Pairs, model: Model) -> list[dict[str, AbstractOutcome]]:
    """Return outcomes that can be read in the same runs, group by group.

    They are fed the same tokens; of generations, they are read in the answer that is put after a thought, or all judge
    what is said. An outcome for which nothing is appended may be read beside one for which an answer
    is: in a causal model, tokens do not see those after them. One run holds one plain base run to compare with, so
    outcomes that compare at different positions are apart.
    """
    groups: list[tuple[dict[str, AbstractOutcome], list[Prepared]]] = []
    bound = {name: one.prepare(pairs, model) for name, one in outcomes.items()}
    # Answers that are appended come first, so that those without can be read beside the first of them.
    for name in sorted(bound, key=lambda one: bound[one].continuation is None):
        fits = (one for one in groups if _fits(bound[name], one[1], seen=model.is_causal and not pairs.is_prompts))
        members, parts = next(fits, ({}, []))
        if not members:
            groups.append((members, parts))
        members[name] = outcomes[name]
        parts.append(bound[name])
    inside = [{name: one for name, one in outcomes.items() if name in members} for members, _ in groups]
    return sorted(inside, key=lambda group: list(outcomes).index(next(iter(group))))


def _fits(one: Prepared, parts: Sequence[Prepared], *, seen: bool) -> bool:
    """Return True if an outcome can be read beside others; `seen` if what is appended is not seen by what is before."""
    appended = next((part.continuation for part in parts if part.continuation), None)
    if any((one.judge is None, one.cue) != (part.judge is None, part.cue) for part in parts):
        return False
    same = one.continuation == appended or (seen and one.continuation is None)
    compared = {repr(part.at) for part in (one, *parts) if part.uses_reference}
    return same and len(compared) < 2
