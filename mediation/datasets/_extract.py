"""The answer that a text gives, by the rule that all benchmarks share and the rules that some have of their own."""

from __future__ import annotations

import re

from .._answers import Options, extract_answer, options_of
from .._checks import shown, suggestion
from ..errors import DataError
from ._layouts import LAYOUTS

_BOXED = re.compile(r"\\boxed\s*\{")
_TAGGED = re.compile(r"<answer>", re.IGNORECASE)
_MME_OPENINGS = re.compile(
    r"The (?:best |correct )?answer(?: is)?|The (?:best|correct) option is|Best (?:answer|option):"
)
_MME_LETTER = re.compile(r"[ABCDE]")
_OWN = ("lvr", "needle", "planning")
_MOVES = re.compile(r"\b(?:up|down|left|right)\b")


def extract(text: str, options: Options | None = None, *, layout: str | None = None) -> str | None:
    r"""Return the answer that `text` gives: a letter where there are options, otherwise a text, or None.

    The rule that all share is that of `AnswerCorrect`, without a judge and without a guess: the last ``\boxed{}``, then
    ``<answer>``, then what follows "answer is", then a lone letter, then the text of exactly one option. Some layouts
    have rules of their own:

    - ``"mme-realworld-lite"``: if there is neither a box nor ``<answer>``, openings such as "The best answer is" are
      cut and the first of the letters A to E is the answer, wherever it stands (MME-RealWorld's own rule), and
      failing that, the shared rule;
    - ``"vsp"``: what stands in the last box, and nothing else (Mirage);
    - ``"tablevqa"``: the shared rule for a box, ``<answer>`` and "answer is"; otherwise the whole text;
    - ``"planning"``, the synthetic task: the words that are moves;
    - ``"lvr"``: the first character after the last ``<answer>``, if it is a capital letter (the evaluation of LVR, by
      which everything else is wrong).

    Parameters
    ----------
    text
        What the model wrote after its thought.
    options
        Texts in the order A, B, ..., or a mapping from letters to texts; None for free answers.
    layout
        One of the layouts of `read`, of `needle` or `planning`, or ``"lvr"``; None for the shared rule.

    Raises
    ------
    DataError
        If `text` is no text or there is no such layout.
    OutcomeError
        If `options` are not of one of the forms.

    Examples
    --------
    >>> extract(r"It is blue: \boxed{B}", ("red", "blue")), extract("<answer> (A) red </answer>", ("red", "blue"))
    ('B', 'A')
    >>> extract("The best answer is: (E)", layout="mme-realworld-lite"), extract("Answer: 2004", layout="tablevqa")
    ('E', '2004')
    >>> extract("It may be red or blue.", ("red", "blue")) is None
    True
    """
    if not isinstance(text, str):
        raise DataError(f"extract: text = {shown(text)}: a text is needed.")
    if layout is not None and (not isinstance(layout, str) or layout not in (*LAYOUTS, *_OWN)):
        names = [*LAYOUTS, *_OWN]
        raise DataError(f"extract: layout = {shown(layout)}: there is none of this name. {suggestion(layout, names)}")
    if layout == "lvr":
        return _after_tag(text, options)
    if layout == "planning":
        return " ".join(_MOVES.findall(text)) or None
    if layout == "vsp":
        return extract_answer(text) if _BOXED.search(text) else None
    if layout == "tablevqa" and options is None:
        return _short(text)
    if layout == "mme-realworld-lite" and not (_BOXED.search(text) or _TAGGED.search(text)):
        return _first_letter(text, options) or extract_answer(text, options)
    return extract_answer(text, options)


def _after_tag(text: str, options: Options | None) -> str | None:
    words = _TAGGED.split(text)[-1].split()
    letter = words[0][0] if words else ""
    known = options_of(options)
    allowed = letter in known if known is not None else "A" <= letter <= "Z"
    return letter if letter and allowed else None


def _first_letter(text: str, options: Options | None) -> str | None:
    found = _MME_LETTER.search(_MME_OPENINGS.sub("", text))
    known = options_of(options)
    return found[0] if found and (known is None or found[0] in known) else None


def _short(text: str) -> str | None:
    marked = _BOXED.search(text) or _TAGGED.search(text) or re.search(r"\banswer\s*(?:is\b|:)", text, re.IGNORECASE)
    found = extract_answer(text) if marked else None
    return found or " ".join(text.split()) or None
