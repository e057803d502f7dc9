"""The needle task: a question about one of six objects in a scene, whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from .._checks import one_of, positive_int
from .._seed import seed_from
from ._scene import COLOURS, GROUNDS, NUMBERS, SHAPES, SIDE, Thing, draw, enlarged, shown

QUESTIONS: Final = {
    "colour": "what colour is the {shape}?",
    "ground": "what ground is under the {shape}?",
    "row": "which row is the {shape} in?",
    "column": "which column is the {shape} in?",
}
OPTIONS: Final = {"colour": COLOURS, "ground": GROUNDS, "row": NUMBERS, "column": NUMBERS}
THINGS: Final = 6
ZOOM: Final = 4


def needle(n: int, *, kind: str = "colour", rng: int | np.random.Generator | None = None) -> pd.DataFrame:
    """Return `n` scenes of six coloured shapes, each with a question about one of them.

    The scene is a grid of 6 x 6 cells of 8 x 8 pixels. Its six shapes differ, so that the question names one of them;
    colours and grounds are drawn independently, so that the other objects say nothing about the answer and a guess is
    right once in as many times as there are options.

    Parameters
    ----------
    n
        Number of units.
    kind
        What is asked of the object: ``"colour"`` (8 answers), ``"ground"`` (4), ``"row"`` or ``"column"`` (6 each).
    rng
        Seed or generator; the same gives the same scenes.

    Returns
    -------
    pandas.DataFrame
        One unit a row, in the layout of `read`: ``id, question, images, options, answer, category, group, layout``.
        Beside it: ``shape, colour, ground, row, column`` of the object asked about; ``box``, its region of interest
        (2 x 2 cells around it) as fractions (left, top, right, bottom); ``helper_images``, its cell four times as wide
        and high, as a visual tool would return it; ``imagined``, what a thought in words says of it; and the
        counterfactual, the same scene in which only the attribute asked for differs: ``other_images,
        other_helper_images, other_answer, other_imagined``. ``things`` and ``other_things`` hold the scenes themselves.

    Raises
    ------
    DesignError
        If `kind` is none of the four, or `n` is no positive number.

    Examples
    --------
    >>> frame = needle(3, rng=0)
    >>> frame.loc[0, ["question", "answer", "other_answer"]].tolist()
    ['what colour is the cross?', 'yellow', 'cyan']
    >>> frame.loc[0, "imagined"]
    'row two column six: a yellow cross on dotted ground'
    """
    one_of(kind, tuple(QUESTIONS), what="needle: kind")
    positive_int(n, what="needle: n")
    random = np.random.default_rng(seed_from(rng))
    return pd.DataFrame([_unit(number, kind, random) for number in range(n)])


def scene(random: np.random.Generator) -> tuple[Thing, ...]:
    """Return six objects of different shapes in different cells, in reading order."""
    shapes = random.permutation(len(SHAPES))[:THINGS]
    cells = np.sort(random.permutation(SIDE * SIDE)[:THINGS])
    while len({*cells // SIDE}) == 1 or len({*cells % SIDE}) == 1:  # a full row leaves no place to move to
        cells = np.sort(random.permutation(SIDE * SIDE)[:THINGS])
    colours, grounds = random.integers(len(COLOURS), size=THINGS), random.integers(len(GROUNDS), size=THINGS)
    drawn = zip(shapes, colours, grounds, cells, strict=True)
    return tuple(
        Thing(SHAPES[shape], COLOURS[colour], GROUNDS[ground], int(cell) // SIDE, int(cell) % SIDE)
        for shape, colour, ground, cell in drawn
    )


def imagined(thing: Thing) -> str:
    """Return where the object is and what it is, in words: what a thought about it says."""
    where = f"row {NUMBERS[thing.row]} column {NUMBERS[thing.column]}"
    return f"{where}: a {thing.colour} {thing.shape} on {thing.ground} ground"


def attribute(thing: Thing, kind: str) -> str:
    """Return the answer to a question about an object."""
    value = getattr(thing, kind)
    return NUMBERS[value] if kind in ("row", "column") else str(value)


def region(thing: Thing) -> tuple[int, int, int, int]:
    """Return the cells of the region of interest: first row, first column, one past the last of each."""
    row, column = min(thing.row, SIDE - 2), min(thing.column, SIDE - 2)
    return row, column, row + 2, column + 2


def changed(things: tuple[Thing, ...], which: int, kind: str, random: np.random.Generator) -> tuple[Thing, ...]:
    """Return the scene with another value of one attribute of one object; no other object is touched."""
    thing = things[which]
    values: list[Any] = [value for value in OPTIONS[kind] if value != attribute(thing, kind)]
    if kind in ("row", "column"):
        taken = {(one.row, one.column) for one in things}
        places = [NUMBERS.index(value) for value in values]
        values = [at for at in places if ((at, thing.column) if kind == "row" else (thing.row, at)) not in taken]
    change: dict[str, Any] = {kind: values[int(random.integers(len(values)))]}
    new = replace(thing, **change)
    return tuple(new if index == which else one for index, one in enumerate(things))


def _unit(number: int, kind: str, random: np.random.Generator) -> dict[str, Any]:
    things = scene(random)
    which = int(random.integers(THINGS))
    others = changed(things, which, kind, random)
    thing, other = things[which], others[which]
    top, left, bottom, right = region(thing)
    return {
        "id": f"needle-{kind}-{number}",
        "question": QUESTIONS[kind].format(shape=thing.shape),
        "images": shown(draw(things)),
        "options": OPTIONS[kind],
        "answer": attribute(thing, kind),
        "category": kind,
        "group": f"needle-{kind}-{number}",
        "layout": "needle",
        "shape": thing.shape,
        "colour": thing.colour,
        "ground": thing.ground,
        "row": NUMBERS[thing.row],
        "column": NUMBERS[thing.column],
        "box": tuple(at / SIDE for at in (left, top, right, bottom)),
        "imagined": imagined(thing),
        "helper_images": shown(enlarged(draw(things), thing.row, thing.column, ZOOM)),
        "other_images": shown(draw(others)),
        "other_helper_images": shown(enlarged(draw(others), other.row, other.column, ZOOM)),
        "other_answer": attribute(other, kind),
        "other_imagined": imagined(other),
        "things": things,
        "other_things": others,
    }
