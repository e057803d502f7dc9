"""Interventions on the input, do(X): other images, other questions, noise, grey, masked regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final, overload

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..._seed import seed_from
from ...engine.study import donor_units, noise
from ...errors import BackendError, DataError
from ...interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Assignment,
    Donor,
    Identity,
    Moment,
    Need,
    Noise,
    Swap,
    TextGiven,
    Then,
    chain,
)
from ...sites import InputSite, check_box
from ...units import Pairs, Prompt
from ._do_checks import What, check_sizes, check_unit, checked_entries, checked_frame, checked_inputs, in_words
from ._pixels import Box, pixels_of, rectangle_of, with_pixels

_MEAN_COLOUR = " Mean(over='tokens') puts in the mean colour, whatever the sizes."
_STREAM = 0x646F  # keeps these draws apart from those of a run with the same seed


@overload
def do(
    inputs: Sequence[Prompt],
    assignment: Assignment,
    *,
    frame: pd.DataFrame | None = None,
    rng: int | np.random.Generator | None = None,
) -> list[Prompt]: ...


@overload
def do(
    inputs: Sequence[str],
    assignment: Assignment,
    *,
    frame: pd.DataFrame | None = None,
    rng: int | np.random.Generator | None = None,
) -> list[str]: ...


def do(
    inputs: Any,
    assignment: Assignment,
    *,
    frame: pd.DataFrame | None = None,
    rng: int | np.random.Generator | None = None,
) -> Any:
    """Return the inputs after do(X = x*), to be the base or the source of `Pairs`.

    ==================================== ======================================================
    other unit                           ``Swap().at(prompt())``
    black, white, grey image             ``Zero()``, ``Constant(1.0)``, ``Constant(0.5)`` at ``image()``
    mean image, mean colour              ``Mean()``, ``Mean(over="tokens")`` at ``image()``
    noise added                          ``GaussianNoise(0.1).at(image())``
    noise image                          ``(GaussianNoise(0.25, replace=True) >> Add(0.5)).at(image())``
    masked region                        ``Constant(0.5).at(image(box=(0.2, 0.0, 0.6, 0.5)))``
    image that belongs to another text   ``Swap().at(image())``
    other question                       ``Swap().at(question())``, ``ReplaceText("...").at(question())``
    ==================================== ======================================================

    An image is ``(1, height, width, 3)``, float32, one row a unit, red, green and blue from 0 to 1; an intervention
    sees the pixels of its box alone, ``(1, h, w, 3)``. Edges of a box are rounded outward, to one pixel at least.
    What comes out is clipped to 0 to 1 and rounded to 1/255, as pictures hold whole numbers. So noise in the place of
    an image, which has mean 0, is clipped to black in half of its numbers: shift it to grey with ``>> Add(0.5)``.

    `Swap` at whole images puts in the donor's own, in their size; in a box, or inside `Blend` or `Masked`, the pixels
    of both units must be as many. Donors are read from `inputs`, and are the same at all sites of one call. Noise
    depends on `rng`, the unit's number, the image's and the pixel's place, not on other units. Where boxes overlap,
    interventions follow one another in the order of the boxes (left, then top, right, bottom).

    Parameters
    ----------
    inputs
        One `Prompt` a unit, or one text a unit, of which only ``prompt()`` can be changed.
    assignment
        Interventions at sites of the input, joined by ``|``.
    frame
        One row a unit; columns are named by ``Swap("matched", column=...)`` and ``image(box="column")``.
    rng
        Seed of donors, noise and random rewrites.

    Returns
    -------
    list of Prompt, or of str if `inputs` are texts
        The columns of a frame, such as the right answer, stay those of the unit.

    Raises
    ------
    DesignError
        If a site is not in the input, or the intervention needs a run of the model or does not apply there.
    DataError
        If an input has no such image or no question, sizes do not agree, or a donor or a column is missing.
    SiteError
        If a box in a column is none.
    BackendError
        If an intervention returns NaN, or another shape.

    Examples
    --------
    >>> from mediation.interventions import Constant
    >>> from mediation.sites import image
    >>> white = Prompt("What is red?", [np.ones((2, 3, 3))], question="What is red?")
    >>> grey = do([white], Constant(0.5).at(image()))
    >>> grey[0].images[0].getpixel((0, 0))
    (128, 128, 128)
    """
    units = checked_inputs(inputs)
    case = _Case(units, checked_frame(frame, len(units)), _own_seed(rng))
    entries = checked_entries(assignment)
    for site, what in entries:
        case.check(site, what)
    return [_changed(case, unit, entries) for unit in range(len(units))]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One call: the units as they came in, and what their interventions are given."""

    units: tuple[Any, ...]
    frame: pd.DataFrame | None
    seed: int
    boxes: dict[InputSite, list[Box | None]] = field(default_factory=dict)
    _donors: dict[Donor, list[int]] = field(default_factory=dict)
    _moments: dict[tuple[InputSite, Moment, int | None], Tensor] = field(default_factory=dict)

    def check(self, site: InputSite, what: What) -> None:
        """Raise an error if the units do not have what is asked, and note boxes and donors."""
        for unit, one in enumerate(self.units):
            check_unit(site, one, unit)
        if site.kind == "image":
            self.boxes[site] = self._boxes(site)
        for need in what.needs():
            if isinstance(need, Donor):
                self.donors(need)

    def donors(self, need: Donor) -> list[int]:
        """Return the donor of every unit."""
        if need not in self._donors:
            if need.column is not None:
                self.column(need.column, f"Swap('matched', column={need.column!r})")
            pairs = Pairs(base=list(self.units), frame=self.frame)
            self._donors[need] = [int(unit) for unit in donor_units(need, pairs, seed=self.seed, draw=0)]
        return self._donors[need]

    def column(self, name: str, by: str) -> list[Any]:
        """Return a column of the frame."""
        if self.frame is None:
            raise DataError(
                f"do: {by} names a column, and there is no frame. Give one row a unit: do(..., frame=frame)."
            )
        return Pairs(base=list(self.units), frame=self.frame).column(name)

    def _boxes(self, site: InputSite) -> list[Box | None]:
        if not isinstance(site.box, str):
            return [site.box] * len(self.units)
        column = self.column(site.box, f"image(box={site.box!r})")
        return [check_box(box, f"do: unit {unit}, column {site.box!r}") for unit, box in enumerate(column)]

    def pixels(self, site: InputSite, unit: int, index: int) -> Tensor:
        """Return the pixels of a site in an input as it came in, ``(1, h, w, 3)``."""
        picture = self.units[unit].images[index]
        return pixels_of(picture, rectangle_of(self.boxes[site][unit], picture.size))

    def given(
        self, site: InputSite, what: AbstractIntervention, at: tuple[int, int], picture: Any
    ) -> dict[Need, Tensor]:
        """Return what an intervention needs at image ``at = (unit, index)``, which now is `picture`."""
        unit, index = at
        found: dict[Need, Tensor] = {}
        for need in what.needs():
            if isinstance(need, Noise):
                left, top, right, bottom = rectangle_of(self.boxes[site][unit], picture.size)
                shape = (1, picture.height, picture.width, 3)
                # The index of the image takes the place of the draw: images of one unit have noise of their own.
                drawn = noise(shape, seed=self.seed, unit=unit, draw=index, stream=need.stream)
                found[need] = drawn[:, top:bottom, left:right]
            elif isinstance(need, Moment):
                found[need] = self.moment(site, need, index)
            else:
                donor = self.donors(need)[unit]
                self.check_counts(site, unit, donor)
                found[need] = self.pixels(site, donor, index)
                size = rectangle_of(self.boxes[site][unit], picture.size)
                check_sizes(found[need], (size[3] - size[1], size[2] - size[0]), (unit, donor), f"{what!r} at {site}")
        return found

    def check_counts(self, site: InputSite, unit: int, donor: int) -> None:
        """Raise DataError if the images of two units cannot stand for each other."""
        mine, theirs = len(self.units[unit].images), len(self.units[donor].images)
        if site.index is None and mine != theirs:
            raise DataError(
                f"do: {site}: unit {unit} has {in_words(mine)} and its donor, unit {donor}, has {in_words(theirs)}; "
                f"the text of unit {unit} has a place for each of its own. Match donors on a column with the number of "
                "images, name one image (image(index=0)), or swap text and images together, at prompt()."
            )

    def moment(self, site: InputSite, need: Moment, index: int) -> Tensor:
        """Return a mean or a standard deviation over the units' pixels, summed in float64."""
        by_place = need.kind == "mean" and need.over == "units"
        key = (site, need, index if by_place else None)
        if key not in self._moments:
            self._moments[key] = self._mean_picture(site, index) if by_place else self._of_colours(site, need)
        return self._moments[key]

    def _mean_picture(self, site: InputSite, index: int) -> Tensor:
        total = torch.zeros(())
        for unit, one in enumerate(self.units):
            if index >= len(one.images):
                raise DataError(
                    f"do: Mean() at {site}: unit {unit} has {in_words(len(one.images))}, and other units have more. "
                    "Name an image that all units have: image(index=0)."
                )
            part = self.pixels(site, unit, index).double()
            if unit:
                check_sizes(part, tuple(total.shape[1:3]), (0, unit), f"Mean() at {site}", more=_MEAN_COLOUR)
            total = part + total
        return (total / len(self.units)).float()

    def _of_colours(self, site: InputSite, need: Moment) -> Tensor:
        number, total, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        for unit, one in enumerate(self.units):
            for index in _indices(site, len(one.images)):
                part = self.pixels(site, unit, index).double().reshape(-1, 3)
                number, total, squares = number + len(part), total + part.sum(0), squares + part.square().sum(0)
        mean = total / number
        if need.kind == "mean":
            return mean.float()
        return (squares / number - mean.square()).clamp_min(0).mean().sqrt().float()


