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
_SLOPE = 14
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
    picture = sheet(_DARK, side)
    for thing in things:
        at(picture, thing.row, thing.column)[:] = sprite(thing)
    return picture


def sheet(colour: tuple[int, int, int], side: int, slope: int = _SLOPE) -> Pixels:
    """Return an empty sheet, redder downwards and bluer to the right: where a cell is can be seen in the cell itself.

    A vision tower with rotary positions alone has no other way to say where something is.
    """
    down, right = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    cells = np.stack([colour[0] + slope * down, np.full_like(down, colour[1]), colour[2] + slope * right], axis=-1)
    return cells.astype(np.uint8).repeat(CELL, axis=0).repeat(CELL, axis=1)


def at(picture: Pixels, row: int, column: int) -> Pixels:
    """Return the pixels of one cell of a picture, ``(8, 8, 3)``: a view."""
    return picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]


def sprite(thing: Thing) -> Pixels:
    """Return the picture of one cell, ``(8, 8, 3)``: the shape in the middle, the ground on the rim."""
    shape, colour, ground = thing.shape, thing.colour, thing.ground
    cell = at(sheet(_DARK, max(thing.row, thing.column) + 1), thing.row, thing.column).copy()
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
    return at(picture, row, column).repeat(times, axis=0).repeat(times, axis=1)
