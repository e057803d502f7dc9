"""Where a thought begins and ends, as data: latent steps between two tokens, or text between two markers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal, final

from .._checks import one_of, positive_int
from .._errors import DesignError


@final
@dataclass(frozen=True, slots=True)
class LatentSpec:
    """A latent thought: the model's own last hidden states are fed back to it in place of tokens.

    After the start token, z_1 = h(start) is the input embedding of the next position, z_2 = h(z_1) of the one
    after it, and so on for `steps` positions; h is the vector that the output projection reads (the last block's
    output after the final norm). Then the end token follows, or the model goes on as it likes. A thought can be
    opened several times; each row of a batch has its own. A prompt whose last token is `start` opens one at the
    first new position.

    Parameters
    ----------
    start, end
        The tokens around the thought, as strings: the same id means different tokens in different systems. Each
        must be one token of the tokenizer.
    steps
        How many latents are fed, exactly: what the model would have said during them is not looked at. With 0
        nothing is latent and nothing is forced, so the tokens are those of a plain rollout.
    pad
        The token that stands at latent positions in the recorded ids; for ``record="pad"``.
    feed_start_token
        True: the start token is fed as a token, and `steps` latents follow it. False: the position of a
        generated start token is itself the first latent (it is fed the hidden state that predicted the start
        token), and ``steps - 1`` follow. A start token at the end of the prompt is always fed as a token.
    force_end
        True: the token after the last latent is `end`, whatever the model predicts. False: it is the model's own.
    record
        What the recorded ids hold at latent positions: ``"sampled"``, the token that the model would have said
        there, or ``"pad"``. Neither is fed. The id of a start token is always kept.

    Raises
    ------
    DesignError
        If a string is empty, `start` is `end`, `steps` is not a whole number of at least 0, `record` is not
        known, or it is ``"pad"`` without a pad token.

    Examples
    --------
    >>> LatentSpec("<think>", "</think>", steps=4, force_end=False)
    LatentSpec(start='<think>', end='</think>', steps=4, pad=None, feed_start_token=True, force_end=False,
        record='sampled')
    """

    start: str
    end: str
    _: KW_ONLY
    steps: int
    pad: str | None = None
    feed_start_token: bool = True
    force_end: bool = True
    record: Literal["sampled", "pad"] = "sampled"

    def __post_init__(self) -> None:
        _check_markers("LatentSpec", self.start, self.end)
        positive_int(self.steps, what="LatentSpec: steps", least=0)
        one_of(self.record, ("sampled", "pad"), what="LatentSpec: record")
        if self.pad is not None:
            _check_text("LatentSpec", "pad", self.pad)
        elif self.record == "pad":
            raise DesignError(
                "LatentSpec(record='pad'): pad is missing. Name the token that stands at latent positions, such as "
                "pad='<|latent_pad|>', or ask for record='sampled'."
            )


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
        _check_markers("TextSpec", self.start, self.end)


Spec = LatentSpec | TextSpec


def _check_markers(kind: str, start: object, end: object) -> None:
    _check_text(kind, "start", start)
    _check_text(kind, "end", end)
    if start == end:
        raise DesignError(f"{kind}: start and end are both {start!r}; a thought needs two different markers.")


def _check_text(kind: str, what: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise DesignError(f"{kind}: {what} = {value!r}: the token is given as a string, such as '<think>'.")