def _changed(case: _Case, unit: int, entries: Sequence[tuple[InputSite, What]]) -> Any:
    """Return one unit's input after all interventions."""
    one = case.units[unit]
    images = list(getattr(one, "images", ()))
    for site, what in entries:
        if isinstance(what, Identity):
            continue
        if site.kind == "prompt":
            return case.units[case.donors(_donor(what))[unit]]  # no other site is there beside it
        if site.kind == "question":
            one = one.asking(_new_question(case, unit, what))
    placed = [(site, what) for site, what in entries if site.kind == "image" and isinstance(what, AbstractIntervention)]
    placed.sort(key=lambda entry: (case.boxes[entry[0]][unit] or (), str(entry[0])))
    for site, what in placed:
        for index in _indices(site, len(images)):
            images[index] = _acted(case, site, what, (unit, index), images[index])
    return one.with_(images=tuple(images)) if placed else one


def _acted(case: _Case, site: InputSite, what: AbstractIntervention, at: tuple[int, int], picture: Any) -> Any:
    """Return a picture after an intervention at it, or in its box."""
    parts = what.parts if isinstance(what, Then) else (what,)
    swaps = [place for place, part in enumerate(parts) if isinstance(part, Swap)]
    if swaps and site.box is None:
        # Whatever came before the last swap is gone, and the donor's picture comes in its own size.
        donor = case.donors(_donor(parts[swaps[-1]]))[at[0]]
        case.check_counts(site, at[0], donor)
        picture, parts = case.units[donor].images[at[1]], parts[swaps[-1] + 1 :]
    rest = chain(*parts)
    if isinstance(rest, Identity):
        return picture
    rectangle = rectangle_of(case.boxes[site][at[0]], picture.size)
    before = pixels_of(picture, rectangle)
    after = rest(before.clone(), case.given(site, rest, at, picture))
    if after.shape != before.shape or not bool(torch.isfinite(after).all()):
        found = "NaN or infinity" if after.shape == before.shape else f"shape {tuple(after.shape)}"
        raise BackendError(
            f"do: {rest!r} at {site}, unit {at[0]}, returned {found} for pixels of shape {tuple(before.shape)}; finite "
            "numbers of that shape are needed."
        )
    return with_pixels(picture, rectangle, after)


def _indices(site: InputSite, images: int) -> Iterable[int]:
    return range(images) if site.index is None else (site.index,)


def _donor(what: object) -> Donor:
    assert isinstance(what, Swap)
    return next(need for need in what.needs() if isinstance(need, Donor))


def _new_question(case: _Case, unit: int, what: What) -> str:
    if isinstance(what, AbstractRewrite):
        random = np.random.default_rng(np.random.SeedSequence((case.seed, unit)))
        pool = tuple(one.question for one in case.units)
        return what(case.units[unit].question, TextGiven(rng=random, pool=pool, unit=unit))
    return str(case.units[case.donors(_donor(what))[unit]].question)


def _own_seed(rng: int | np.random.Generator | None) -> int:
    """Return a seed of its own, so that donors here and in a later run with the same `rng` are drawn apart."""
    return int(np.random.SeedSequence((seed_from(rng), _STREAM)).generate_state(1)[0])
