"""What `do` can be asked, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from ..._checks import called, elements, shown
from ...errors import DataError, DesignError
from ...interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Assignment,
    Donor,
    FirstRepeat,
    Identity,
    Moment,
    Oracle,
    Shorten,
    ShuffleSteps,
    Skip,
    Swap,
)
from ...sites import InputSite
from ...units import Pairs, Prompt

What = AbstractIntervention | AbstractRewrite
_OF_STEPS = (FirstRepeat, Oracle, Shorten, ShuffleSteps, Skip)
_EXAMPLE = "such as Constant(0.5).at(med.image())"


def check_unit(site: InputSite, one: Any, unit: int) -> None:
    """Raise DataError if an input has no such site."""
    if site.kind == "prompt":
        return
    if isinstance(one, str):
        raise DataError(
            f"do: {site}: unit {unit} is a text, in which only prompt() can be changed. Write med.prompts(model, "
            "questions, images), or med.Prompt(text, images, question='...')."
        )
    if site.kind == "question":
        if one.question is None:
            raise DataError(
                f"do: {site}: unit {unit}, {one!r}, does not say which part of it is the question. Write it with "
                "med.prompts(...), or Prompt(text, images, question='...')."
            )
    elif len(one.images) <= (site.index or 0):
        wanted = (
            "Leave such units out." if site.index is None else "Images are counted from 0; choose one that all have."
        )
        raise DataError(f"do: {site}: unit {unit} has {in_words(len(one.images))}. {wanted}")


def checked_entries(assignment: object) -> tuple[tuple[InputSite, What], ...]:
    """Return the entries, after checking that each can be done to an input."""
    if not isinstance(assignment, Assignment):
        placed = f"{assignment!r}.at(med.image())" if isinstance(assignment, AbstractIntervention) else _EXAMPLE
        raise DesignError(f"do: the assignment is {shown(assignment)}; interventions at sites are needed: {placed}.")
    entries = assignment.of_input()
    for where, done in assignment.entries:
        if not isinstance(where, InputSite):
            raise DesignError(
                f"do: {done!r} at {where}: that site is inside the model, and do changes its inputs. Sites here are "
                "med.image(), med.question() and med.prompt(); med.mediate, med.ablate and med.rollout take the others."
            )
    kinds = [site.kind for site, _ in entries]
    if not entries or ("prompt" in kinds and len(kinds) > 1):
        found = "the assignment is empty" if not entries else "prompt() holds the images and the question"
        raise DesignError(f"do: {assignment}: {found}. Give {_EXAMPLE}; to go on with the result, call do once more.")
    for site, what in entries:
        _check_kind(site, what)
        _check_needs(site, what)
    return entries


def _check_kind(site: InputSite, what: What) -> None:
    """Raise DesignError if an intervention does not apply to the kind of a site."""
    if site.kind == "image":
        if not isinstance(what, AbstractIntervention) or isinstance(what, _OF_STEPS):
            raise DesignError(
                f"do: {what!r} at {site}: it changes a thought, and an image holds pixels. Give {_EXAMPLE}."
            )
    elif not isinstance(what, (Swap, Identity)) and not (site.kind == "question" and isinstance(what, AbstractRewrite)):
        more = ", or a rewrite such as ReplaceText('...')" if site.kind == "question" else ""
        raise DesignError(
            f"do: {what!r} at {site}: there is text, and it changes numbers. Give Swap(){more}; pixels are at image()."
        )


def _check_needs(site: InputSite, what: What) -> None:
    """Raise DesignError if an intervention needs a run of the model."""
    for need in what.needs():
        if isinstance(need, (Donor, Moment)) and (need.run != "same" or getattr(need, "unit", None) == "own"):
            raise DesignError(
                f"do: {what!r} at {site} asks for another run of the unit ({need.run!r}), and inputs are changed "
                "before any run. Swap() takes another unit's, Mean() the mean of these inputs; both without run=..."
            )


def checked_inputs(inputs: Any) -> tuple[Any, ...]:
    """Return prompts, or texts if all are."""
    if isinstance(inputs, Pairs):
        raise DataError("do: inputs are Pairs; give one side, do(pairs.base, ...), and make Pairs of the result.")
    if isinstance(inputs, (str, Prompt)):
        raise DataError(f"do: inputs is one input, {shown(inputs)}; a list with one a unit is needed: [input].")
    units = tuple(
        elements(inputs, what="do: inputs", needed="a list with one med.Prompt, or one text, a unit", error=DataError)
    )
    if not units:
        raise DataError("do: inputs are empty; one med.Prompt, or one text, a unit is needed.")
    for unit, one in enumerate(units):
        if not isinstance(one, (str, Prompt)) or one == "":
            raise DataError(f"do: unit {unit} is {shown(one)}; a med.Prompt, or a text that is not empty, is needed.")
    if all(isinstance(one, str) for one in units):
        return units
    return tuple(Prompt(one) if isinstance(one, str) else one for one in units)


def checked_frame(frame: Any, n: int) -> pd.DataFrame | None:
    """Return the frame, after checking that it has one row a unit."""
    if frame is not None and not isinstance(frame, pd.DataFrame):
        raise DataError(f"do: frame is {called(frame)}; a pandas DataFrame with one row a unit is needed.")
    if frame is not None and len(frame) != n:
        raise DataError(f"do: frame has {len(frame)} rows for {n} inputs; one row a unit is needed.")
    return frame


def check_sizes(part: Tensor, size: Sequence[int], units: tuple[int, int], where: str, more: str = "") -> None:
    """Raise DataError if pixels of the second of two units are not as many as those of the first, (height, width)."""
    height, width = part.shape[1:3]
    if (height, width) != tuple(size):
        raise DataError(
            f"do: {where}: unit {units[0]} has {size[1]} x {size[0]} pixels there (width x height) and unit {units[1]} "
            f"has {width} x {height}; as many are needed. Resize the images, or choose boxes of one size.{more}"
        )


def in_words(number: int) -> str:
    """Return a number of images in words.

    Examples
    --------
    >>> in_words(0), in_words(1)
    ('no images', '1 image')
    """
    return f"{number or 'no'} image{'s' if number != 1 else ''}"
