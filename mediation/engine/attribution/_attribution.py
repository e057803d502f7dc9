"""First-order scores of many sites from a few passes with gradients: attribution patching.

To change the activation h of a site by d changes the outcome Y by <dY/dh, d>, up to terms of second order in d. One
pass over the base input and one over the source input, each run backwards once, give dY/dh at every site at once
(Nanda 2023; Syed et al. 2023, arXiv:2310.10348; Kramar et al. 2024, arXiv:2403.00745).

Scores rank sites. They are never reported as effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import DesignError, OutcomeError
from ...interventions import AbstractIntervention, Donor, Need
from ...sites import Place, Site, embedding, resolve
from .._progress import Progress
from ..passes import Batch, Row, Selection, batch_of, read, same_shape_groups
from ..sizes import halving, split
from ..study import Layout, Side, Study
from ..verify import lay_out_rows
from ._gradients import Differentiated, Stop, Tensors, differentiate, tokens_with_gradients

Direction = Literal["y01", "y10"]
_RUNS: dict[Direction, tuple[str, str]] = {"y01": ("base", "source"), "y10": ("source", "base")}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """First-order scores of sites.

    Attributes
    ----------
    values
        For each direction ``(sites, units)``: "y01" estimates y01 - y00, and "y10" estimates y11 - y10.
    plain
        Outcomes of the plain runs, ``(units,)`` for "base" and "source".
    passes
        Forward passes.
    """

    values: dict[Direction, NDArray[np.float64]]
    plain: dict[str, NDArray[np.float64]]
    passes: int


def attribution_scores(
    study: Study,
    sites: Sequence[Site],
    what: AbstractIntervention,
    *,
    units: Sequence[int] | None = None,
    directions: Sequence[Direction] = ("y01", "y10"),
    steps: int | None = None,
    side: Side = "left",
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Return the first-order scores of `sites`, from two passes a batch of units, or from two and `steps`.

    With h(x) the activation of a site in the plain run of input x (0 base, 1 source), I the intervention that puts in
    the other input's, and Y the outcome,

        score_01 = <dY/dh (x0), I(h(x0); h(x1)) - h(x0)>,  score_10 = -<dY/dh (x1), I(h(x1); h(x0)) - h(x1)>,

    summed over the positions and features of the site. With `steps`, both gradients are replaced by the mean gradient
    along the straight line from the embedded base input z0 to the embedded source input z1,

        sum_k w_k dY/dh (z0 + a_k (z1 - z0)),

    with a_k and w_k the nodes and weights of Gauss and Legendre on [0, 1]: EAP-IG on inputs (Hanna et al. 2024,
    arXiv:2403.17806), which takes a_k = k / m and w_k = 1 / m. One pass a step serves all sites and both directions.
    At the embedding of all tokens the score tends to Y(x1) - Y(x0) as the steps grow (Sundararajan et al. 2017,
    proposition 1).

    Parameters
    ----------
    study
        Has the worlds that put `what` at each of `sites`, so that these are checked.
    sites
        Concrete sites of the study.
    what
        Deterministic, and needs the unit's own activation in its other run, no more.
    units
        Units to score; None for all.
    directions
        Which scores.
    steps
        Points on the line; None for the gradients at its two ends.
    side
        Side on which causal models are padded.
    batch_size
        Units in a batch; None chooses by memory.

    Raises
    ------
    OutcomeError
        If the outcome has no gradient, or it is not finite.
    SiteError
        If the activation of a site has no gradient.
    DesignError
        If `steps` is asked and base and source cannot be joined by a line, or is not and the gradient is 0 there.
    BackendError
        If the model is random.

    Warns
    -----
    BatchDependenceWarning
        If rows depend on each other, so that fewer of them share a pass.
    """
    scorer = _Scorer(study, tuple(sites), what, tuple(directions), steps, side)
    todo = list(range(len(study.pairs))) if units is None else list(units)
    with torch.inference_mode(mode=False):
        scorer.check(todo)
    values = {one: np.empty((len(sites), len(todo))) for one in directions}
    plain = {run: np.empty(len(todo)) for run in ("base", "source")}
    place = {unit: at for at, unit in enumerate(todo)}
    if progress is not None:
        progress.start(len(todo), "scores")
    for batch in _batches(study, scorer, todo, batch_size):
        with torch.inference_mode(mode=False):
            scored, outcomes = halving(scorer.run, batch, _join)
        here = [place[unit] for unit in batch]
        for index, one in enumerate(directions):
            values[one][:, here] = scored[:, index].T.numpy()
        for index, run in enumerate(plain):
            plain[run][here] = outcomes[:, index].numpy()
        if progress is not None:
            progress.advance(len(batch))
    _check_finite(study, todo, values, plain)
    return Scores(values, plain, scorer.passes)


