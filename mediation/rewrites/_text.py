"""Rewrites of a written thought: blank, replace, random words, shuffle, repeat, truncate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from .._checks import one_of, positive_int, shown
from .._texts import check_letters
from ..errors import DesignError
from ..interventions import NO_TEXT_GIVEN, AbstractRewrite, TextGiven, TextNeed, random_numbers, thoughts_of_all
from ._pieces import Of, Pieces


@final
@dataclass(frozen=True, slots=True, repr=False)
class Blank(AbstractRewrite):
    """Every word becomes the same filler; the number of words and the layout stay.

    The match of `Zero` on latents: no content, the same length.

    Parameters
    ----------
    filler
        One word, without blanks.

    Raises
    ------
    DesignError
        If `filler` is not one word.

    Examples
    --------
    >>> Blank()("The cart is red.")
    '... ... ... ...'
    """

    filler: str = "..."

    def __post_init__(self) -> None:
        if not isinstance(self.filler, str) or self.filler.split() != [self.filler]:
            found = shown(self.filler)
            raise DesignError(f"Blank: filler = {found}: one word without blanks is needed, such as '...'.")

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the filler as often as there were words."""
        pieces = Pieces.of(text, "word")
        return pieces.with_items([self.filler] * len(pieces.items))


@final
@dataclass(frozen=True, slots=True, repr=False)
class ReplaceText(AbstractRewrite):
    """A given text in the place of the thought.

    One text for all units is the match of `Constant` on latents. One text for each unit is the match of `Oracle`, or a
    thought that was corrupted by hand or by another model: an adversarial text, which puts in information, has no match
    among the interventions that take it away.

    Parameters
    ----------
    text
        One text, or a tuple or list with one for each unit, in the order of the units.

    Raises
    ------
    DesignError
        If something else is given, or when called for a unit that has no text.

    Examples
    --------
    >>> ReplaceText("The cart is blue.")("The cart is red.")
    'The cart is blue.'
    >>> ReplaceText(("first", "second"))("any", TextGiven(unit=1))
    'second'
    """

    text: str | tuple[str, ...]

    def __post_init__(self) -> None:
        text: object = self.text
        if isinstance(text, (tuple, list)) and text and all(isinstance(one, str) for one in text):
            object.__setattr__(self, "text", tuple(text))
        elif not isinstance(text, str):
            raise DesignError(f"ReplaceText: text = {shown(text)}: a text, or a tuple with one text a unit, is needed.")
        for one in (self.text,) if isinstance(self.text, str) else self.text:
            check_letters(one, "ReplaceText: text", DesignError)

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the given text, that of the unit if there is one for each."""
        if isinstance(self.text, str):
            return self.text
        if given.unit is None or not 0 <= given.unit < len(self.text):
            asked = "no unit's number was given" if given.unit is None else f"unit {given.unit} is asked for"
            raise DesignError(f"ReplaceText has texts for {len(self.text)} units, and {asked}.")
        return self.text[given.unit]


@final
@dataclass(frozen=True, slots=True, repr=False)
class RandomWords(AbstractRewrite):
    """Each word replaced by one drawn from the thoughts of all units; the number of words and the layout stay.

    Drawn with replacement, every word in the thoughts being as likely as any other, so that frequent words are drawn
    often. The match of ``GaussianNoise(replace=True)`` on latents.

    Examples
    --------
    >>> given = TextGiven(rng=np.random.default_rng(0), pool=("red cart", "blue bus"))
    >>> len(RandomWords()("one two three", given).split())
    3
    """

    def needs(self) -> frozenset[TextNeed]:
        """Return random numbers and the thoughts of all units."""
        return frozenset({"rng", "pool"})

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return as many words as there were, drawn from the pool."""
        rng, pool = random_numbers(given, by=self), thoughts_of_all(given, by=self)
        pieces = Pieces.of(text, "word")
        if not pieces.items:
            return text
        words = [word for thought in pool for word in thought.split()]
        if not words:
            raise DesignError(f"{self!r}: the {len(pool)} thoughts that it draws from have no words.")
        return pieces.with_items([words[i] for i in rng.integers(0, len(words), size=len(pieces.items))])


