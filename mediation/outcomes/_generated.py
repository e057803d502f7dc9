"""Outcomes of a whole generation: was the answer right, did it change, did the text loop, how long was the thought."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from .._answers import extract_answer, options_of, same_answer
from .._checks import shown
from .._texts import check_letters
from ..errors import OutcomeError
from ..models import Model
from ..units import Pairs
from ._abstract import AbstractOutcome, Prepared, Reduce, Told
from ._tokens import label_of, values_of


@final
@dataclass(frozen=True, slots=True)
class AnswerCorrect(AbstractOutcome):
    r"""1 if the answer that a generation gives is the right one, else 0.

    The answer is found by rules, without a judge: the last ``\boxed{}``, then ``<answer>``, then "answer is ...",
    then a lone option letter, then the text of an option, in what is said after the last thought, or in all of it
    without a thought. A generation in which none is found counts as wrong; how many those are is reported apart.

    Parameters
    ----------
    answer
        Column of right answers, or one for all units: an option's letter or text, or what stands in the box.
    options
        Column of options, or one set for all units: texts in the order A, B, ..., or a mapping from letters to texts;
        None for free answers.

    Examples
    --------
    >>> AnswerCorrect("answer", options=("red", "blue"))
    AnswerCorrect(answer='answer', options=('red', 'blue'))
    """

    answer: Any
    options: Any = None

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model; OutcomeError if an answer is missing or is none of its options."""
        wanted = [str(value) for value in values_of(self.answer, pairs, "answer")]
        options = _options(self.options, pairs)
        for unit, (one, mine) in enumerate(zip(wanted, options, strict=True)):
            if mine is not None and extract_answer(f"\\boxed{{{one}}}", mine) is None:
                raise OutcomeError(f"answer of unit {unit} is {one!r}, which is none of its options {mine!r}.")

        def correct(told: Told, unit: int, plain: Told) -> float:
            found = extract_answer(told.answer, options[unit])
            return float(same_answer(found, wanted[unit], options[unit]))

        label = f"correct({label_of(self.answer)})"
        return Prepared(label=label, reduce=_no_reduce(label), judge=correct, unparsed=_unparsed(options))


@final
@dataclass(frozen=True, slots=True)
class AnswerFlipped(AbstractOutcome):
    """1 if the answer differs from the one that the plain run gives, else 0.

    The plain run is the base as it is, or in `ablate` the input as it is. Where one of the two has no answer that the
    rules find, they differ; where neither has, they do not.

    Parameters
    ----------
    options
        As in `AnswerCorrect`.

    Examples
    --------
    >>> AnswerFlipped()
    AnswerFlipped(options=None)
    """

    options: Any = None

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        options = _options(self.options, pairs)

        def flipped(told: Told, unit: int, plain: Told) -> float:
            before, now = (extract_answer(one.answer, options[unit]) for one in (plain, told))
            if before is None or now is None:
                return float(before is not now)
            return float(not same_answer(now, before, options[unit]))

        label = "answer flipped"
        return Prepared(label=label, reduce=_no_reduce(label), judge=flipped, unparsed=_unparsed(options))


@final
@dataclass(frozen=True, slots=True)
class Degenerate(AbstractOutcome):
    """1 if the generated text ends in a loop, else 0.

    Examples
    --------
    >>> Degenerate()
    Degenerate()
    """

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        label = "degenerate"
        return Prepared(label=label, reduce=_no_reduce(label), judge=lambda told, unit, plain: float(told.repeats))


@final
@dataclass(frozen=True, slots=True)
class ThoughtLength(AbstractOutcome):
    """Positions inside thoughts: latents that were fed, or tokens that were written.

    Examples
    --------
    >>> ThoughtLength()
    ThoughtLength()
    """

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        label = "steps of the thought"
        return Prepared(label=label, reduce=_no_reduce(label), judge=lambda told, unit, plain: float(told.steps))


