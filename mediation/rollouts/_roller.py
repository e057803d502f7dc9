"""Jobs bound to a model: run in batches, halved when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    sampling: Sampling | None = None
    seed: int = 0
    batch_size: int | None = None
    prefill: bool = False


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
    layout
        Which rows may share a pass; None to find out.
    """

    how: Decoding
    encoded: tuple[Encoded, ...]
    settings: Settings
    layout: Layout | None = None

    def run(self, jobs: Sequence[Job], on_rows: Callable[[Sequence[Row]], None] = lambda rows: None) -> list[Row]:
        """Return the rows of `jobs`, in order; `on_rows` is told those of each batch, to reduce what they hold."""
        how, found = self.how, dict[int, Row]()
        extra = max((len(job.answer or ()) for job in jobs), default=0)
        longest = max((self.encoded[job.prompt].length or 0 for job in jobs), default=0)
        extra += self.settings.max_new_tokens
        check_window(how.rules.spec, how.model, longest + extra)
        if how.rules.hides:
            # A thought and a question may be read again.
            extra += self.settings.max_new_tokens + max(map(len, how.rules.questions), default=0)

        def some(numbers: Sequence[int]) -> list[Row]:
            return decode(how, self.encoded, [jobs[number] for number in numbers])

        def joined(first: list[Row], second: list[Row]) -> list[Row]:
            return first + second

        prompts = [self.encoded[job.prompt] for job in jobs]
        options: dict[str, Any] = {"max_new_tokens": extra, "batch_size": self.settings.batch_size}
        layout = self.layout or (rollout_layout(how.model, prompts, **options) if jobs else "padded")
        for numbers in batches(how.model, prompts, layout=layout, **options):
            done: list[Row] = halving(some, numbers, joined)
            on_rows(done)
            found.update(zip(numbers, done, strict=True))
        return [found[number] for number in range(len(jobs))]

    def with_(self, **changes: Any) -> Roller:
        """Return a copy that decodes otherwise."""
        return replace(self, how=replace(self.how, **changes))


def make_roller(
    model: Model,
    encoding: Encoding,
    spec: Spec | None,
    settings: Settings,
    backend: AbstractBackend,
    progress: Progress,
    *,
    assignment: Assignment | None = None,
    asked: tuple[int, ...] | None = None,
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
    rules = _rules(model, spec, settings, questions)
    latent = spec if isinstance(spec, LatentSpec) else None
    stops = make_stops(model, encoding, assignment, latent)
    how = Decoding(
        model=model,
        rules=rules,
        stops=stops,
        backend=backend,
        prefill=settings.prefill,
        sampling=settings.sampling,
        seed=settings.seed,
        asked=asked,
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


def _rules(model: Model, spec: Spec | None, settings: Settings, questions: tuple[tuple[int, ...], ...]) -> Rules:
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
        eos=_eos(model),
        stop=settings.stop,
        max_new_tokens=settings.max_new_tokens,
        tokenizer=model.tokenizer,
        questions=questions,
    )


def _eos(model: Model) -> frozenset[int]:
    """Return the ids at which the model's own `generate` ends."""
    for holder in ("generation_config", "config"):
        found = getattr(getattr(model.module, holder, None), "eos_token_id", None)
        if found is not None:
            return frozenset([found] if isinstance(found, int) else map(int, found))
    return frozenset()
