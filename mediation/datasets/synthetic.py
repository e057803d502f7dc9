"""The synthetic tasks from inside: scenes, maps and the words for them, for whoever trains a model on them.

`needle` and `planning` return frames of ready units. Training needs the parts: scenes as data, sprites as arrays, and
every sentence that the tasks can say.
"""

from __future__ import annotations

from collections.abc import Iterator

from ._needle import (
    OPTIONS as OPTIONS,
    QUESTIONS as QUESTIONS,
    ZOOM as ZOOM,
    attribute as attribute,
    imagined as imagined,
    region as region,
    scene as scene,
)
from ._planning import (
    LAKE as LAKE,
    MOVES as MOVES,
    QUESTION as QUESTION,
    draw_lake as draw_lake,
    in_words as in_words,
    lake as lake,
    moves as moves,
)
from ._scene import (
    CELL as CELL,
    COLOURS as COLOURS,
    GROUNDS as GROUNDS,
    NUMBERS as NUMBERS,
    SHAPES as SHAPES,
    SIDE as SIDE,
    Thing as Thing,
    draw as draw,
    enlarged as enlarged,
    sheet as sheet,
    sprite as sprite,
)

DESCRIBE = "describe the scene."
DESCRIBE_MAP = "describe the map."
FIND = "find the {shape}."
MARK = "mark a way from start to goal."
CELLS = {0: "free", 1: "start", 2: "goal", -1: "hole"}


def description(things: tuple[Thing, ...]) -> str:
    """Return every object of a scene in reading order: row, column, colour, shape, ground."""
    return "; ".join(
        f"{NUMBERS[thing.row]} {NUMBERS[thing.column]} {thing.colour} {thing.shape} {thing.ground}" for thing in things
    )


def map_description(grid: tuple[tuple[int, ...], ...]) -> str:
    """Return the cells of a map, row by row."""
    return "; ".join(" ".join(CELLS[cell] for cell in row) for row in grid)


def sentences() -> Iterator[str]:
    """Yield sentences that together hold every word of the tasks."""
    for number, one in enumerate(NUMBERS):
        for shape in SHAPES:
            for question in (*QUESTIONS.values(), FIND):
                yield question.format(shape=shape)
            for index, colour in enumerate(COLOURS):
                ground = GROUNDS[(index + number) % len(GROUNDS)]
                thing = Thing(shape, colour, ground, number, (number + index) % SIDE)
                yield f" {imagined(thing)}"
                yield f" {description((thing, thing))}"
        yield f" {one}, {one}"
    yield from (QUESTION, MARK, DESCRIBE, DESCRIBE_MAP, *(f" {' '.join(MOVES)} {' '.join(CELLS.values())}",) * 20)
    yield from ("user\n", "assistant\n", "system\n")
