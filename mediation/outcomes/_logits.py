"""Outcomes read off single logits: logit difference, accuracy by candidate set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from .._checks import listed, shown
from ..errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared, check_read_at, wide
from ._answers import Answers, single_ids
from ._tokens import check_inside, label_of, spelled


@final
@dataclass(frozen=True, slots=True)
class LogitDiff(AbstractOutcome):
    """Logit difference, logit(answer) - logit(foil), in nats.

    Parameters
    ----------
    answer, foil
        A column of the units, a literal single token, or a token id (an output index for plain modules).
    at
        Position that is read; by default the last token of the prompt.

    Examples
    --------
    >>> LogitDiff(" Paris", " Rome")
    LogitDiff(answer=' Paris', foil=' Rome', at='last')
    """

    answer: Any
    foil: Any
    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", check_read_at(self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError if an answer is not one token or equals its foil."""
        answers = single_ids(self.answer, pairs, model, "answer", self.at)
        foils = single_ids(self.foil, pairs, model, "foil", self.at)
        for unit, (one, other) in enumerate(zip(answers, foils, strict=True)):
            if one == other:
                raise OutcomeError(
                    f"answer and foil of unit {unit} are the same token, {spelled(one, model)}, so their difference is "
                    "always 0. Give another foil, or drop the unit."
                )
        targets = torch.tensor([answers, foils])

        def reduce(logits: Tensor, units: Tensor, reference: Tensor | None) -> Tensor:
            last = logits[:, -1]
            ids = targets.to(last.device)[:, units.to(last.device)]
            check_inside(targets, last, "answer and foil")
            rows = torch.arange(len(last), device=last.device)
            return wide(last[rows, ids[0]]) - wide(last[rows, ids[1]])

        return Prepared(
            label=f"logit({label_of(self.answer)}) - logit({label_of(self.foil)})",
            reduce=reduce,
            at=self.at,
            asked=targets.T,
            reduce_asked=lambda logits, units: wide(logits[:, 0]) - wide(logits[:, 1]),
        )


@final
@dataclass(frozen=True, slots=True)
class Accuracy(AbstractOutcome):
    """Accuracy by candidate set: 1 if the answer has the largest logit of the candidates, else 0.

    A tie with another candidate counts as wrong.

    Parameters
    ----------
    answer
        A column of the units, a literal single token, or a token id.
    candidates
        A column of lists, or one list for all units, of literal single tokens or ids; None compares
        with the whole vocabulary.
    at
        Position that is read; by default the last token of the prompt.

    Examples
    --------
    >>> Accuracy("answer", candidates=(" A", " B"))
    Accuracy(answer='answer', candidates=(' A', ' B'), at='last')
    """

    answer: Any
    candidates: Any = None
    at: Any = "last"

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", check_read_at(self.at))

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError if the answer is not among its candidates."""
        answers = single_ids(self.answer, pairs, model, "answer", self.at)
        sets = self._sets(pairs, model, answers)
        largest = torch.tensor([max(answers), *(max(others) for others in sets or ())])

        def reduce(logits: Tensor, units: Tensor, reference: Tensor | None) -> Tensor:
            last = wide(logits[:, -1])
            check_inside(largest, last, "answer and candidates")
            results = []
            for row, unit in enumerate(units.tolist()):
                mine = last[row, answers[unit]]
                if sets is None:
                    others = torch.cat([last[row, : answers[unit]], last[row, answers[unit] + 1 :]])
                else:
                    others = last[row, torch.tensor(sets[unit], device=last.device)]
                results.append((mine > others.max()).float())
            return torch.stack(results)

        label = f"accuracy({label_of(self.answer)})"
        if sets is None:
            return Prepared(label=label, reduce=reduce, at=self.at)
        # As many columns in every unit: the last candidate of a shorter set is asked for several times.
        most = max(map(len, sets))
        asked = [[one, *others, *others[-1:] * (most - len(others))] for one, others in zip(answers, sets, strict=True)]
        return Prepared(
            label=label,
            reduce=reduce,
            at=self.at,
            asked=torch.tensor(asked),
            reduce_asked=lambda logits, units: (wide(logits[:, 0]) > wide(logits[:, 1:]).amax(1)).float(),
        )

    def _sets(self, pairs: Pairs, model: Model, answers: list[int]) -> list[list[int]] | None:
        """Return, per unit, the candidates other than the answer."""
        if self.candidates is None:
            return None
        given = self.candidates
        per_unit = pairs.column(given) if isinstance(given, str) else [given] * len(pairs)
        sets, reader = [], Answers(pairs, model, self.at)
        reader.learn((unit, one) for unit, some in enumerate(per_unit) if _is_list(some) for one in some)
        for unit, members in enumerate(per_unit):
            if not _is_list(members):
                raise OutcomeError(
                    f"candidates of unit {unit} are {shown(members)}; a list of tokens is needed, or a column of lists."
                )
            ids = {reader.one(member, unit, f"candidate of unit {unit}") for member in members}
            if answers[unit] not in ids:
                raise OutcomeError(
                    f"answer of unit {unit}, {spelled(answers[unit], model)}, is not among its candidates "
                    f"{listed(members) or '(none)'}. Add it to them."
                )
            if len(ids) < 2:
                raise OutcomeError(
                    f"candidates of unit {unit} are {listed(members) or 'none'}; at least two different ones are "
                    "needed."
                )
            sets.append(sorted(ids - {answers[unit]}))
        return sets


def _is_list(members: Any) -> bool:
    return not isinstance(members, str) and hasattr(type(members), "__iter__")
