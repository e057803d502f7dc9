"""A text as words or sentences and what is between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

Of: TypeAlias = Literal["word", "sentence"]


@final
@dataclass(frozen=True, slots=True)
class Pieces:
    """Words or sentences, and the blanks around them: joined in turn they are the text.

    A word is what stands between blanks. A sentence ends at ``.``, ``!`` or ``?`` before a blank, and at a line break.

    Attributes
    ----------
    items
        Words or sentences, in order.
    gaps
        The blanks before the first, between any two, and after the last: one more than `items`.

    Examples
    --------
    >>> Pieces.of(" Look. It is 3.5 m.", "sentence")
    Pieces(items=('Look.', 'It is 3.5 m.'), gaps=(' ', ' ', ''))
    """

    items: tuple[str, ...]
    gaps: tuple[str, ...]

    @classmethod
    def of(cls, text: str, of: Of) -> Pieces:
        """Split `text`."""
        words, gaps = text.split(), re.split(r"\S+", text)
        if of == "word" or not words:
            return cls(tuple(words), tuple(gaps))
        items, between = [words[0]], [gaps[0]]
        for gap, word in zip(gaps[1:-1], words[1:], strict=True):
            if "\n" in gap or items[-1][-1] in ".!?":
                between.append(gap)
                items.append(word)
            else:
                items[-1] += gap + word
        return cls(tuple(items), (*between, gaps[-1]))

    def with_items(self, items: Sequence[str]) -> str:
        """Return the text with as many other items in the same layout."""
        return self.gaps[0] + "".join(item + gap for item, gap in zip(items, self.gaps[1:], strict=True))

    def first(self, keep: int) -> str:
        """Return the text up to the end of the item number `keep`."""
        if keep >= len(self.items):
            return self.with_items(self.items)
        return "".join(gap + item for gap, item in zip(self.gaps[:keep], self.items[:keep], strict=True))
