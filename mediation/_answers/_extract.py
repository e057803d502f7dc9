"""The answer that a generated text gives, found by rules."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from string import punctuation

from ._options import Options, bare, is_hedged, letter_of, options_of as options_of, same_text

_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_WRAPPED = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathit|mathsf)\s*\{([^{}]*)\}")
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_TAG_END = re.compile(r"</answer>", re.IGNORECASE)
_SAID = re.compile(r"\banswer\s*(?:is\b\s*:?|:)\s*(?=\S)", re.IGNORECASE)
_SAID_END = re.compile(r"\n|</|<\|")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_MARKUP = re.compile(r"</?\w+>|<\|[^|<>]*\|>")
_COMMAND = re.compile(r"\\[A-Za-z]+|[{}]")
_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LAST = 5
_BEFORE_A_LETTER = frozenset({"option", "choice", "answer", "letter"})
_NEVER_AFTER_AN_ARTICLE = frozenset({"is", "because", "since", "as", "and", "or"})
_AROUND = punctuation + "\u201c\u201d\u2018\u2019"


def extract_answer(text: str, options: Options | None = None) -> str | None:
    r"""Return the answer that `text` gives, or None if no rule finds one.

    The first rule that finds an answer decides:

    1. the last ``\boxed{...}`` with balanced braces, ``\text{...}`` in it unwrapped;
    2. the last ``<answer>...</answer>``; one that is not closed takes all that follows;
    3. what follows the last "answer is" or "answer:" (any case), up to the end of the sentence or of the line, without
       stars and final full stop;
    4. a lone option letter: exactly one distinct letter stands alone, in capitals, among the last five words
       (``A``, ``(A)``, ``A.``, ``**A**``), or the whole text is one letter in any case. ``A`` may be the article and
       ``I`` the pronoun: without punctuation behind it, it counts only as the last word, after "option", "choice",
       "answer" or "letter", or, for ``A``, before a word that cannot follow an article ("is", "because", "since",
       "as", "and", "or");
    5. the text of exactly one option occurs, as whole words in any case. Longer texts are looked for first, so that
       "dark red" does not count as "red" too.

    With `options`, what the rules 1 to 3 find is turned into a letter by `letter_of` or, failing this, by rule 5 on it,
    or by a capital letter that it begins with; if it names no option, the next rule is tried. Without `options` it is
    returned with blanks collapsed, rule 4 takes any letter, and rule 5 does not apply.

    The order is that of the rules of VLMEvalKit (Duan et al. 2024) for multiple choice, after the formats that answers
    are asked for in; there is no judge, and no guess where nothing is found.

    Parameters
    ----------
    text
        What the model wrote after its thought.
    options
        In a form that `options_of` takes; None for free answers.

    Returns
    -------
    str or None
        The option's letter, or the free answer.

    Raises
    ------
    OutcomeError
        If `options` is in none of the forms.

    Examples
    --------
    >>> extract_answer(r"So the path is \boxed{RRDD}.")
    'RRDD'
    >>> extract_answer("The best answer is: (B) blue.", ["red", "blue"])
    'B'
    >>> extract_answer("It looks like a blue cart.", ["red", "blue"])
    'B'
    >>> extract_answer("It may be red or blue.", ["red", "blue"]) is None
    True
    """
    choices = options_of(options)
    for found in (*_boxed(text), *_tagged(text), *_said(text)):
        answer = _unwrapped(found) if choices is None else _choice(_unwrapped(found), choices)
        if answer:
            return answer
    plain = _MARKUP.sub(" ", text)
    return _lone_letter(plain, choices) or (_mentioned(plain, choices) if choices is not None else None)


def same_answer(found: str | None, wanted: str, options: Options | None = None) -> bool:
    """Return True if the answer that was found is the wanted one.

    Parameters
    ----------
    found
        What `extract_answer` returned. None is never the same.
    wanted
        The right answer: with `options`, a letter or an option's text.
    options
        As in `extract_answer`.

    Returns
    -------
    bool
        With `options`, whether both are the same option. Otherwise, or if one is no option, whether the texts are the
        same, whatever the case; numbers are compared as numbers, ``"(B)"`` and ``"B"`` are the same.

    Raises
    ------
    OutcomeError
        If `options` is in none of the forms that `options_of` takes.

    Examples
    --------
    >>> same_answer("B", "blue", ["red", "blue"]), same_answer("4", "4.0"), same_answer(None, "B")
    (True, True, False)
    """
    if found is None:
        return False
    choices = options_of(options)
    if choices is not None:
        one, other = letter_of(found, choices), letter_of(wanted, choices)
        if one is not None and other is not None:
            return one == other
    return same_text(_without_brackets(found), _without_brackets(wanted))


def _without_brackets(answer: str) -> str:
    """Return the letter of "(B)", and anything else as it is."""
    answer = bare(answer)
    return answer[1] if re.fullmatch(r"\([A-Za-z]\)", answer) else answer


def _boxed(text: str) -> Iterator[str]:
    r"""Give what stands in the last ``\boxed`` that is closed."""
    opened: list[tuple[bool, int]] = []
    last = (-1, -1)
    for found in _BRACES.finditer(text):
        if found[0].endswith("{") and found[0] != r"\{":
            opened.append((found[0] != "{", found.end()))
        elif found[0] == "}" and opened:
            is_box, start = opened.pop()
            last = max(last, (start, found.start())) if is_box else last
    if last[0] >= 0:
        yield text[slice(*last)]


def _tagged(text: str) -> Iterator[str]:
    starts = [found.end() for found in _TAG.finditer(text)]
    if starts:
        yield _TAG_END.split(text[starts[-1] :], maxsplit=1)[0]


def _said(text: str) -> Iterator[str]:
    """Give the sentence, and then the line, after the last "answer is"."""
    plain = re.sub(r"\*{2,}", "", text)
    ends = [found.end() for found in _SAID.finditer(plain)]
    if ends:
        line = _SAID_END.split(plain[ends[-1] :], maxsplit=1)[0].strip(" *")
        yield _SENTENCE_END.split(line, maxsplit=1)[0].strip(" *")
        yield line.rstrip(". *")


def _unwrapped(answer: str) -> str:
    r"""Return `answer` without ``\text{}`` and its like, blanks collapsed."""
    previous = None
    while previous != answer:
        previous, answer = answer, _WRAPPED.sub(r"\1", answer)
    return " ".join(answer.split())


def _choice(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the option that an explicit answer names."""
    return letter_of(answer, options) or _mentioned(answer, options) or _first_letter(answer, options)


