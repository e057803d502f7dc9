"""The layouts of public benchmarks: which columns a file has, and what a row of it asks."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from .._checks import listed, shown, suggestion
from ..errors import DataError
from ._files import Record
from ._vsp import Grid, grid_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIRECTLY = "Answer with the option's letter from the given choices directly."
_IN_BRACKETS = re.compile(r"[(\uff08]([A-Z])[)\uff09]\s*(.*)", re.DOTALL)
_TABLES = ("vwtq_syn", "vwtq", "vtabfact", "fintabnetqa")
_IMAGE = re.compile(r"[ \t]*<image>")
# Read where they are there, in one layout or another.
_OPTIONAL = frozenset(
    {*LETTERS, *(f"image_{at}" for at in range(1, 10)), "index", "question_id", "id", "hint", "subject", "prompt"}
    | {"split", "qa_id", "label", "text", "image", "bytes", "question", "gt", "answer", "category"}
)


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks: the whole question, its images as they are stored, its options and its answer."""

    id: str | None
    question: str
    images: tuple[Any, ...]
    options: tuple[str, ...] | None
    answer: str | None
    category: str
    map: Grid | None = None
    cycle: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: its name, the columns of each form in which it is published, and how a row is read."""

    name: str
    forms: tuple[frozenset[str], ...]
    asked: Callable[[Record], Asked]

    def fits(self, columns: frozenset[str]) -> bool:
        """Whether a file with these columns can be read so."""
        return any(form <= columns for form in self.forms)

    def needed(self, columns: frozenset[str]) -> frozenset[str]:
        """Return which of a file's columns may be read."""
        return columns & _OPTIONAL.union(*self.forms)

    @property
    def columns(self) -> str:
        """The columns that are needed, for messages."""
        return " or ".join(", ".join(sorted(form)) for form in self.forms)


def _vstar(record: Record) -> Asked:
    cells = record.cells
    if "text" not in cells:
        options = _lettered(record)
        question, answer = _with_brackets(record, options), _text(record, "answer")
    else:
        question, answer = _text(record, "text"), _text(record, "label")
        marked = [found for line in question.splitlines() if (found := _IN_BRACKETS.fullmatch(line.strip()))]
        options = tuple(found[2].strip() for found in marked)
        if len(options) < 2 or [found[1] for found in marked] != list(LETTERS[: len(options)]):
            raise DataError(f"{record.where}: no lines '(A) ...', '(B) ...' in the text {shown(question)}.")
    name = _optional(record, "question_id") or _optional(record, "index")
    return Asked(name, question, _image(record), options, _letter(record, answer, options), _text(record, "category"))


def _hrbench(record: Record) -> Asked:
    options = _lettered(record)
    question = "\n".join([_text(record, "question").strip(), *_stops(options), "Answer the option letter directly."])
    return Asked(
        _text(record, "index"),
        question,
        _image(record),
        options,
        _letter(record, _text(record, "answer"), options),
        _text(record, "category"),
        cycle=_text(record, "cycle_category"),
    )


def _mme(record: Record) -> Asked:
    marked = [_IN_BRACKETS.fullmatch(str(text).strip()) for text in _list(record, "multi-choice options")]
    options = tuple(found[2].strip() for found in marked if found)
    if len(options) != len(marked) or [found[1] for found in marked if found] != list(LETTERS[: len(options)]):
        raise DataError(f"{record.where}: column 'multi-choice options': '(A) ...', '(B) ...' in order are needed.")
    question = "\n".join(
        [
            f"{_text(record, 'question')} The choices are listed below:",
            *_brackets(options),
            "Select the best answer to the above multiple-choice question based on the image. Respond with only the "
            "letter (A, B, C, D, or E) of the correct option.",
            "The best answer is:",
        ]
    )
    images = _image(record, "bytes" if "bytes" in record.cells else "image")
    answer = _letter(record, _text(record, "answer"), options)
    return Asked(_text(record, "index"), question, images, options, answer, _text(record, "category"))


