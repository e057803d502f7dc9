"""Answers of units as the tokens that they are after the units' prompts."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any, final

from torch import Tensor

from .._checks import listed
from ..errors import OutcomeError
from ..models import Model
from ..units import Continuations, Pairs, Prompt, processed_ids
from ._tokens import _checked_text, _inside, _known, _several, values_of

_SHOWN = 8


@final
class Answers:
    """Reads the answers of some units.

    An answer that is read after the last token of a prompt has the tokens that prompt and answer, written as one text,
    have more than the prompt. They are the same after base and source. Elsewhere, and after prompts that are token ids,
    an answer has the tokens that it has after other texts. In models that are not causal, it has those of it alone.

    Parameters
    ----------
    pairs, model
        Units and model.
    at
        Position at which the outcome is read.
    """

    __slots__ = ("_alone", "_at_end", "_ending", "_model", "_pairs", "_reader")

    def __init__(self, pairs: Pairs, model: Model, at: Any = "last") -> None:
        self._pairs, self._model = pairs, model
        self._reader = Continuations(model.tokenizer) if model.tokenizer is not None else None
        self._at_end = at == "last" or (isinstance(at, numbers.Integral) and int(at) == -1)
        self._alone = not model.is_causal
        self._ending: str | None = None

    def learn(self, asked: Iterable[tuple[int, Any]]) -> None:
        """Tokenise the answers of many units, ``(unit, answer)``, at once."""
        if self._reader is None or self._alone or not self._at_end:
            return
        texts = [(unit, value) for unit, value in asked if isinstance(value, str) and value]
        contexts = {unit: self._contexts(unit) for unit in dict.fromkeys(unit for unit, _ in texts)}
        try:
            self._reader.learn(
                text
                for unit, value in texts
                for _, context in contexts[unit]
                if isinstance(context, str)
                for text in (context, context + value)
            )
        except (AttributeError, TypeError, ValueError):
            return  # a text that is none, or a tokenizer that reads one at a time: each is read, or refused, by itself

    def ids(self, value: Any, unit: int, what: str) -> tuple[int, ...]:
        """Return the token ids of one unit's answer.

        Raises
        ------
        OutcomeError
            If it is neither text nor id, is unknown to the tokenizer, or does not split from the unit's prompt.
        """
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return (_inside(int(value), self._model, what),)
        text = _checked_text(value, self._model, what)
        return _known(self._read(text, unit, what), text, self._model, what)

    def one(self, value: Any, unit: int, what: str) -> int:
        """Return the one token id of a unit's answer; OutcomeError with its tokens if there are several."""
        ids = self.ids(value, unit, what)
        if len(ids) > 1:
            raise _several(value, ids, self._model, what, lambda other: self._is_one(other, unit))
        return ids[0]

    def _is_one(self, value: str, unit: int) -> bool:
        try:
            return len(self._read(value, unit, "")) == 1
        except OutcomeError:
            return False

    def _read(self, text: str, unit: int, what: str) -> tuple[int, ...]:
        reader = self._reader
        assert reader is not None
        if self._alone:
            return reader.tokens(text)
        if not self._at_end:
            return reader.somewhere(text)
        follows = self._pairs.answers_follow
        if follows is not None and not follows.strictly:
            return reader.somewhere(text, (follows.text,) if follows.text else ())
        found: dict[str, tuple[int, ...]] = {}
        for run, context in self._contexts(unit):
            if isinstance(context, str):
                where = "the cue" if follows is not None else f"the {run} text of unit {unit}"
                found[run] = self._split(context, text, where, what)
            else:
                found[run] = reader.somewhere(text, reader.text_of(context))
        if len(set(found.values())) > 1:
            first, second = (listed(self._pieces(found[run])) for run in ("base", "source"))
            raise OutcomeError(
                f"{what} is {text!r}, which is {first} after the base text of unit {unit} and {second} after its "
                "source text; an outcome compares the same tokens in both. End both texts alike, or give token ids."
            )
        return next(iter(found.values())) if found else reader.somewhere(text)

    def _split(self, context: str, text: str, where: str, what: str) -> tuple[int, ...]:
        assert self._reader is not None
        found = self._reader.after(context, text)
        if found is not None:
            return found
        short, long, lone = (self._reader.tokens(one) for one in (context, context + text, text))
        unknown = getattr(self._model.tokenizer, "unk_token_id", None)
        if unknown in long and unknown not in short and unknown not in lone:
            return self._reader.somewhere(text)  # words, which only a blank parts
        same = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
        first = max(0, same - _SHOWN // 2)
        raise OutcomeError(
            f"{what} is {text!r}, which does not split from {where}: the text alone ends in the tokens "
            f"{listed(self._pieces(short[first:]))}, and with the answer in {listed(self._pieces(long[first:]))}. "
            "Begin the answer where a token begins: move a space at the end of the text into the answer, or give a "
            "token id."
        )

    def _pieces(self, ids: Sequence[int]) -> list[str]:
        tokenizer = self._model.tokenizer
        if hasattr(tokenizer, "convert_ids_to_tokens"):
            return [str(one) for one in tokenizer.convert_ids_to_tokens(list(ids))]
        return [str(tokenizer.decode([one])) for one in ids]

    def _contexts(self, unit: int) -> list[tuple[str, str | Sequence[int]]]:
        """Return what an answer follows, by run: a text, or token ids; nothing where there are no tokens."""
        pairs = self._pairs
        if pairs.answers_follow is not None:
            return [("cue", pairs.answers_follow.text)]
        runs = ["base"] if pairs.source is None else ["base", "source"]
        found: list[tuple[str, str | Sequence[int]]] = []
        for run in runs:
            given = pairs.inputs(run)
            if pairs.is_text:
                found.append((run, given[unit]))
            elif pairs.is_prompts:
                found.append((run, given[unit].text + (self._added(given[unit]) if given[unit].images else "")))
            elif pairs.is_ids or (isinstance(given, Tensor) and given.ndim == 2 and not given.is_floating_point()):
                found.append((run, given[unit].tolist()))
        return found

    def _added(self, prompt: Prompt) -> str:
        """Return what the processor puts after the texts of prompts with images, such as PaliGemma's line break."""
        if self._ending is None:
            assert self._reader is not None
            fed = processed_ids(prompt, self._model, "prompt")
            last = self._reader.tokens(prompt.text)[-2:]
            more = next((k for k in range(_SHOWN) if fed[len(fed) - k - len(last) : len(fed) - k] == last), 0)
            self._ending = str(self._model.tokenizer.decode(list(fed[len(fed) - more :]))) if more else ""
        return self._ending


def answer_ids(given: Any, pairs: Pairs, model: Model, at: Any) -> list[tuple[int, ...]]:
    """Return the tokens of every unit's answer."""
    values, answers = values_of(given, pairs, "answer"), Answers(pairs, model, at)
    answers.learn(enumerate(values))
    return [answers.ids(value, unit, f"answer of unit {unit}") for unit, value in enumerate(values)]


def single_ids(given: Any, pairs: Pairs, model: Model, what: str, at: Any) -> list[int]:
    """Return one token id a unit; errors name the unit or, for a literal, the columns that it is none of."""
    values, answers = values_of(given, pairs, what), Answers(pairs, model, at)
    answers.learn(enumerate(values))
    literal = isinstance(given, str) and given not in pairs.table.columns
    named = what if literal or not isinstance(given, str) else f"{what} of unit {{}}"
    try:
        return [answers.one(value, unit, named.format(unit)) for unit, value in enumerate(values)]
    except OutcomeError as error:
        if not literal or given[:1].isspace():
            raise
        columns = listed(map(str, pairs.table.columns))
        known = f"It is no column either; the units have {columns}." if columns else "The units have no columns."
        raise OutcomeError(f"{error} ({known})") from None
