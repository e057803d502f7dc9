"""The tokens of what follows a text: what they are there, which may be others than those of it alone.

A tokenizer that puts a blank before every text reads " Paris" alone as two tokens, and after a text as one. So a text
and what follows it are tokenised as one, and the tokens of the text are taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

_CHUNK = 1000
_ANCHORS = ("\n", "a", ".")
"""Texts to follow where the real one is not known; a letter after them begins a token with most tokenizers."""


@final
class Continuations:
    """Reads texts as the tokens that they are after others, with one tokenizer.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    """

    __slots__ = ("_held", "_tokenizer", "_unknown")

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._unknown = getattr(tokenizer, "unk_token_id", None)
        self._held: dict[str, tuple[int, ...]] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Tokenise many texts at once."""
        new = list(dict.fromkeys(text for text in texts if text not in self._held))
        for first in range(0, len(new), _CHUNK):
            some = new[first : first + _CHUNK]
            found = self._tokenizer(some, add_special_tokens=False)["input_ids"]
            self._held.update(zip(some, map(tuple, found), strict=True))

    def tokens(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text, with nothing added."""
        if text not in self._held:
            self._held[text] = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return self._held[text]

    def after(self, text: str, more: str) -> tuple[int, ...] | None:
        """Return the tokens of `more` after `text`; None where a token holds a part of both.

        Examples
        --------
        >>> from mediation.testing import tiny_tokenizer
        >>> found = Continuations(tiny_tokenizer())
        >>> found.after("The capital", " of"), found.after("The cap", "ital of")
        ((268,), None)
        """
        short, long = self.tokens(text), self.tokens(text + more)
        return long[len(short) :] if long[: len(short)] == short else None

    def somewhere(self, more: str, contexts: Sequence[str] = ()) -> tuple[int, ...]:
        """Return the tokens of `more` after the first of `contexts` from which it splits, after any text, or alone.

        Where the tokenizer does not know what it reads there, the next one is tried.
        """
        for context in (*contexts, *_ANCHORS):
            found = self.after(context, more)
            if found and self._unknown not in found:
                return found
        return self.tokens(more)

    def text_of(self, ids: Sequence[int]) -> tuple[str, ...]:
        """Return the text of token ids, where it is read as these very tokens; else nothing."""
        text = str(self._tokenizer.decode(list(ids)))
        return (text,) if self.tokens(text) == tuple(ids) else ()
