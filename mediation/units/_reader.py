"""Texts as token ids: what a tokenizer puts around a text once, with the characters of every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from .._checks import listed
from ..errors import DataError
from ._spans import spelled_offsets, split_bytes

_NO_ARGUMENTS = ("input_ids", "attention_mask", "offset_mapping", "special_tokens_mask", "length")
"""What a tokenizer returns besides arguments of a model that differ from token to token."""


class Tokenised(NamedTuple):
    """A text as a tokenizer reads it.

    Attributes
    ----------
    ids
        Token ids, ``(T,)``.
    offsets
        Characters of each token; None where they were not asked for.
    aligned
        Further outputs of the tokenizer with one number a token, such as ``token_type_ids``, without those that are 0
        throughout.
    """

    ids: list[int]
    offsets: list[tuple[int, int]] | None
    aligned: Mapping[str, Tensor]


@final
class TextReader:
    """Reads texts with one tokenizer.

    A text that writes what the tokenizer puts in front, such as a rendered chat template that begins with BOS, gets no
    second one; nor does a text that ends with what the tokenizer puts at the end. What the text itself writes stays, so
    "<s><s>a" is read with two.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    """

    __slots__ = ("_marks", "tokenizer")

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        added: Mapping[str, int] = getattr(tokenizer, "get_added_vocab", dict)()
        self._marks = tuple({*map(str, getattr(tokenizer, "all_special_tokens", ())), *added} - {""})

    def read(self, text: str, *, offsets: bool = False) -> Tokenised:
        """Return the tokens of `text`.

        Raises
        ------
        DataError
            If `offsets` are asked for and the tokens do not spell the text.
        """
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        batch = self.tokenizer(text, return_offsets_mapping=True) if offsets and fast else self.tokenizer(text)
        whole = list(batch["input_ids"])
        kept = self.own_part(text, whole)
        ids = whole[kept]
        places = None
        if offsets:
            given = [tuple(pair) for pair in batch["offset_mapping"]][kept] if fast else None
            places = split_bytes(text, given) if given is not None else self._spelled(text, ids)
        more = {
            name: torch.as_tensor(value)[kept].long()
            for name, value in batch.items()
            if name not in _NO_ARGUMENTS and _one_a_token(value, len(whole))
        }
        return Tokenised(ids, places, {name: value for name, value in more.items() if bool(value.any())})

    def own_part(self, text: str, whole: Sequence[int]) -> slice:
        """Return the part of `whole`, the tokens of `text`, without what the tokenizer adds and the text has already.

        Parameters
        ----------
        whole
            Tokens of the text with special tokens.
        """
        written = text.lstrip().startswith(self._marks) or text.rstrip().endswith(self._marks)
        if not written:
            return slice(0, len(whole))
        bare = self.bare(text)
        places = range(len(whole) - len(bare) + 1)
        first = next((at for at in places if list(whole[at : at + len(bare)]) == bare), None) if bare else None
        if first is None:
            return slice(0, len(whole))
        last = first + len(bare)
        start = first if first and bare[0] == whole[0] else 0
        return slice(start, last if last < len(whole) and bare[-1] == whole[last] else len(whole))

    def twice(self, text: str, whole: Sequence[int]) -> tuple[int, int]:
        """Return first and last (exclusive) of `whole` without what the tokenizer has added to what the text has.

        Parameters
        ----------
        whole
            What a processor makes of the text, with placeholders of images spelled out.
        """
        full = list(self.tokenizer(text)["input_ids"])
        kept = self.own_part(text, full)
        front, back = kept.start, len(full) - kept.stop
        head, tail = list(whole[: front + 1]), list(whole[len(whole) - back - 1 :])
        return (
            front if front and head == full[: front + 1] else 0,
            len(whole) - (back if back and tail == full[kept.stop - 1 :] else 0),
        )

    def bare(self, text: str) -> list[int]:
        """Return the tokens of `text` with nothing added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _spelled(self, text: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        found = spelled_offsets(self.tokenizer, text, ids)
        if found is None:
            tokens = [self.tokenizer.decode([one]) for one in ids]
            raise DataError(
                f"{type(self.tokenizer).__name__} gives no character offsets and its tokens {listed(tokens)} do not "
                f"spell {text!r}, so named spans cannot be found. Use a fast tokenizer, or token ids with token "
                "offsets."
            )
        return found


def _one_a_token(value: Any, count: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == count and all(isinstance(one, int) for one in value)