def _blink(record: Record) -> Asked:
    cells = record.cells
    options = tuple(str(text).strip() for text in _list(record, "choices"))
    places = sorted(name for name in cells if re.fullmatch(r"image_[1-9]", name))
    images = tuple(cells[name] for name in places if cells[name] is not None)
    if not images:
        raise DataError(f"{record.where}: none of the columns image_1 to image_4 holds an image.")
    answer = _text(record, "answer")
    hidden = answer.strip().lower() == "hidden"
    asked = _optional(record, "prompt")
    question = asked or _with_brackets(record, options)
    right = None if hidden else _letter(record, answer, options)
    return Asked(_text(record, "idx"), question, images, options, right, _text(record, "sub_task"))


def _scienceqa(record: Record) -> Asked:
    cells = record.cells
    options = tuple(str(text).strip() for text in _list(record, "choices"))
    hint, place = _optional(record, "hint"), cells.get("answer")
    if isinstance(place, str) and place.strip().isdigit():
        place = int(place)
    if isinstance(place, float) and place.is_integer():
        place = int(place)
    if not isinstance(place, int) or not 0 <= place < len(options):
        raise DataError(
            f"{record.where}: answer = {shown(place)}; the place of a choice, 0 to {len(options) - 1}, is needed."
        )
    lines = [_text(record, "question"), *_stops(options), DIRECTLY]
    question = "\n".join([f"Context: {hint}", *lines] if hint else lines)
    images = _image(record) if cells.get("image") is not None else ()
    category = _optional(record, "subject") or "all"
    return Asked(_optional(record, "id"), question, images, options, LETTERS[place], category)


def _vsp(record: Record) -> Asked:
    try:
        grid = grid_of(record.cells["map_desc"])
    except DataError as error:
        raise DataError(f"{record.where}: column 'map_desc': {error}") from error
    level = f"{len(grid)}x{len(grid[0])}"
    question = _IMAGE.sub("", _text(record, "text_input")).strip()
    return Asked(
        f"{level}/{_text(record, 'map_id')}", question, _image(record, "image_input"), None, None, level, map=grid
    )


def _tablevqa(record: Record) -> Asked:
    cells = record.cells
    named = _optional(record, "split") or (record.file.stem if record.file is not None else "")
    category = next((name for name in _TABLES if name in named.lower()), None)
    if category is None:
        raise DataError(
            f"{record.where}: neither a column 'split' nor the file's name tells which of {listed(_TABLES)} it is of."
        )
    asked, answer = _text(record, "question"), _text(record, "gt" if "gt" in cells else "answer")
    if category == "vtabfact":
        if answer not in ("0", "1", "True", "False"):
            raise DataError(f"{record.where}: the answer to a statement is {shown(answer)}; 0 or 1 is needed.")
        answer = "True" if answer in ("1", "True") else "False"
        question = (
            f"Is the statement about the table in the image true? Answer True or False.\nStatement: {asked}\nAnswer:"
        )
    else:
        how = "Answer with a single word or number. Put || between several answers."
        if category == "fintabnetqa":
            how = "Answer with a few words, with the unit if there is one."
        question = f"Answer the question about the table in the image. {how}\nQuestion: {asked}\nAnswer:"
    name = _optional(record, "qa_id") or _optional(record, "index")
    return Asked(name, question, _image(record), None, answer, category)


def _text(record: Record, column: str) -> str:
    """Return the text of a cell that must be there."""
    found = record.cells.get(column)
    if found is None or str(found).strip() == "":
        raise DataError(f"{record.where}: column {column!r} is empty.")
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return str(found)


def _optional(record: Record, column: str) -> str | None:
    found = record.cells.get(column)
    return None if found is None or str(found).strip() == "" else _text(record, column)


def _image(record: Record, column: str = "image") -> tuple[Any, ...]:
    found = record.cells.get(column)
    if found is None or (isinstance(found, str) and not found.strip()):
        raise DataError(f"{record.where}: column {column!r} holds no image.")
    return tuple(found) if isinstance(found, list) else (found,)


