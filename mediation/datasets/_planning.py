"""The planning task: a way over a frozen lake, scored by simulation."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._checks import positive_int
from .._seed import seed_from
from ._scene import NUMBERS, Pixels, at, bitmap, sheet, shown
from ._vsp import FREE, GOAL, HOLE, START, Grid

LAKE: Final = 4
QUESTION: Final = "plan a way from start to goal."
MOVES: Final = {"down": (1, 0), "right": (0, 1), "up": (-1, 0), "left": (0, -1)}
_HOLES = (3, 6)
_LONGEST = 6
_ICE = (140, 180, 200)
_RGB = {START: (40, 190, 60), GOAL: (240, 230, 50), HOLE: (20, 30, 80)}
_MARKS = {START: "square", GOAL: "diamond", HOLE: "disc"}
_PATH = (230, 40, 40)
Cell = tuple[int, int]


def planning(n: int, *, rng: int | np.random.Generator | None = None) -> pd.DataFrame:
    """Return `n` maps of a frozen lake, each with the question how to go from start to goal.

    A map has 4 x 4 cells with three to five holes; the shortest way has two to six moves. Modelled on the spatial
    planning task of VSP (frozen lake) as Mirage uses it. Any way that leads to the goal is right (`simulate`); `answer`
    is a shortest one, the first of them when down goes before right, up and left.

    Parameters
    ----------
    n
        Number of units.
    rng
        Seed or generator; the same gives the same maps.

    Returns
    -------
    pandas.DataFrame
        One unit a row, in the layout of `read`: ``id, question, images, options, answer, category, group, layout``.
        Beside it ``map``, the grid (0 free, 1 start, 2 goal, -1 hole); ``imagined``, the cells of the way in words;
        ``helper_images``, the map with the way drawn in; and the counterfactual, another map whose first move differs:
        ``other_images, other_helper_images, other_answer, other_imagined, other_map``.

    Raises
    ------
    DesignError
        If `n` is no positive number.

    Examples
    --------
    >>> frame = planning(2, rng=0)
    >>> frame.loc[0, "answer"], frame.loc[0, "imagined"]
    ('down right down', 'one three, two three, two four, three four')
    """
    positive_int(n, what="planning: n")
    random = np.random.default_rng(seed_from(rng))
    return pd.DataFrame([_unit(number, random) for number in range(n)])


def lake(random: np.random.Generator) -> tuple[Grid, tuple[Cell, ...]]:
    """Return a map and the cells of its first shortest way, start and goal included."""
    while True:
        cells = random.permutation(LAKE * LAKE)
        holes = int(random.integers(*_HOLES))
        flat = np.zeros(LAKE * LAKE, dtype=int)
        flat[cells[0]], flat[cells[1]], flat[cells[2 : 2 + holes]] = START, GOAL, HOLE
        grid: Grid = tuple(tuple(int(cell) for cell in row) for row in flat.reshape(LAKE, LAKE))
        way = shortest(grid)
        if way is not None and 3 <= len(way) <= _LONGEST + 1:
            return grid, way


def shortest(grid: Grid) -> tuple[Cell, ...] | None:
    """Return the first shortest way from start to goal, or None if there is none."""
    start, goal = _find(grid, START), _find(grid, GOAL)
    # From the goal, so that the first of several ways can be read off from the start.
    far, queue = {goal: 0}, deque([goal])
    while queue:
        cell = queue.popleft()
        for near in _around(grid, cell):
            if near not in far:
                far[near] = far[cell] + 1
                queue.append(near)
    if start not in far:
        return None
    way = [start]
    while way[-1] != goal:
        way.append(next(near for near in _around(grid, way[-1]) if far[near] == far[way[-1]] - 1))
    return tuple(way)


def moves(way: tuple[Cell, ...]) -> str:
    """Return the moves of a way in words, such as ``"down down right"``."""
    names = {step: name for name, step in MOVES.items()}
    return " ".join(names[b[0] - a[0], b[1] - a[1]] for a, b in itertools.pairwise(way))


def in_words(way: tuple[Cell, ...]) -> str:
    """Return the cells of a way in words: what a thought about it says."""
    return ", ".join(f"{NUMBERS[row]} {NUMBERS[column]}" for row, column in way)


def draw_lake(grid: Grid, way: tuple[Cell, ...] = ()) -> Pixels:
    """Return the picture of a map, ``(32, 32, 3)``; the cells of `way` are marked."""
    picture = sheet(_ICE, LAKE)
    for row, cells in enumerate(grid):
        for column, kind in enumerate(cells):
            cell = at(picture, row, column)
            if kind != FREE:
                _inner(cell)[bitmap(_MARKS[kind])] = _RGB[kind]
            if (row, column) in way:
                cell[[0, -1], :] = _PATH
                cell[:, [0, -1]] = _PATH
    return picture


def _inner(cell: Pixels) -> NDArray[np.uint8]:
    return cell[1:-1, 1:-1]


def _around(grid: Grid, cell: Cell) -> list[Cell]:
    near = [(cell[0] + down, cell[1] + right) for down, right in MOVES.values()]
    inside = [(row, column) for row, column in near if 0 <= row < LAKE and 0 <= column < LAKE]
    return [(row, column) for row, column in inside if grid[row][column] != HOLE]


def _find(grid: Grid, kind: int) -> Cell:
    return next((row, column) for row, cells in enumerate(grid) for column, cell in enumerate(cells) if cell == kind)


def _unit(number: int, random: np.random.Generator) -> dict[str, Any]:
    grid, way = lake(random)
    answer = moves(way)
    while True:
        other, other_way = lake(random)
        other_answer = moves(other_way)
        if other_answer.split()[0] != answer.split()[0]:
            break
    return {
        "id": f"planning-{number}",
        "question": QUESTION,
        "images": shown(draw_lake(grid)),
        "options": None,
        "answer": answer,
        "category": f"{len(way) - 1} moves",
        "group": f"planning-{number}",
        "layout": "planning",
        "map": grid,
        "imagined": in_words(way),
        "helper_images": shown(draw_lake(grid, way)),
        "other_images": shown(draw_lake(other)),
        "other_helper_images": shown(draw_lake(other, other_way)),
        "other_answer": other_answer,
        "other_imagined": in_words(other_way),
        "other_map": other,
    }
