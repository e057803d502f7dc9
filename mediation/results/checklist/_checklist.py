"""What a report of a mediation analysis must state (AGReMA), filled in from a result."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import final

import pandas as pd

from ..._printable import printable
from .._result import Result
from ..account import text_at
from ..text import markdown, meaning_of
from ._agrema import ITEMS
from ._checklist_facts import facts_of

_WIDTH = 80


@final
@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One item: what it asks for, what the result states, and what is left to you.

    Parameters
    ----------
    number
        From 1 to 25, as in the guideline.
    section
        Part of the report: 'Methods', say.
    name
        What it is about.
    stated
        Sentences from the result; empty where it knows nothing.
    to_state
        What you must still say; empty where nothing is left.
    """

    number: int
    section: str
    name: str
    stated: tuple[str, ...]
    to_state: str


@final
@dataclass(frozen=True, slots=True, repr=False)
class Checklist:
    """The 25 items of A Guideline for Reporting Mediation Analyses (AGReMA), filled in from a result.

    Parameters
    ----------
    title
        One line.
    items
        In the order of the guideline.

    Notes
    -----
    Lee et al. (2021), JAMA 326:1045, long form; items are in words of our own, for networks in place of trials.
    """

    title: str
    items: tuple[ChecklistItem, ...]

    @property
    def open(self) -> tuple[ChecklistItem, ...]:
        """Items of which something is still to be stated."""
        return tuple(item for item in self.items if item.to_state)

    def tidy(self) -> pd.DataFrame:
        """Return one row an item: `number, section, item, stated, to_state`."""
        rows = [(one.number, one.section, one.name, " ".join(one.stated), one.to_state) for one in self.items]
        return pd.DataFrame(rows, columns=["number", "section", "item", "stated", "to_state"])

    def as_text(self) -> str:
        """Return the checklist for a terminal, at most 80 characters wide."""
        lines = [*textwrap.wrap(self.title, _WIDTH), "=" * min(len(self.title), _WIDTH)]
        section = ""
        for item in self.items:
            if item.section != section:
                section = item.section
                lines += ["", section, "-" * len(section)]
            lines.append(f"{item.number:2d}. {item.name}")
            for sentence in item.stated:
                lines += textwrap.wrap(sentence, _WIDTH, initial_indent="    ", subsequent_indent="    ")
            if item.to_state:
                text = f"To state: {item.to_state}"
                lines += textwrap.wrap(text, _WIDTH, initial_indent="    [ ] ", subsequent_indent="        ")
        return printable("\n".join([*lines, "", *textwrap.wrap(self._count(), _WIDTH)]))

    def as_markdown(self) -> str:
        """Return the checklist as Markdown, to edit into a supplement."""
        lines, section = [f"**{self.title}**"], ""
        for item in self.items:
            if item.section != section:
                section = item.section
                lines += ["", f"## {section}", ""]
            said = markdown(" ".join(item.stated))
            lines.append(f"{item.number}. **{item.name}.**{f' {said}' if said else ''}")
            if item.to_state:
                lines.append(f"   - [ ] {item.to_state}")
        return "\n".join([*lines, "", self._count()])

    def as_html(self) -> str:
        """Return the checklist as one HTML element, without scripts or outside styles."""
        rows, section = [], ""
        for item in self.items:
            if item.section != section:
                section = item.section
                rows.append(f'<tr><th colspan="3" style="text-align: left">{escape(section)}</th></tr>')
            todo = f"<em>To state:</em> {escape(item.to_state)}" if item.to_state else ""
            said = "<br>".join(map(escape, item.stated))
            cells = (f"{item.number}. {escape(item.name)}", said, todo)
            style = 'style="text-align: left; vertical-align: top"'
            rows.append("<tr>" + "".join(f"<td {style}>{one}</td>" for one in cells) + "</tr>")
        body = "\n".join(rows)
        return (
            '<div class="mediation-checklist">\n<table>\n'
            f'<caption style="text-align: left"><strong>{escape(self.title)}</strong></caption>\n'
            f"<tbody>\n{body}\n</tbody>\n</table>\n<p>{escape(self._count())}</p>\n</div>"
        )

    def _count(self) -> str:
        return (
            f"{len(self.open)} of {len(self.items)} items are not settled by the result alone. Items: AGReMA (Lee et "
            "al. 2021, JAMA 326:1045), in words of our own."
        )

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()


def checklist_of(result: Result) -> Checklist:
    """Return the checklist of a result."""
    stated = facts_of(result)
    items = []
    for item in ITEMS:
        facts = tuple(stated.get(item.key, ()))
        items.append(ChecklistItem(item.number, item.section, item.name, facts, item.known if facts else item.unknown))
    symbols = dict.fromkeys(meaning_of(str(key)).symbol for key in result.estimands)
    site = text_at(result.provenance, "mediator")
    return Checklist(f"Reporting checklist: {', '.join(symbols)}{f' of {site}' if site else ''}", tuple(items))