def _list(record: Record, column: str) -> list[Any]:
    """Return a list, which TSV and CSV hold as its text, of Python or of JSON."""
    found = record.cells.get(column)
    if isinstance(found, str):
        for reader in (json.loads, ast.literal_eval):
            try:
                found = reader(found)
                break
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
    if not isinstance(found, (list, tuple)) or len(found) < 2:
        raise DataError(f"{record.where}: column {column!r} holds {shown(found)}; a list of two or more is needed.")
    return list(found)


def _lettered(record: Record) -> tuple[str, ...]:
    """Return the options of the columns A, B, ... up to the first that is empty."""
    texts: list[str] = []
    for letter in LETTERS:
        text = _optional(record, letter)
        if text is None:
            break
        texts.append(text.strip())
    if len(texts) < 2:
        raise DataError(f"{record.where}: the columns A, B, ... hold {len(texts)} options; two are needed.")
    return tuple(texts)


def _letter(record: Record, answer: str, options: Sequence[str]) -> str:
    letter = answer.strip().strip("()").upper()
    if letter not in LETTERS[: len(options)] or len(letter) != 1:
        raise DataError(
            f"{record.where}: the answer {shown(answer)} is none of the options {', '.join(LETTERS[: len(options)])}."
        )
    return letter


def _stops(options: Sequence[str]) -> list[str]:
    return [f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False)]


def _brackets(options: Sequence[str]) -> list[str]:
    return [f"({letter}) {text}" for letter, text in zip(LETTERS, options, strict=False)]


def _with_brackets(record: Record, options: Sequence[str]) -> str:
    return "\n".join([_text(record, "question"), *_brackets(options), DIRECTLY])


def _layout(name: str, asked: Callable[[Record], Asked], *forms: str) -> tuple[str, Layout]:
    return name, Layout(name, tuple(frozenset(form.split(";")) for form in forms), asked)


LAYOUTS: Mapping[str, Layout] = dict(
    [
        _layout("hrbench", _hrbench, "index;image;question;A;B;answer;category;cycle_category"),
        _layout("vstar", _vstar, "image;text;label;category", "image;question;A;B;answer;category"),
        _layout(
            "mme-realworld-lite",
            _mme,
            "index;bytes;question;multi-choice options;answer;category",
            "index;image;question;multi-choice options;answer;category",
        ),
        _layout("blink", _blink, "idx;sub_task;image_1;question;choices;answer"),
        _layout("scienceqa", _scienceqa, "image;question;choices;answer;hint"),
        _layout("vsp", _vsp, "text_input;image_input;map_id;map_desc"),
        _layout("tablevqa", _tablevqa, "image;question;gt", "image;question;answer;split"),
    ]
)


def guessed(columns: frozenset[str], source: str) -> Layout:
    """Return the first layout that these columns fit.

    Raises
    ------
    DataError
        If there is none; says which columns were found and which each layout has.
    """
    fits = next((layout for layout in LAYOUTS.values() if layout.fits(columns)), None)
    if fits is None:
        known = "; ".join(f"{layout.name}: {layout.columns}" for layout in LAYOUTS.values())
        raise DataError(f"read: {source} has the columns {listed(sorted(columns))}, as no layout. Those have {known}.")
    return fits


def named(name: str, columns: frozenset[str], source: str) -> Layout:
    """Return the layout of this name.

    Raises
    ------
    DataError
        If there is none of this name, or the file lacks its columns.
    """
    if not isinstance(name, str) or name not in LAYOUTS:
        raise DataError(f"read: layout = {shown(name)}: there is none of this name. {suggestion(name, [*LAYOUTS])}")
    layout = LAYOUTS[name]
    if not layout.fits(columns):
        lacks = min((sorted(form - columns) for form in layout.forms), key=len)
        raise DataError(
            f"read: {source} lacks {listed(lacks)} of layout {name!r} ({layout.columns}); it has "
            f"{listed(sorted(columns))}."
        )
    return layout


def source_name(source: Any) -> str:
    """Return how messages call what is read.

    Examples
    --------
    >>> source_name("data/vstar.jsonl")
    "'data/vstar.jsonl'"
    """
    return repr(str(source)) if isinstance(source, (str, Path)) else "the frame"
