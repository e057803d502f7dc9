"""A thought in words, as data."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import final

from ._latent import LatentSpec
from ._markers import AnswerFrom, check_answer_from, check_markers


@final
@dataclass(frozen=True, slots=True)
class TextSpec:
    """A thought in words: the text between two markers.

    It changes nothing in decoding and is found afterwards, unless `answer_from` hides something from the answer.

    Parameters
    ----------
    start, end
        The markers, as they stand in the text, such as ``"<think_image>"``; each may be several tokens. A thought
        that is not closed ends where the generated tokens do. A prompt that ends in `start` opens one.
    answer_from
        What may be read after the thought: ``"everything"``, ``"thought"`` or ``"prompt"``; see `LatentSpec`. With
        ``"thought"`` the words and the end marker are read again as they stand. With ``"prompt"`` the end marker is
        read again as the tokenizer writes it, since its own position has read the thought; so is a start marker that
        the model has said itself, as a token of it may hold the thought's first letters.

    Raises
    ------
    DesignError
        If a marker is empty, both are the same, or `answer_from` is none of the three.

    Examples
    --------
    >>> TextSpec("<think_image>", "</think_image>")
    TextSpec(start='<think_image>', end='</think_image>', answer_from='everything')
    """

    start: str
    end: str
    _: KW_ONLY
    answer_from: AnswerFrom = "everything"

    def __post_init__(self) -> None:
        check_markers("TextSpec", self.start, self.end)
        check_answer_from("TextSpec", self.answer_from)


Spec = LatentSpec | TextSpec
