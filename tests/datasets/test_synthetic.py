"""The synthetic tasks: what the pictures show is what the questions, answers and thoughts say."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from mediation.datasets import needle, opened, planning, simulate, synthetic
from mediation.datasets._planning import shortest
from mediation.errors import DesignError


def cells(picture, side):
    pixels = np.asarray(picture)
    assert pixels.shape == (side * 8, side * 8, 3)
    return {(r, c): pixels[r * 8 : r * 8 + 8, c * 8 : c * 8 + 8] for r in range(side) for c in range(side)}


def read_scene(picture):
    """What a picture shows, found by comparing every cell with every sprite."""
    found = {}
    blank = cells(synthetic.draw(()), synthetic.SIDE)
    for where, cell in cells(picture, synthetic.SIDE).items():
        if not (cell == blank[where]).all():
            (found[where],) = [what for what, sprite in sprites(*where).items() if sprite == cell.tobytes()]
    return found


@cache
def sprites(row, column):
    """Every object there is, drawn in one cell."""
    every = itertools.product(synthetic.SHAPES, synthetic.COLOURS, synthetic.GROUNDS)
    return {what: synthetic.sprite(synthetic.Thing(*what, row, column)).tobytes() for what in every}


def test_all_sprites_differ():
    for where in np.ndindex(6, 6):
        assert len(set(sprites(*where).values())) == 8 * 8 * 4


def test_a_cell_shows_where_it_is_unless_all_of_it_is_covered():
    """A framed square is the one object that leaves nothing of the sheet to be seen."""
    looks = {}
    for where in np.ndindex(6, 6):
        for what, sprite in sprites(*where).items():
            looks.setdefault(what, set()).add(sprite)
    assert {what[::2] for what, seen in looks.items() if len(seen) < 36} == {("square", "framed")}


@pytest.mark.parametrize("kind", list(synthetic.QUESTIONS))
def test_answers_and_thoughts_are_what_the_picture_shows(kind):
    frame = needle(40, kind=kind, rng=3)
    for _, unit in frame.iterrows():
        for images, answer, told in (
            (unit["images"], unit["answer"], unit["imagined"]),
            (unit["other_images"], unit["other_answer"], unit["other_imagined"]),
        ):
            seen = read_scene(opened(images)[0])
            assert len(seen) == 6
            assert len({shape for shape, _, _ in seen.values()}) == 6
            ((row, column),) = [where for where, what in seen.items() if what[0] == unit["shape"]]
            _, colour, ground = seen[row, column]
            row, column = synthetic.NUMBERS[row], synthetic.NUMBERS[column]
            assert answer == {"colour": colour, "ground": ground, "row": row, "column": column}[kind]
            assert told == f"row {row} column {column}: a {colour} {unit['shape']} on {ground} ground"
        assert unit["answer"] in unit["options"]
        assert unit["answer"] != unit["other_answer"]
        assert unit["shape"] in unit["question"]


@pytest.mark.parametrize("kind", list(synthetic.QUESTIONS))
def test_the_counterfactual_scene_differs_in_one_object_and_one_attribute(kind):
    for _, unit in needle(40, kind=kind, rng=5).iterrows():
        (pair,) = [(a, b) for a, b in zip(unit["things"], unit["other_things"], strict=True) if a != b]
        changed = [
            name for name in ("shape", "colour", "ground", "row", "column") if len({getattr(x, name) for x in pair}) > 1
        ]
        assert changed == [kind]
        assert len({(thing.row, thing.column) for thing in unit["other_things"]}) == 6


def test_the_region_of_interest_holds_the_object():
    for _, unit in needle(60, rng=1).iterrows():
        left, top, right, bottom = unit["box"]
        row, column = (synthetic.NUMBERS.index(unit[name]) for name in ("row", "column"))
        assert left * 6 <= column < right * 6
        assert top * 6 <= row < bottom * 6
        assert (right - left) * 6 == pytest.approx(2)


def test_other_objects_do_not_tell_the_answer():
    """The colours of the other five objects are independent of the answer: a guess from them is right 1 time in 8."""
    frame = needle(4000, rng=0)
    others = np.array(
        [
            np.mean([thing.colour == unit["answer"] for thing in unit["things"] if thing.shape != unit["shape"]])
            for _, unit in frame.iterrows()
        ]
    )
    error = others.std() / np.sqrt(len(others))
    assert abs(others.mean() - 1 / 8) < 4 * error
    counts = frame["answer"].value_counts()
    assert len(counts) == 8
    assert abs(counts / 4000 - 1 / 8).max() < 4 * np.sqrt(1 / 8 * 7 / 8 / 4000)


def all_ways(grid, length):
    """Answers of at most `length` moves that lead to the goal, by trying all of them."""
    for size in range(1, length + 1):
        for steps in itertools.product(synthetic.MOVES, repeat=size):
            if simulate(grid, " ".join(steps)):
                yield " ".join(steps)


def test_the_answer_of_a_map_is_a_shortest_way():
    frame = planning(30, rng=2)
    for _, unit in frame.iterrows():
        assert simulate(unit["map"], unit["answer"])
        assert simulate(unit["other_map"], unit["other_answer"])
        assert unit["answer"].split()[0] != unit["other_answer"].split()[0]
        length = len(unit["answer"].split())
        assert 2 <= length <= 6
        if length <= 4:
            assert len(next(all_ways(unit["map"], length)).split()) == length


def test_the_thought_of_a_map_is_the_way_cell_by_cell():
    for _, unit in planning(30, rng=4).iterrows():
        way = [tuple(synthetic.NUMBERS.index(word) for word in cell.split()) for cell in unit["imagined"].split(", ")]
        assert tuple(way) == shortest(unit["map"])
        assert unit["map"][way[0][0]][way[0][1]] == 1
        assert unit["map"][way[-1][0]][way[-1][1]] == 2


def test_pictures_of_maps_show_the_map():
    for _, unit in planning(20, rng=6).iterrows():
        shown = cells(opened(unit["images"])[0], 4)
        drawn = np.asarray(synthetic.draw_lake(((0,) * 4,) * 4))
        by_kind = {}
        for (row, column), cell in shown.items():
            marked = (cell != cells(drawn, 4)[row, column]).any(axis=-1)
            by_kind.setdefault(unit["map"][row][column], set()).add((marked.tobytes(), cell[marked].tobytes()))
        assert all(len(looks) == 1 for looks in by_kind.values())
        assert len(set.union(*by_kind.values())) == len(by_kind)


@pytest.mark.parametrize("make", [needle, planning])
def test_same_seed_same_units(make):
    one, two, three = make(5, rng=1), make(5, rng=1), make(5, rng=2)
    assert one["answer"].tolist() == two["answer"].tolist()
    assert [np.asarray(opened(a)[0]).tobytes() for a in one["images"]] == [
        np.asarray(opened(b)[0]).tobytes() for b in two["images"]
    ]
    assert one["imagined"].tolist() != three["imagined"].tolist()


def test_wrong_calls_are_refused():
    with pytest.raises(DesignError, match="colour"):
        needle(3, kind="color")
    with pytest.raises(DesignError, match="n"):
        planning(0)
