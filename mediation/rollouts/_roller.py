"""Jobs bound to a model: run in batches, halved when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from .._checks import shown
from ..engine import AbstractBackend, Progress
from ..engine.sizes import halving
from ..engine.study import Layout
from ..errors import DataError, DesignError, MediationWarning, warn
from ..interventions import Assignment
from ..models import Model
from ..specs import LatentSpec, Spec, TextSpec
from ..units import Encoded, Encoding
from ._again import check_hiding, check_window
from ._batch import batches, rollout_layout
from ._loop import Decoding, decode
from ._plan import Job, Rules
from ._row import Row
from ._sampling import Sampling
from ._stops import make_stops
from ._tokens import check_text_spec, resolve_latent

# Settings of a model's generation_config that change what greedy decoding says, and the values that do not.
_RESHAPING: dict[str, tuple[Any, ...]] = {
    "repetition_penalty": (None, 1, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "bad_words_ids": (None, []),
    "suppress_tokens": (None, []),
    "begin_suppress_tokens": (None, []),
    "sequence_bias": (None,),
    "forced_bos_token_id": (None,),
    "forced_eos_token_id": (None,),
    "exponential_decay_length_penalty": (None,),
    "guidance_scale": (None, 1, 1.0),
    "num_beams": (None, 1),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How rollouts are run.

    Parameters
    ----------
    max_new_tokens
        Most new positions of a row, latent ones included.
    stop
        Strings that end a row.
    sampling
        How tokens are drawn; None for the likeliest one.
    seed
        Of sampling.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    prefill
        Whether interventions inside the model hold at the last token of the prompt too.
    spec
        Of the thoughts; None for none.
    """

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    sampling: Sampling | None = None
    seed: int = 0
    batch_size: int | None = None
    prefill: bool = False
    spec: Spec | None = None


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Roller:
    """Decodes jobs on given prompts.

    Attributes
    ----------
    how
        Model, rules and places.
    encoded
        The prompts that jobs continue.
    settings
        How they are run.
    tokens
        In one pass; None asks the memory at hand.
    """

    how: Decoding
    encoded: tuple[Encoded, ...]
    settings: Settings
    tokens: int | None = None

    def batches(
        self, prompts: Sequence[int], *, answer: int = 0, tried: bool = True, layout: Layout | None = None
    ) -> Iterator[list[int]]:
        """Yield which rows share a pass.

        Parameters
        ----------
        prompts
            The prompt of each row.
        answer
            Most tokens that are put after a thought.
        tried
            Whether rows are tried beside each other before; without that they are taken not to depend on each other.
        layout
            Which rows may share a pass, where that is known.
        """
        how, settings = self.how, self.settings
        mine = [self.encoded[prompt] for prompt in prompts]
        if not mine:
            return
        most = max(one.length or 0 for one in mine) + settings.max_new_tokens + answer
        check_window(how.rules.spec, how.model, most)
        options = {"max_new_tokens": self.longest(answer), "batch_size": settings.batch_size, "tokens": self.tokens}
        layout = layout or (rollout_layout(how.model, mine, **options) if tried else "padded")
        yield from batches(how.model, mine, layout=layout, **options)  # type: ignore[arg-type]

    def longest(self, answer: int) -> int:
        """Return how many positions a row may add to its prompt, `answer` of them put after a thought."""
        most, rules = self.settings.max_new_tokens, self.how.rules
        # A thought and a question may be read again.
        again = most + max(map(len, rules.questions), default=0) if rules.hides else 0
        return most + answer + again

    def decode(self, jobs: Sequence[Job]) -> list[Row]:
        """Return the rows of jobs that share their passes; where memory runs out, of one half and then the other."""
        return halving(lambda some: decode(self.how, self.encoded, some), jobs, lambda one, other: one + other)

    def with_(self, **changes: Any) -> Roller:
        """Return a copy that decodes otherwise."""
        return replace(self, how=replace(self.how, **changes))


