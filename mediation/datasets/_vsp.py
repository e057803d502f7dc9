"""Grids with a start, a goal and holes, and whether a plan of moves crosses them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from .._checks import shown
from ..errors import DataError

Grid: TypeAlias = tuple[tuple[int, ...], ...]

FREE, START, GOAL, HOLE = 0, 1, 2, -1
_STEPS = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
_BOX = re.compile(r"\\boxed\s*\{([^{}]*)\}")


def grid_of(map: str | Sequence[Sequence[int]]) -> Grid:
    """Return a map as a tuple of its rows, checked.

    Parameters
    ----------
    map
        Rows of cells: 0 free, 1 start, 2 goal, -1 hole; nested lists, tuples or arrays, or their text as JSON.

    Returns
    -------
    tuple of tuple of int

    Raises
    ------
    DataError
        If it is no rectangle of such cells, or has not exactly one start and one goal.

    Examples
    --------
    >>> grid_of("[[1, 0], [-1, 2]]")
    ((1, 0), (-1, 2))
    """
    rows: Any = map
    try:
        rows = json.loads(rows) if isinstance(rows, str) else rows
        cells = [[_cell(value) for value in row] for row in rows]
    except (TypeError, ValueError, RecursionError):
        raise DataError(
            f"map = {shown(map)}: rows of cells are needed, such as [[1, 0], [-1, 2]]; 0 is free, 1 the start, 2 the "
            "goal, -1 a hole."
        ) from None
    if not cells or len({len(row) for row in cells}) != 1 or not cells[0]:
        raise DataError(f"map = {shown(map)}: the rows are not equally long, or there are none.")
    for what, value in (("start (1)", START), ("goal (2)", GOAL)):
        count = sum(row.count(value) for row in cells)
        if count != 1:
            raise DataError(f"map = {shown(map)}: exactly one {what} is needed, found {count}.")
    return tuple(tuple(row) for row in cells)


def simulate(map: str | Sequence[Sequence[int]], moves: str | None) -> bool:
    r"""Return whether the moves lead from the start to the goal without a step into a hole.

    The rules are those of Mirage (Yang et al. 2025, ``src/task.py``): a move off the grid is ignored, the first step
    into a hole ends the walk in failure, and what counts is the cell after the last move, so that a walk which passes
    the goal and does not come back fails.

    Parameters
    ----------
    map
        As in `grid_of`: nested lists or their text; 0 free, 1 start, 2 goal, -1 hole.
    moves
        Letters U, D, L, R in any case, or the words up, down, left, right; what else stands there is passed over. If
        there is a ``\boxed{...}``, only the last one is read. None (no answer was found) makes no move.

    Returns
    -------
    bool

    Raises
    ------
    DataError
        If `map` is no such grid, or `moves` no text.

    Examples
    --------
    >>> grid = [[1, 0, 0], [-1, -1, 0], [0, 0, 2]]
    >>> simulate(grid, "RRDD"), simulate(grid, "right, right, down, down"), simulate(grid, "DDRR")
    (True, True, False)
    >>> simulate(grid, r"So the path is \boxed{URRDD}."), simulate(grid, "RRDDL"), simulate(grid, None)
    (True, False, False)
    """
    grid = grid_of(map)
    row, column = next((at, cells.index(START)) for at, cells in enumerate(grid) if START in cells)
    for step in moves_of(moves):
        down, right = _STEPS[step]
        if 0 <= row + down < len(grid) and 0 <= column + right < len(grid[0]):
            row, column = row + down, column + right
        if grid[row][column] == HOLE:
            return False
    return grid[row][column] == GOAL


def moves_of(text: str | None) -> str:
    r"""Return the moves that a text names, as letters U, D, L, R.

    Each of the words up, down, left, right has exactly one of the letters, so that letters and words are read alike.

    Raises
    ------
    DataError
        If `text` is neither a text nor None.

    Examples
    --------
    >>> moves_of("up, Left"), moves_of(r"\boxed{r,d}"), moves_of(None)
    ('UL', 'RD', '')
    """
    if text is None:
        return ""
    if not isinstance(text, str):
        raise DataError(f"moves = {shown(text)}: a text is needed, such as 'RRDD', or None.")
    boxes = _BOX.findall(text)
    return "".join(letter for letter in (boxes[-1] if boxes else text).upper() if letter in _STEPS)


def _cell(value: Any) -> int:
    number = int(value)
    if number != value or number not in (FREE, START, GOAL, HOLE):
        raise ValueError
    return number
