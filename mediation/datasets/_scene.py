"""Pictures of the synthetic tasks: grids of cells of 8 x 8 pixels, drawn by code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from ._pictures import Picture, picture_of

Pixels = NDArray[np.uint8]

CELL: Final = 8
SIDE: Final = 6

NUMBERS: Final = ("one", "two", "three", "four", "five", "six")
SHAPES: Final = ("square", "disc", "triangle", "cross", "diamond", "ring", "bar", "arch")
COLOURS: Final = ("red", "green", "blue", "yellow", "purple", "orange", "cyan", "white")
GROUNDS: Final = ("plain", "lined", "dotted", "framed")

_DARK = (24, 24, 24)
_RGB = {
    "red": (230, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 80, 240),
    "yellow": (240, 230, 50),
    "purple": (160, 50, 200),
    "orange": (250, 145, 20),
    "cyan": (40, 220, 230),
    "white": (245, 245, 245),
}
_BITMAPS = {
    "square": "###### ###### ###### ###### ###### ######",
    "disc": ".####. ###### ###### ###### ###### .####.",
    "triangle": "..##.. ..##.. .####. .####. ###### ######",
    "cross": "##..## ##..## ..##.. ..##.. ##..## ##..##",
    "diamond": "..##.. .####. ###### ###### .####. ..##..",
    "ring": ".####. ##..## #....# #....# ##..## .####.",
    "bar": "...... ...... ###### ###### ...... ......",
    "arch": "###### ###### ##..## ##..## ##..## ##..##",
}
_EDGE = (130, 130, 130)


@final
@dataclass(frozen=True, slots=True)
class Thing:
    """A coloured shape on the ground of a cell; rows and columns count from 0."""

    shape: str
    colour: str
    ground: str
    row: int
    column: int


def draw(things: tuple[Thing, ...], side: int = SIDE) -> Pixels:
    """Return the picture of a scene, ``(8 side, 8 side, 3)``."""
    picture = np.empty((side * CELL, side * CELL, 3), dtype=np.uint8)
    picture[:] = _DARK
    for thing in things:
        rows, columns = (slice(at * CELL, (at + 1) * CELL) for at in (thing.row, thing.column))
        picture[rows, columns] = sprite(thing.shape, thing.colour, thing.ground)
    return picture


def sprite(shape: str, colour: str, ground: str) -> Pixels:
    """Return the picture of one cell, ``(8, 8, 3)``: the shape in the middle, the ground on the rim."""
    cell = np.empty((CELL, CELL, 3), dtype=np.uint8)
    cell[:] = _DARK
    rim = np.zeros((CELL, CELL), dtype=bool)
    rim[[0, -1], :] = ground in ("lined", "framed")
    if ground == "framed":
        rim[:, [0, -1]] = True
    if ground == "dotted":
        rim[[0, -1], ::2] = True
        rim[::2, [0, -1]] = True
    cell[rim] = _EDGE
    cell[1:-1, 1:-1][bitmap(shape)] = _RGB[colour]
    return cell


def bitmap(shape: str) -> NDArray[np.bool_]:
    """Return the pixels of a shape, ``(6, 6)``."""
    return np.array([[mark == "#" for mark in row] for row in _BITMAPS[shape].split()])


def shown(picture: Pixels) -> tuple[Picture, ...]:
    """Return a picture as a cell of a frame holds it."""
    from PIL import Image

    return (picture_of(Image.fromarray(picture), (), "scene"),)


def enlarged(picture: Pixels, row: int, column: int, times: int) -> Pixels:
    """Return one cell of a picture, every pixel `times` as wide and high: a zoom, as of a visual tool."""
    cell = picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    return cell.repeat(times, axis=0).repeat(times, axis=1)