def _first_letter(answer: str, options: Mapping[str, str]) -> str | None:
    """Return the capital letter that `answer` begins with, as in "C because it is red"."""
    if is_hedged(bare(answer), options):
        return None
    return next((letter for at, letter in _letters(answer.split(), options) if at == 0), None)


def _lone_letter(text: str, options: Mapping[str, str] | None) -> str | None:
    letters: Container[str] = _LETTERS if options is None else options
    whole = bare(text).strip("().:").upper()
    if whole in letters:
        return whole
    words = _COMMAND.sub(" ", text).split()
    found = {letter for at, letter in _letters(words, letters) if at >= len(words) - _LAST}
    return found.pop() if len(found) == 1 else None


def _letters(words: list[str], letters: Container[str]) -> Iterator[tuple[int, str]]:
    """Give the place of every word that is an option's letter, and the letter; articles and pronouns are none."""
    for at, word in enumerate(words):
        letter = word.strip(_AROUND)
        if len(letter) != 1 or letter not in letters:
            continue
        if letter in "AI" and word.endswith(letter) and at + 1 < len(words):
            before = words[at - 1].strip(_AROUND).casefold() if at else ""
            after = words[at + 1].strip(_AROUND).casefold()
            clear = letter == "A" and after in _NEVER_AFTER_AN_ARTICLE
            if before not in _BEFORE_A_LETTER and not clear:
                continue
        yield at, letter


def _mentioned(text: str, options: Mapping[str, str]) -> str | None:
    """Return the letter of the one option whose text occurs."""
    letters_of: dict[str, list[str]] = {}
    for letter, option in options.items():
        letters_of.setdefault(bare(option).casefold(), []).append(letter)
    rest, found = " ".join(text.split()).casefold(), []
    for option in sorted(letters_of, key=len, reverse=True):
        # One letter as an option's text is as likely an article or a variable.
        if option and not (len(option) == 1 and option.isalpha()):
            rest, count = _whole(option).subn("\0", rest)
            found += letters_of[option] if count else []
    return found[0] if len(found) == 1 else None


def _whole(option: str) -> re.Pattern[str]:
    """Return the pattern of an option's text as whole words; a number is not a part of a longer one."""
    before = r"(?<!\w)(?<![0-9][.,])(?<!-)" if option[0].isdigit() else r"(?<!\w)"
    after = r"(?!\w)(?![.,][0-9])" if option[-1].isdigit() else r"(?!\w)"
    return re.compile(before + re.escape(option) + after)