def _batches(study: Study, scorer: _Scorer, units: Sequence[int], batch_size: int | None) -> list[list[int]]:
    """Return the units of each pass, so that no row depends on another."""
    tokens = tokens_with_gradients(study.model)

    def batches_of(layout: Layout) -> list[list[int]]:
        alike: dict[object, list[int]] = {}
        for unit in units:
            lengths = tuple(study.length(run, unit) for run in ("base", "source"))
            alike.setdefault(lengths if layout == "equal length" else None, []).append(unit)
        return [
            batch
            for some in alike.values()
            for batch in split(some, scorer.width, tokens=tokens, rows=batch_size, layout=layout)
        ]

    def rows_of(layout: Layout) -> list[list[Row]]:
        return [[Row(-1, run, unit, 0) for unit in one] for one in batches_of(layout) for run in ("base", "source")]

    laid = lay_out_rows(study, scorer.side, rows_of)
    laid.warn(type(study.model.module).__name__)
    return batches_of(laid.layout)


@final
class _Scorer:
    """Scores batches of units."""

    def __init__(
        self,
        study: Study,
        sites: tuple[Site, ...],
        what: AbstractIntervention,
        directions: tuple[Direction, ...],
        steps: int | None,
        side: Side,
    ) -> None:
        self.study, self.sites, self.what, self.directions = study, sites, what, directions
        self.steps, self.side, self.passes = steps, side, 0
        self.found: dict[tuple[int, str, int], tuple[int, ...] | None] = {}
        self.at: dict[Place, list[int]] = {}
        for index, site in enumerate(sites):
            self.at.setdefault(study.places[site], []).append(index)
        self.stops: list[Stop] = list(dict.fromkeys((place.path, place.io) for place in self.at))
        words = steps is not None and study.model.is_language_model
        self.embedding: Stop | None = (resolve(embedding(), study.model).path, "output") if words else None

    def width(self, unit: int) -> int:
        """Return the tokens of a unit's longer input."""
        continuation = self.study.prepared.continuation
        added = len(continuation[unit]) if continuation else 0
        return added + max((self.study.encoding.of(run, unit).length or 1) for run in ("base", "source"))

    def check(self, units: Sequence[int]) -> None:
        """Raise an error for what cannot be scored; the first unit runs once, to see that there are gradients."""
        self._check_ends(units)
        self._plain(_RUNS[self.directions[0]][0], units[:1], slopes=True)
        self.passes = 0

    def _check_ends(self, units: Sequence[int]) -> None:
        """Raise DesignError if there is no line between the inputs of a unit, or no slope at its end."""
        if self.steps is None:
            if self.study.prepared.uses_reference and "y01" in self.directions:
                raise DesignError(
                    f"The outcome {self.study.prepared.label} is smallest where it compares the base run with itself, "
                    "so its gradient there is 0 and ranks nothing. Average gradients along the way to the source: "
                    "steps=5, or med.Screen(k, steps=5)."
                )
            return
        for unit in units:
            why = self._no_line(unit)
            if why:
                raise DesignError(
                    f"steps = {self.steps} follows the straight line between the embedded base and source inputs, and "
                    f"unit {unit} {why}. Leave steps out, or give inputs between which there is a line."
                )

    def _no_line(self, unit: int) -> str:
        base, source = (self.study.encoding.of(run, unit) for run in ("base", "source"))
        if base.features or source.features:
            return "has images"
        if base.length != source.length:
            return f"has {base.length} tokens in its base input and {source.length} in its source input"
        if any(not torch.equal(value, source.aligned.get(name, value + 1)) for name, value in base.aligned.items()):
            return "has tokens of other types in its base input than in its source input"
        for name, value in base.tensors.items():
            other = source.tensors[name]
            if value.shape != other.shape:
                return f"has inputs of shape {tuple(value.shape)} and {tuple(other.shape)}"
            if base.ids is None and not value.is_floating_point() and not torch.equal(value, other):
                return "differs in an input of whole numbers"
        return ""

    def run(self, units: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return scores ``(units, directions, sites)`` and plain outcomes ``(units, 2)``."""
        self.found.clear()
        sloped = {_RUNS[one][0] for one in self.directions} if self.steps is None else set()
        plain = {run: self._plain(run, units, slopes=run in sloped) for run in ("base", "source")}
        along = None if self.steps is None else self._along(plain["base"], plain["source"], units, self.steps)
        scores = []
        for one in self.directions:
            own, other = _RUNS[one]
            gradients = plain[own].gradients if along is None else along
            scored = self._scored(units, (own, other), (plain[own], plain[other]), gradients)
            scores.append(scored if one == "y01" else -scored)
        outcomes = torch.stack([plain[run].outcomes for run in ("base", "source")], dim=1)
        return torch.stack(scores, dim=1), outcomes

    def _plain(self, run: str, units: Sequence[int], *, slopes: bool) -> Differentiated:
        batch = batch_of(self.study, [Row(-1, run, unit, 0) for unit in units], self.side)
        stops = self.stops if self.embedding is None else list(dict.fromkeys([*self.stops, self.embedding]))
        self.passes += 1
        return differentiate(self.study, batch, [(run, unit) for unit in units], stops, slopes=slopes, side=self.side)

    def _along(self, base: Differentiated, source: Differentiated, units: Sequence[int], steps: int) -> Tensors:
        """Return the mean gradient along the line from the base input to the source input."""
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        rows = [("base", unit) for unit in units]
        total: Tensors = {}
        for node, weight in zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
            batch, put = base.batch, None
            if self.embedding is not None:
                ends = [one.activations[self.embedding] for one in (base, source)]
                put = (self.embedding, torch.lerp(ends[0], ends[1], node))
            else:
                batch = _between(base.batch, source.batch, node)
            self.passes += 1
            found = differentiate(self.study, batch, rows, self.stops, put=put, side=self.side).gradients
            total = {stop: weight * one + (total[stop] if total else 0) for stop, one in found.items()}
        return total

    def _positions(self, site: int, run: str, unit: int) -> tuple[int, ...] | None:
        """Return the positions of a site; both directions ask."""
        key = (site, run, unit)
        if key not in self.found:
            self.found[key] = self.study.positions(self.sites[site], run, unit)
        return self.found[key]

    def _scored(
        self,
        units: Sequence[int],
        runs: tuple[str, str],
        plain: tuple[Differentiated, Differentiated],
        gradients: Tensors,
    ) -> Tensor:
        """Return <gradient, what is put in - what is there> of each unit and site, ``(units, sites)``.

        Parameters
        ----------
        runs, plain
            The run that is changed, and the one that gives.
        """
        total = torch.zeros(len(units), len(self.sites), dtype=torch.float64)
        own, other = plain
        for place, members in self.at.items():
            cells = [(row, site) for site in members for row in range(len(units))]
            mine, theirs = ([self._positions(site, run, units[row]) for row, site in cells] for run in runs)
            lengths = own.batch.lengths if place.io == "pattern" else (0,) * len(units)
            keys = [(None if at is None else len(at), lengths[row]) for at, (row, _) in zip(mine, cells, strict=True)]
            stop = (place.path, place.io)
            for group in same_shape_groups(keys).values():
                rows = [cells[index][0] for index in group]
                here, there = (_selection(place, rows, [at[index] for index in group]) for at in (mine, theirs))
                hidden = read(own.activations[stop], here, own.batch)
                given: dict[Need, Tensor] = {Donor(): read(other.activations[stop], there, other.batch)}
                with torch.no_grad():
                    change = _wide(self.what(hidden, given)) - _wide(hidden)
                    products = _wide(read(gradients[stop], here, own.batch)) * change
                total[rows, [cells[index][1] for index in group]] = (
                    products.reshape(len(group), -1).sum(1).double().cpu()
                )
        return total


def _selection(place: Place, rows: Sequence[int], positions: Sequence[tuple[int, ...] | None]) -> Selection:
    """Return some rows of a batch, one several times where several sites are read at once."""
    return Selection(place, tuple(rows), None if positions[0] is None else tuple(at or () for at in positions))


def _between(base: Batch, source: Batch, part: float) -> Batch:
    """Return the batch of a plain module at a point of the line between two."""
    inputs = {
        name: torch.lerp(value, source.inputs[name], part) if value.is_floating_point() else value
        for name, value in base.inputs.items()
    }
    return Batch(inputs, base.starts, base.lengths, base.width)


def _wide(numbers: Tensor) -> Tensor:
    return numbers if numbers.dtype == torch.float64 else numbers.float()


def _join(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return torch.cat([one[0], other[0]]), torch.cat([one[1], other[1]])


def _check_finite(
    study: Study,
    units: Sequence[int],
    values: Mapping[Direction, NDArray[np.float64]],
    plain: Mapping[str, NDArray[np.float64]],
) -> None:
    for name, found in [*values.items(), *plain.items()]:
        odd = np.flatnonzero(~np.isfinite(found if found.ndim == 1 else found.sum(axis=0)))
        if len(odd):
            told = f"outcome of the {name} input" if found.ndim == 1 else "gradient"
            raise OutcomeError(
                f"The {told} of unit {units[int(odd[0])]} is not finite: {study.prepared.label} must be. Look at the "
                "model's dtype and at the unit's input."
            )