@final
@dataclass(frozen=True, slots=True)
class Cued(AbstractOutcome):
    """An outcome of logits that is read after a cue, such as "The answer is".

    The cue is put after the thought. Where no thought is asked about, it is put after all that the model writes: at its
    end-of-sequence token, a stop string, or ``max_new_tokens``.

    Parameters
    ----------
    outcome
        Such as ``LogitDiff("answer", "foil")``.
    cue
        The text.

    Raises
    ------
    OutcomeError
        If the outcome is one of a whole generation, or the cue is no text.

    Examples
    --------
    >>> from mediation import LogitDiff
    >>> Cued(LogitDiff(" A", " B"), " The answer is").cue
    ' The answer is'
    """

    outcome: AbstractOutcome
    cue: str

    def __post_init__(self) -> None:
        if not isinstance(self.outcome, AbstractOutcome) or isinstance(self.outcome, Cued):
            raise OutcomeError(f"Cued: {shown(self.outcome)}: an outcome such as med.LogitDiff(...) is needed.")
        if not isinstance(self.cue, str) or not self.cue:
            raise OutcomeError(f"Cued: cue = {shown(self.cue)}: a text is needed, such as 'The answer is'.")
        check_letters(self.cue, "Cued: cue", OutcomeError)

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        inner = self.outcome.prepare(pairs.answered_after(self.cue, strictly=True), model)
        if inner.judge is not None:
            raise OutcomeError(f"Cued: {self.outcome!r} is read off a whole generation, in which nothing is put.")
        return Prepared(
            label=f"{inner.label} after {self.cue!r}",
            reduce=inner.reduce,
            at=inner.at,
            continuation=inner.continuation,
            raw=inner.raw,
            uses_reference=inner.uses_reference,
            cue=self.cue,
        )


@final
@dataclass(frozen=True, slots=True)
class JudgedOutcome(AbstractOutcome):
    """An outcome made of a function of a generation; made by `judge`."""

    function: Callable[..., float]

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model."""
        function, table = self.function, pairs.table
        name = getattr(function, "__name__", type(function).__name__)
        with_unit = len(inspect.signature(function).parameters) > 1

        def judged(told: Told, unit: int, plain: Told) -> float:
            found = function(told, table.iloc[unit]) if with_unit else function(told)
            try:
                return float(found)
            except (TypeError, ValueError):
                raise OutcomeError(
                    f"outcome {name!r} returned {shown(found)} for unit {unit}; a number is needed."
                ) from None

        label = name.replace("_", " ")
        return Prepared(label=label, reduce=_no_reduce(label), judge=judged)


def judge(function: Callable[..., float]) -> JudgedOutcome:
    """Make an outcome of ``function(told) -> number``, where `told` is a whole generation (`Told`).

    A second parameter, if there is one, receives the unit's row of the frame.

    Raises
    ------
    OutcomeError
        If `function` is not a function of one or two parameters.

    Examples
    --------
    >>> @judge
    ... def length(told):
    ...     return len(told.answer)
    >>> type(length).__name__
    'JudgedOutcome'
    """
    if not callable(function) or isinstance(function, type) or _n_parameters(function) not in (1, 2):
        raise OutcomeError(
            f"judge({shown(function)}): a function of one (told) or two (told, unit) parameters is needed."
        )
    return JudgedOutcome(function)


def _n_parameters(function: Callable[..., Any]) -> int | None:
    """Return how many parameters a function has; None where Python cannot tell."""
    try:
        return len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None


def _options(given: Any, pairs: Pairs) -> list[dict[str, str] | None]:
    """Return the options of every unit."""
    if given is None:
        return [None] * len(pairs)
    if isinstance(given, str):
        return [options_of(value) for value in pairs.column(given)]
    return [options_of(given)] * len(pairs)


def _unparsed(options: list[dict[str, str] | None]) -> Callable[[Told, int], bool]:
    return lambda told, unit: extract_answer(told.answer, options[unit]) is None


def _no_reduce(label: str) -> Reduce:
    def reduce(output: Any, units: Any, reference: Any) -> Any:
        raise OutcomeError(f"{label} is an outcome of a whole generation, not of logits.")

    return reduce
