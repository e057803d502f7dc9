"""Whether a text is one that can be tokenised."""

from __future__ import annotations

from ._checks import shown
from .errors import DataError, MediationError


def check_letters(text: str, where: str, error: type[MediationError] = DataError) -> None:
    r"""Raise `error` if a text holds half of a surrogate pair, which is no character and has no tokens.

    Examples
    --------
    >>> check_letters("a cat", "The text")
    """
    if text.isascii():
        return
    at = next((place for place, letter in enumerate(text) if "\ud800" <= letter <= "\udfff"), None)
    if at is not None:
        raise error(
            f"{where} is {shown(text)}, which holds a lone surrogate, {text[at]!r} at character {at}: half of a "
            "character, which no tokenizer reads. It comes from a text that was cut or decoded wrongly; decode it "
            "again, or drop the unit."
        )
