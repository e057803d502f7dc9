"""The options of a question: letters and texts, and which of them an answer names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from .._checks import called, shown
from ..errors import OutcomeError

Options: TypeAlias = Mapping[str, str] | Sequence[str]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_IN_BRACKETS = re.compile(r"\s*\(([A-Za-z])\)\s*(\S.*?)\s*", re.DOTALL)
_WITH_STOP = re.compile(r"\s*([A-Za-z])[.):]\s+(\S.*?)\s*", re.DOTALL)
_ALONE = re.compile(r"\(?([A-Za-z])\)?[.):]?")
_LEADING = re.compile(r"\(([A-Za-z])\)|([A-Za-z])[.):](?=\s|$)|([A-Z])(?=,)")
_TITLE = re.compile(r"(?:the\s+)?(?:option|choice|letter)\s+(?=\S)", re.IGNORECASE)
_HEDGE = re.compile(r"\(?[A-Za-z]\)?[.):]?\s*(?:,|/|&|\bor\b|\band\b)\s*(?:or\b|and\b)?\s*\(?([A-Z])\)?(?![\w'])")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def options_of(value: object) -> dict[str, str] | None:
    r"""Return the options of a question as texts by letter.

    Parameters
    ----------
    value
        One of

        - a mapping from letters to texts; letters whose text is missing (None or NaN) are left out;
        - a list, tuple or array of texts, which get the letters A, B, ... in order;
        - such a list in which every text has its letter: ``"(A) red"`` (any letters), or ``"A. red"``, ``"A) red"``,
          ``"A: red"`` (in the order A, B, ..., so that a list of names with initials is not taken for one);
        - a text of several lines, of which those that begin so are the options;
        - None or NaN: the question is open.

        Numbers stand for their text.

    Returns
    -------
    dict or None
        Capital letter to text, blanks collapsed.

    Raises
    ------
    OutcomeError
        If `value` is of another form, has fewer than two options or more than 26, or a letter twice, or an empty text.

    Examples
    --------
    >>> options_of(["red", "blue"])
    {'A': 'red', 'B': 'blue'}
    >>> options_of("What colour?\n(A) red\n(B) blue\nAnswer with the letter.")
    {'A': 'red', 'B': 'blue'}
    """
    if _missing(value):
        return None
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, Mapping):
        entries = [(_key(key, plain), text) for key, text in plain.items() if not _missing(text)]
    elif isinstance(plain, str):
        entries = _from_lines(plain)
    elif isinstance(plain, (list, tuple)):
        entries = _from_list(plain)
    else:
        raise OutcomeError(
            f"options = {shown(value)}: {called(value)} is no set of options. Give texts in the order A, B, ..., or a "
            "mapping from letters to texts, such as {'A': 'red', 'B': 'blue'}."
        )
    options: dict[str, str] = {}
    for letter, text in entries:
        if letter in options:
            raise OutcomeError(f"options = {shown(value)}: the letter {letter!r} is there twice.")
        options[letter] = _text(text, letter, value)
    if len(options) < 2:
        raise OutcomeError(f"options = {shown(value)}: at least two options are needed, found {len(options)}.")
    return options


def letter_of(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the option that `answer` is, or None if it is none.

    In order: a letter alone (``"A"``, ``"(A)"``, ``"a."``, ``"option A"``); the text of exactly one option (any case;
    numbers as numbers); a marked letter at the beginning (``"A. red"``, ``"(A) red"``, ``"A, as it is red"``). A letter
    that is followed by another one (``"A or B"``) is none.

    Parameters
    ----------
    answer
        What was answered, and nothing else.
    options
        What `options_of` returns.

    Examples
    --------
    >>> [letter_of(answer, {"A": "red", "B": "4"}) for answer in ("(a)", "Red.", "B. 4", "4.0", "A or B", "green")]
    ['A', 'A', 'B', 'B', None, None]
    """
    answer = bare(answer)
    title = _TITLE.match(answer)
    short = answer[title.end() :] if title else answer
    alone = _ALONE.fullmatch(short)
    if alone and alone[1].upper() in options:
        return alone[1].upper()
    exact = [letter for letter, text in options.items() if same_text(answer, text)]
    if exact:
        return exact[0] if len(exact) == 1 else None
    leading = _LEADING.match(short)
    if leading is None or is_hedged(short, options):
        return None
    letter = next(group for group in leading.groups() if group).upper()
    return letter if letter in options else None


