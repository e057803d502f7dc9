"""A thought in words, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ._latent import LatentSpec
from ._markers import check_markers


@final
@dataclass(frozen=True, slots=True)
class TextSpec:
    """A thought in words: the text between two markers. It changes nothing in decoding; it is found afterwards.

    Parameters
    ----------
    start, end
        The markers, as they stand in the text, such as ``"<think_image>"``; each may be several tokens. A thought
        that is not closed ends where the generated tokens do. A prompt that ends in `start` opens one.

    Raises
    ------
    DesignError
        If a marker is empty, or both are the same.

    Examples
    --------
    >>> TextSpec("<think_image>", "</think_image>")
    TextSpec(start='<think_image>', end='</think_image>')
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        check_markers("TextSpec", self.start, self.end)


Spec = LatentSpec | TextSpec
