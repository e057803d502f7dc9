"""Summary: one table with a title and footnotes, as text, HTML or Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, final

from ..._printable import printable

Align = Literal["left", "right", "decimal"]
Give = Literal["keep", "cut", "drop"]

WIDTH = 100
_GAP = "  "
_LEAST = 12  # a column is never cut below this many characters


@final
@dataclass(frozen=True, slots=True)
class Field:
    """One column of a printed table.

    Parameters
    ----------
    header
        What stands above it.
    cells
        One text per row.
    align
        'left', 'right', or 'decimal' (decimal points in one line).
    give
        What happens to it when the table is too wide for a terminal: 'keep', 'cut' (shortened in the middle), or
        'drop' (left out).
    """

    header: str
    cells: tuple[str, ...]
    align: Align = "left"
    give: Give = "keep"

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", printable(self.header, one_line=True))
        object.__setattr__(self, "cells", tuple(printable(cell, one_line=True) for cell in self.cells))

    def lines(self) -> tuple[str, ...]:
        """Return header and cells, padded to one width."""
        cells = _at_points(self.cells) if self.align == "decimal" else self.cells
        width = max(map(len, (self.header, *cells)))
        if self.align == "left":
            return tuple(text.ljust(width) for text in (self.header, *cells))
        return tuple(text.rjust(width) for text in (self.header, *cells))

    def cut(self, width: int) -> Field:
        """Return the column with cells of at most `width` characters."""
        return Field(self.header, tuple(shorten(cell, width) for cell in self.cells), self.align, self.give)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """A printed result: title, columns, footnotes.

    Parameters
    ----------
    title
        One sentence.
    fields
        Columns, left to right, all of the same length.
    notes
        Footnotes, one sentence or two each.

    Examples
    --------
    >>> print(Summary("Effects", (Field("", ("TE",)), Field("estimate", ("1.50",), "decimal")), ("n = 20.",)))
    Effects
    ------------
        estimate
    ------------
    TE      1.50
    ------------
    n = 20.
    """

    title: str
    fields: tuple[Field, ...]
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "notes", tuple(map(printable, self.notes)))

    def as_text(self) -> str:
        """Return the summary for a terminal, at most 100 characters wide."""
        columns = [field.lines() for field in _fitted(self.fields)]
        rows = [_GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
        width = min(WIDTH, max([len(row) for row in rows] + [min(len(self.title), WIDTH)]))
        rule = "-" * width
        notes = [line for note in self.notes for line in textwrap.wrap(note, WIDTH, subsequent_indent="  ")]
        return "\n".join([*textwrap.wrap(self.title, WIDTH), rule, rows[0], rule, *rows[1:], rule, *notes])

    def as_markdown(self) -> str:
        """Return the summary as a Markdown table, with the notes as a list."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(markdown(cell) for cell in cells) + " |"

        marks = ["---" if field.align == "left" else "---:" for field in self.fields]
        head = [line([field.header for field in self.fields]), "| " + " | ".join(marks) + " |"]
        body = [line(cells) for cells in zip(*(field.cells for field in self.fields), strict=True)]
        return "\n".join(
            [f"**{markdown(self.title)}**", "", *head, *body, "", *(f"- {markdown(n)}" for n in self.notes)]
        )

    def as_html(self) -> str:
        """Return the summary as one HTML element, without scripts or outside styles."""

        def cell(tag: str, field: Field, text: str) -> str:
            side = "left" if field.align == "left" else "right"
            scope = ' scope="col"' if tag == "th" else ""
            return f'<{tag}{scope} style="text-align: {side}; white-space: nowrap">{escape(text)}</{tag}>'

        head = "".join(cell("th", field, field.header) for field in self.fields)
        rows = zip(*(field.cells for field in self.fields), strict=True)
        body = "\n".join(
            "<tr>" + "".join(cell("td", field, text) for field, text in zip(self.fields, row, strict=True)) + "</tr>"
            for row in rows
        )
        notes = "\n".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            '<div class="mediation-summary">\n<table>\n'
            f'<caption style="text-align: left"><strong>{escape(self.title)}</strong></caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
            f'<ul style="list-style: none; padding-left: 0; font-size: smaller">\n{notes}\n</ul>\n</div>'
        )

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, its middle replaced by '...'.

    Examples
    --------
    >>> shorten("model.layers.12.self_attn.o_proj", 20)
    'model.lay...n.o_proj'
    """
    if len(text) <= width:
        return text
    tail = (width - 3) // 2
    return text[: width - 3 - tail] + "..." + text[len(text) - tail :]


def _fitted(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the columns that fit: first the droppable go, then the cuttable are shortened."""

    def width(columns: Sequence[Field]) -> int:
        return sum(len(field.lines()[0]) for field in columns) + len(_GAP) * (len(columns) - 1)

    kept = list(fields)
    for field in reversed(fields):
        if width(kept) > WIDTH and field.give == "drop":
            kept.remove(field)
    while width(kept) > WIDTH:
        widths = [len(field.lines()[0]) if field.give == "cut" else 0 for field in kept]
        widest = max(widths, default=0)
        if widest <= _LEAST:
            break
        at = widths.index(widest)
        kept[at] = kept[at].cut(max(_LEAST, widest - (width(kept) - WIDTH)))
    return tuple(kept)


def _at_points(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells padded on the right so that their decimal points are in one column."""
    tails = [len(cell) - cell.index(".") if "." in cell else 0 for cell in cells]
    most = max(tails, default=0)
    return tuple(cell + " " * (most - tail) if cell else cell for cell, tail in zip(cells, tails, strict=True))


def markdown(text: str) -> str:
    """Return `text` with the marks of Markdown escaped."""
    for mark in ("\\", "|", "*", "_", "`", "<"):
        text = text.replace(mark, "\\" + mark)
    return text