def is_hedged(answer: str, options: Mapping[str, str]) -> bool:
    """Return True if `answer` begins with one option's letter and then another's, as in "B or C".

    Examples
    --------
    >>> is_hedged("(A) and (B)", {"A": "red", "B": "blue"}), is_hedged("A, as B is blue", {"A": "red", "B": "blue"})
    (True, False)
    """
    found = _HEDGE.match(answer)
    return found is not None and found[1] in options


def bare(answer: str) -> str:
    """Return `answer` with blanks collapsed, without stars, dollars, quotes or a full stop around it.

    Examples
    --------
    >>> bare(' **"the  red one".** ')
    'the red one'
    """
    previous, answer = None, " ".join(answer.split())
    while previous != answer:
        previous, answer = answer, answer.strip(" *$`\"'\u201c\u201d\u2018\u2019").removesuffix(".")
    return answer


def same_text(one: str, other: str) -> bool:
    """Return True if two answers are the same, whatever the case; numbers are compared as numbers.

    Examples
    --------
    >>> same_text("Red.", "red"), same_text("1,000", "1e3"), same_text("4", "40")
    (True, True, False)
    """
    one, other = bare(one).casefold(), bare(other).casefold()
    if one == other:
        return True
    first, second = _number(one), _number(other)
    return first is not None and first == second


def _number(text: str) -> Decimal | None:
    text = text.replace("\u2212", "-")
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _key(key: object, options: object) -> str:
    found = _ALONE.fullmatch(key.strip()) if isinstance(key, str) else None
    if found is None:
        raise OutcomeError(f"options = {shown(options)}: {shown(key)} is no letter; the keys are 'A', 'B', ...")
    return found[1].upper()


def _from_list(texts: Sequence[Any]) -> list[tuple[str, Any]]:
    if texts and all(isinstance(text, str) for text in texts):
        for pattern in (_IN_BRACKETS, _WITH_STOP):
            marked = _marked(texts, pattern)
            if len(marked) == len(texts) and (pattern is _IN_BRACKETS or _in_order(marked)):
                return marked
    if len(texts) > len(_LETTERS):
        raise OutcomeError(f"options: {len(texts)} texts, and there are {len(_LETTERS)} letters.")
    return list(zip(_LETTERS, texts, strict=False))


def _from_lines(text: str) -> list[tuple[str, Any]]:
    for pattern in (_IN_BRACKETS, _WITH_STOP):
        marked = _marked(text.splitlines(), pattern)
        if len(marked) > 1 and (pattern is _IN_BRACKETS or _in_order(marked)):
            return marked
    raise OutcomeError(
        f"options = {shown(text)}: a text needs two lines or more that begin with a letter, such as '(A) red'. "
        "Otherwise give a list of texts."
    )


def _marked(texts: Sequence[str], pattern: re.Pattern[str]) -> list[tuple[str, Any]]:
    return [(found[1].upper(), found[2]) for found in map(pattern.fullmatch, texts) if found]


def _in_order(marked: Sequence[tuple[str, Any]]) -> bool:
    return "".join(letter for letter, _ in marked) == _LETTERS[: len(marked)]


def _text(text: object, letter: str, options: object) -> str:
    if isinstance(text, (int, float)) and not isinstance(text, bool) and not _missing(text):
        text = shown(text)
    words = text.split() if isinstance(text, str) else []
    if words and words[0].upper() == f"({letter})":
        words = words[1:]
    if not words:
        raise OutcomeError(f"options = {shown(options)}: option {letter} is {shown(text)}; a text is needed.")
    return " ".join(words)