@final
@dataclass(frozen=True, slots=True, repr=False)
class ShuffleWords(AbstractRewrite):
    """The words in another order, drawn from all that read differently; the layout stays.

    Where all words are the same there is no other order, and the text stays. The match of `ShuffleSteps` on latents.

    Examples
    --------
    >>> ShuffleWords()("red cart", TextGiven(rng=np.random.default_rng(0)))
    'cart red'
    """

    def needs(self) -> frozenset[TextNeed]:
        """Return random numbers."""
        return frozenset({"rng"})

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the words in another order."""
        return _shuffled(text, "word", random_numbers(given, by=self))


@final
@dataclass(frozen=True, slots=True, repr=False)
class ShuffleSentences(AbstractRewrite):
    """The sentences in another order, drawn from all that read differently; what is between them stays.

    A sentence ends at a full stop, question or exclamation mark before a blank, and at a line break. Where all
    sentences are the same, or there is one, the text stays. Gentler than `ShuffleWords`, and like it a match of
    `ShuffleSteps` on latents.

    Examples
    --------
    >>> ShuffleSentences()("Look. It is red.", TextGiven(rng=np.random.default_rng(0)))
    'It is red. Look.'
    """

    def needs(self) -> frozenset[TextNeed]:
        """Return random numbers."""
        return frozenset({"rng"})

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the sentences in another order."""
        return _shuffled(text, "sentence", random_numbers(given, by=self))


def _shuffled(text: str, of: Of, rng: np.random.Generator) -> str:
    """Draw orders until one reads differently: at most two on average, as at most half of all orders read the same."""
    pieces = Pieces.of(text, of)
    items = list(pieces.items)
    if len(set(items)) < 2:
        return text
    shuffled = items
    while shuffled == items:
        shuffled = [items[i] for i in rng.permutation(len(items))]
    return pieces.with_items(shuffled)


@final
@dataclass(frozen=True, slots=True, repr=False)
class RepeatFirst(AbstractRewrite):
    """The first word or sentence in the place of all; their number and the layout stay.

    The match of `FirstRepeat` on latents.

    Parameters
    ----------
    of
        ``"word"`` or ``"sentence"``; sentences end as in `ShuffleSentences`.

    Raises
    ------
    DesignError
        If `of` is not known.

    Examples
    --------
    >>> RepeatFirst()("Red cart here")
    'Red Red Red'
    >>> RepeatFirst("sentence")("Look. It is red.")
    'Look. Look.'
    """

    of: Of = "word"

    def __post_init__(self) -> None:
        one_of(self.of, ("word", "sentence"), what="RepeatFirst: of")

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the first item as often as there were items."""
        pieces = Pieces.of(text, self.of)
        return pieces.with_items(list(pieces.items[:1]) * len(pieces.items))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Truncate(AbstractRewrite):
    """The first `keep` words or sentences, and no more; the match of `Shorten` on latents.

    A thought that has no more than `keep` stays as it is.

    Parameters
    ----------
    keep
        How many stay, at least 0.
    of
        ``"word"`` or ``"sentence"``; sentences end as in `ShuffleSentences`.

    Raises
    ------
    DesignError
        If `keep` is not a whole number of at least 0, or `of` is not known.

    Examples
    --------
    >>> Truncate(2)("The cart is red.")
    'The cart'
    """

    keep: int
    of: Of = "word"

    def __post_init__(self) -> None:
        positive_int(self.keep, what="Truncate: keep", least=0)
        one_of(self.of, ("word", "sentence"), what="Truncate: of")

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the beginning of the text."""
        return Pieces.of(text, self.of).first(self.keep)
