"""An outcome that is read off a generation, where it is one of a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

from ..._checks import listed
from ...errors import DesignError
from ...models import Model
from ...outcomes import AbstractOutcome, Prepared, Several, token_ids
from ...specs import Spec, TextSpec
from ...units import Pairs
from .._roller import Settings
from ._reader import GenerationReader

_DECODING = ("max_new_tokens", "sampling", "spec", "stop")
_ONE_PASS = ("fan_out", "padding_side", "precision", "recheck")


@final
@dataclass(frozen=True, slots=True)
class Generated(AbstractOutcome):
    """An outcome, with what is needed to read it off a generation.

    Parameters
    ----------
    outcome
        Of a whole generation, or after a cue. Any other is read off the pass of the prompt as ever.
    settings
        How tokens are chosen, and when a generation ends; thoughts in words are no part of an answer.
    reference
        The input whose plain generation outcomes may compare with.
    given
        Names of the options that a user has given; some are of generations, and others of single passes.

    Examples
    --------
    >>> from mediation.outcomes import AnswerCorrect
    >>> Generated(AnswerCorrect("answer"), Settings(max_new_tokens=20)).settings.max_new_tokens
    20
    """

    outcome: AbstractOutcome
    settings: Settings
    reference: Literal["base", "source"] = "base"
    given: tuple[str, ...] = ()

    def prepare(self, pairs: Pairs, model: Model) -> Prepared:
        """Bind to units and model.

        Raises
        ------
        DesignError
            If options of generations are given and the outcome is none, or thoughts of the spec need more than a
            prompt's pass and what follows it.
        """
        prepared = self.outcome.prepare(pairs, model)
        if not prepared.of_rollout:
            _refuse(self.given, _DECODING, f"is of generations, and {self._name} is read off one forward pass")
            return prepared
        _refuse(self.given, _ONE_PASS, f"is of single forward passes, and {self._name} is read off generations")
        spec = _written(self.settings.spec)
        reader = GenerationReader(
            prepared=prepared,
            settings=self.settings,
            reference=self.reference,
            cue=_cue(prepared, len(pairs), model, "" if spec is None else spec.end),
        )
        # What is appended, and what is compared with, is the reader's: the pass of the prompt has neither.
        own = {"continuation": None, "uses_reference": False, "reader": reader}
        return replace(prepared, **own, parts=tuple(replace(part, **own) for part in prepared.parts))  # type: ignore[arg-type]

    @property
    def _name(self) -> str:
        """How errors call the outcome; of several, the first stands for all, since they are read in the same way."""
        return repr(self.outcome.outcomes[0] if isinstance(self.outcome, Several) else self.outcome)


def _refuse(given: Sequence[str], names: Sequence[str], why: str) -> None:
    found = [name for name in given if name in names]
    if found:
        raise DesignError(f"{listed(found)} {why}. Leave it out, or use another outcome.")


def _written(spec: Spec | None) -> TextSpec | None:
    if spec is None or (isinstance(spec, TextSpec) and spec.answer_from == "everything"):
        return spec
    how = "hides its thought from the answer" if isinstance(spec, TextSpec) else "feeds latent thoughts"
    raise DesignError(
        f"The model's {type(spec).__name__} {how}, and what follows a patched prompt is generated as plain text. Ask "
        "with spec=None, or about the thought: mediator=med.latents() or med.imagination()."
    )


def _cue(prepared: Prepared, n: int, model: Model, after: str) -> tuple[tuple[int, ...], ...] | None:
    """Return the tokens of the cue and of all but the last of each unit's answer; None for outcomes of the text."""
    if prepared.judged:
        return None
    cue = token_ids(prepared.cue, model, "cue", after=after)
    return tuple(cue + tuple(ids) for ids in prepared.continuation or ((),) * n)