def make_roller(
    model: Model,
    encoding: Encoding,
    settings: Settings,
    backend: AbstractBackend,
    progress: Progress,
    *,
    assignment: Assignment | None = None,
    questions: tuple[tuple[int, ...], ...] = (),
) -> Roller:
    """Bind prompts to a model; those of the base come first, then those of the source.

    `questions` are what `questions_of` finds, for a spec whose answers read them again.

    Raises
    ------
    DesignError
        If the model is no causal decoder, a token of the spec is not one of the tokenizer's, or the spec hides
        positions and the model cannot be told.
    SiteError
        If a site of the assignment does not exist, or is not at the last token.
    """
    encoded = tuple(one for run in encoding.runs.values() for one in run)
    rules = _rules(model, settings, questions)
    latent = settings.spec if isinstance(settings.spec, LatentSpec) else None
    stops = make_stops(model, encoding, assignment, latent)
    how = Decoding(
        model=model,
        rules=rules,
        stops=stops,
        backend=backend,
        prefill=settings.prefill,
        sampling=settings.sampling,
        seed=settings.seed,
        advance=progress.advance,
    )
    return Roller(how=how, encoded=encoded, settings=settings)


def check_model(model: Model) -> None:
    """Check that a model can be decoded step by step.

    Raises
    ------
    DesignError
        If it cannot.

    Warns
    -----
    MediationWarning
        If its own ``generate`` would reshape the logits.
    """
    if not model.is_causal or "past_key_values" not in model.forward_names:
        raise DesignError(
            f"rollout: {type(model.module).__name__} is not a causal decoder of transformers with a cache of "
            "keys and values, such as LlamaForCausalLM or Qwen2_5_VLForConditionalGeneration."
        )
    settings = getattr(model.module, "generation_config", None)
    asked = {name: getattr(settings, name, None) for name in _RESHAPING}
    asked = {name: value for name, value in asked.items() if value not in _RESHAPING[name]}
    if asked:
        warn(
            f"The model's generation_config asks for {', '.join(f'{k}={v!r}' for k, v in asked.items())}; a rollout "
            "takes the likeliest token of the plain logits, so its tokens may differ from those of generate.",
            MediationWarning,
        )


def check_lengths(model: Model, encoded: Sequence[Encoded], more: int) -> None:
    """Raise DataError if a prompt and `more` new tokens are longer than the model reads."""
    most = model.context
    longest = max(range(len(encoded)), key=lambda unit: encoded[unit].length or 0)
    length = encoded[longest].length or 0
    if most is not None and length + more > most:
        raise DataError(
            f"rollout: input {longest} has {length} tokens and max_new_tokens = {more}, together more than "
            f"the model's {most} positions. Ask for at most {max(most - length, 0)} new tokens, or shorten the input."
        )


def _rules(model: Model, settings: Settings, questions: tuple[tuple[int, ...], ...]) -> Rules:
    spec = settings.spec
    if settings.stop and model.tokenizer is None:
        raise DesignError(
            f"rollout: stop = {settings.stop!r} is looked for in the text, and {model!r} has no tokenizer. "
            "Give one: med.load(model, tokenizer=...)."
        )
    if spec is not None and not isinstance(spec, (LatentSpec, TextSpec)):
        raise DesignError(f"rollout: spec = {shown(spec)} is a {type(spec).__name__}; give a LatentSpec or a TextSpec.")
    if isinstance(spec, TextSpec):
        check_text_spec(spec, model)
    check_hiding(spec, model)
    return Rules(
        spec=spec,
        tokens=resolve_latent(spec, model) if isinstance(spec, LatentSpec) else None,
        eos=eos_of(model),
        stop=settings.stop,
        max_new_tokens=settings.max_new_tokens,
        tokenizer=model.tokenizer,
        questions=questions,
    )


def eos_of(model: Model) -> frozenset[int]:
    """Return the ids at which the model's own `generate` ends."""
    for holder in ("generation_config", "config"):
        found = getattr(getattr(model.module, holder, None), "eos_token_id", None)
        if found is not None:
            return frozenset([found] if isinstance(found, int) else map(int, found))
    return frozenset()
