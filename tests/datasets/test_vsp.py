"""Walks on grids, against an independent walk over sets of cells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mediation.datasets import simulate
from mediation.errors import DataError

GRID = [[1, 0, 0], [-1, -1, 0], [0, 0, 2]]


def walked(grid, moves):
    """Return whether a walk ends on the goal: complex numbers in the place of rows and columns, one move at a time."""
    cells = {complex(c, -r): v for r, row in enumerate(grid) for c, v in enumerate(row)}
    at = next(place for place, value in cells.items() if value == 1)
    for letter in moves:
        to = at + {"U": 1j, "D": -1j, "L": -1, "R": 1}[letter]
        at = to if to in cells else at
        if cells[at] == -1:
            return False
    return cells[at] == 2


def test_all_walks_of_up_to_six_moves_on_random_maps():
    rng = np.random.default_rng(0)
    reached = 0
    for _ in range(60):
        rows, columns = rng.integers(2, 5, size=2)
        cells = rng.choice([0, 0, -1], size=rows * columns)
        start, goal = rng.choice(rows * columns, size=2, replace=False)
        cells[start], cells[goal] = 1, 2
        grid = cells.reshape(rows, columns).tolist()
        for _ in range(100):
            moves = "".join(rng.choice(list("UDLR"), size=rng.integers(0, 7)))
            assert simulate(grid, moves) == walked(grid, moves), (grid, moves)
            reached += walked(grid, moves)
    assert reached > 50


@pytest.mark.parametrize(
    ("moves", "wanted"),
    [
        ("RRDD", True),
        ("rrdd", True),
        ("R, R, D, D", True),
        ("right right down down", True),
        ("Right -> Right -> Down -> Down", True),
        (r"\boxed{RRDD}", True),
        (r"First \boxed{DD}, no: \boxed{R R D D}.", True),
        ("LURRDD", True),  # off the grid: ignored
        ("RRDDD", True),  # off the grid at the goal: stays there
        ("RRDDL", False),  # past the goal and not back
        ("RRDDLR", True),  # past the goal and back
        ("RDRD", False),  # through a hole
        ("RRD", False),
        ("", False),
        (None, False),
    ],
)
def test_rules_of_mirage(moves, wanted):
    assert simulate(GRID, moves) is wanted


@pytest.mark.parametrize("form", [json.dumps(GRID), np.array(GRID), tuple(map(tuple, GRID)), [[1.0, 0, 0], *GRID[1:]]])
def test_maps_of_every_form(form):
    assert simulate(form, "RRDD")
    assert not simulate(form, "DDRR")


@pytest.mark.parametrize(
    "wrong", ["no map", "[]", [], [[]], [[1, 3]], [[1, 1, 2]], [[1, 0.5, 2]], 7, None, [[1, 2], [0]]]
)
def test_wrong_maps(wrong):
    with pytest.raises(DataError, match=r"^map = "):
        simulate(wrong, "R")
