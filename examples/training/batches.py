"""Batches of the two tasks, drawn fresh at every step: pictures, token ids, and what a thought should hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from mediation.datasets import synthetic

KINDS = {"colour": 0.5, "ground": 0.2, "row": 0.15, "column": 0.15}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Units of one kind of question.

    Attributes
    ----------
    kind
        "colour", "ground", "row", "column" or "planning".
    pixels
        ``(units, height, width, 3)``, whole numbers from 0 to 255.
    helper
        The helper image: the object's cell, four times as wide and high, or the map with the way drawn in.
    region
        Numbers of the visual tokens of the region of interest, ``(units, 4)``; None for maps.
    cells
        Words for what is in each visual token's cell, ``(units, tokens, 5)``; -1 where there is none.
    question, search, answer, imagined, description, listing
        Token ids, ``(units, tokens)``, padded on the right with -1; `search` asks for what `imagined` says. The
        answer ends with the end-of-turn token. `listing` names every object, in any order, shape first; for maps it is
        the description.
    things
        The scenes or maps, for scoring.
    """

    kind: str
    pixels: Tensor
    helper: Tensor
    region: Tensor | None
    cells: Tensor
    question: Tensor
    search: Tensor
    answer: Tensor
    imagined: Tensor
    description: Tensor
    listing: Tensor
    things: tuple[Any, ...]


class Sampler:
    """Draws batches; `rng` alone decides what comes."""

    def __init__(self, tokenizer: Any, rng: np.random.Generator) -> None:
        self._tokenizer = tokenizer
        self.random = rng
        self._known: dict[str, list[int]] = {}

    def draw(self, units: int, *, planning: float, kind: str | None = None, few: float = 0.0) -> Batch:
        """Return a batch: of maps with probability `planning`, else of scenes, with probability `few` sparser ones."""
        if kind == "planning" or (kind is None and self.random.random() < planning):
            return self._maps(units)
        most = int(self.random.integers(1, 6)) if few and self.random.random() < few else None
        return self._scenes(units, kind or str(self.random.choice(list(KINDS), p=list(KINDS.values()))), most)

    def _scenes(self, units: int, kind: str, most: int | None) -> Batch:
        pixels, helper, region, texts, scenes = [], [], [], [], []
        cells = torch.full((units, synthetic.SIDE**2, 5), -1)
        for unit in range(units):
            things = synthetic.scene(self.random)
            if most is not None:
                kept = np.sort(self.random.permutation(len(things))[:most])
                things = tuple(things[index] for index in kept)
            thing = things[int(self.random.integers(len(things)))]
            pixels.append(_draw(things))
            cell = _sprite(thing)
            helper.append(cell.repeat(synthetic.ZOOM, axis=0).repeat(synthetic.ZOOM, axis=1))
            top, left, bottom, right = synthetic.region(thing)
            rows, columns = range(top, bottom), range(left, right)
            region.append([row * synthetic.SIDE + column for row in rows for column in columns])
            question = synthetic.QUESTIONS[kind].format(shape=thing.shape)
            answer = f" {synthetic.attribute(thing, kind)}<|im_end|>"
            search = synthetic.FIND.format(shape=thing.shape)
            told = f" {synthetic.imagined(thing)}", f" {synthetic.description(things)}", self._listing(things)
            texts.append((question, search, answer, *told))
            scenes.append(things)
            for one in things:
                place = (synthetic.NUMBERS[one.row], synthetic.NUMBERS[one.column])
                words = (self._tokens(f" {word}")[0] for word in (one.colour, one.shape, one.ground, *place))
                cells[unit, one.row * synthetic.SIDE + one.column] = torch.tensor(list(words))
        return self._batch(kind, (pixels, helper), (torch.tensor(region), cells), texts, scenes)

    def _maps(self, units: int) -> Batch:
        pixels, helper, texts, maps = [], [], [], []
        for _ in range(units):
            grid, way = synthetic.lake(self.random)
            pixels.append(synthetic.draw_lake(grid))
            helper.append(synthetic.draw_lake(grid, way))
            answer = f" {synthetic.moves(way)}<|im_end|>"
            description = f" {synthetic.map_description(grid)}"
            told = f" {synthetic.in_words(way)}", description, description
            texts.append((synthetic.QUESTION, synthetic.MARK, answer, *told))
            maps.append(grid)
        words = {cell: self._tokens(f" {word}")[0] for cell, word in synthetic.CELLS.items()}
        names = torch.tensor([[words[cell] for row in grid for cell in row] for grid in maps])
        place = torch.tensor(
            [
                [self._tokens(f" {synthetic.NUMBERS[at]}")[0] for at in divmod(cell, synthetic.LAKE)]
                for cell in range(synthetic.LAKE**2)
            ]
        )
        cells = torch.cat([names[:, :, None], place.expand(units, -1, -1)], dim=2)
        return self._batch("planning", (pixels, helper), (None, cells), texts, maps)

    def _listing(self, things: tuple[synthetic.Thing, ...]) -> str:
        """Return every object of a scene in a random order: shape, colour, ground, row, column."""
        shown = (things[index] for index in self.random.permutation(len(things)))
        clauses = (
            f" {one.shape} {one.colour} {one.ground} {synthetic.NUMBERS[one.row]} {synthetic.NUMBERS[one.column]}"
            for one in shown
        )
        return ";".join(clauses)

    def _batch(
        self, kind: str, pictures: tuple[Any, Any], where: tuple[Any, Any], texts: list[Any], things: list[Any]
    ) -> Batch:
        said = (self._ids(column) for column in zip(*texts, strict=True))
        drawn = (torch.from_numpy(np.stack(one)) for one in pictures)
        return Batch(kind, *drawn, *where, *said, tuple(things))

    def _ids(self, texts: tuple[str, ...]) -> Tensor:
        rows = [self._tokens(text) for text in texts]
        return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, -1)

    def _tokens(self, text: str) -> list[int]:
        """Return a text's ids; sentences are put together from known clauses, since tokenizing each costs more."""
        clauses = text.replace("; ", ";\0 ").split("\0")
        found: list[int] = []
        for clause in clauses:
            if clause not in self._known:
                self._known[clause] = self._tokenizer(clause)["input_ids"]
            found += self._known[clause]
        return found


@cache
def _sprite(thing: synthetic.Thing) -> Any:
    return synthetic.sprite(thing)


def _draw(things: tuple[synthetic.Thing, ...]) -> Any:
    side, cell = synthetic.SIDE, synthetic.CELL
    picture = _empty(side * cell).copy()
    for thing in things:
        rows, columns = (slice(at * cell, (at + 1) * cell) for at in (thing.row, thing.column))
        picture[rows, columns] = _sprite(thing)
    return picture


@cache
def _empty(pixels: int) -> Any:
    return synthetic.draw((), pixels // synthetic.CELL)
