"""The public question: what does the model say, and what does it think on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .._checks import called, elements, one_of, positive_int, shown, true_or_false
from .._seed import seed_from
from ..engine import AbstractBackend, Progress, World, progress_for
from ..engine.backends import backend_for
from ..engine.verify import check_fed
from ..errors import DataError, DesignError
from ..interventions import Assignment
from ..models import Model, load, runs
from ..outcomes import token_id
from ..specs import Spec, TextSpec
from ..units import Encoded, Pairs, Prompt, encode
from ._again import questions_of
from ._entries import check_world
from ._flags import flags_of
from ._roller import Roller, Settings, check_lengths, check_model, make_roller
from ._row import Row
from ._sampling import Sampling
from ._spans import text_segments
from ._told import told_of
from ._trajectory import Segment, Trajectory
from ._worlds import Question
from .study import Session


@runs
def rollout(  # noqa: PLR0913
    model: Any,
    inputs: Any,
    spec: Spec | None = None,
    *,
    max_new_tokens: int = 64,
    assignment: Assignment | None = None,
    prefill: bool = False,
    stop: str | Sequence[str] = (),
    sampling: Sampling | None = None,
    rng: int | np.random.Generator | None = None,
    log_probs: Literal["recorded"] | Sequence[Any] | None = None,
    errors: Literal["raise", "flag"] = "raise",
    batch_size: int | None = None,
    backend: str | AbstractBackend = "nnsight",
    progress: bool | Progress | None = False,
) -> Trajectory:
    """Return what `model` generates from `inputs`, and its thoughts.

    The loop is explicit: one pass over the prompt, then one pass a new position with a cache of keys and values;
    each takes the likeliest token, or samples one. Without a spec the tokens are those of the model's own
    ``generate(do_sample=False)``. Batches are padded on the left, and a row does not depend on the others.

    Parameters
    ----------
    model
        What `load` returns or takes: a causal decoder of transformers, with or without images.
    inputs
        Prompts: `Prompt` objects (text and images), texts, lists of token ids, or a tensor of token ids
        ``(n, length)``. Texts are tokenised as they are; `prompts` writes the model's chat template around them.
    spec
        `LatentSpec` to feed hidden states back, `TextSpec` to find a thought in words; by default the one that the
        model was loaded with, if any.
    max_new_tokens
        Most new positions of a row, latent ones included.
    assignment
        Interventions. At sites in a thought (``med.Zero().at(med.latents())``), where donors and means are those of
        plain rollouts of the other inputs. At sites in the model, which hold at every generated position, latent or
        not, from the first that is fed back: ``med.Zero().at(med.residual(3, at="last"))``; those are at the last
        token, and need nothing but the activation.
    prefill
        Whether interventions in the model hold at the last token of the prompt too. If not, the prompt's pass is
        plain, and the first new token is the one that the model says anyway.
    stop
        Strings that end a row when its generated text holds one; they stay in the text. Latent positions are not
        text.
    sampling
        A `Sampling` to draw tokens; None for the likeliest one.
    rng
        Seed of sampling, noise and donors, or a generator; the same gives the same numbers, a unit's own in any batch.
    log_probs
        ``"recorded"``: keep the log-probability of each recorded token. Tokens (texts or ids): of these, at every
        position.
    errors
        What happens to an input that the processor refuses: ``"raise"``, or ``"flag"`` it and run the others.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    backend
        "nnsight", "hooks" or an object; see `mediation.engine.AbstractBackend`.
    progress
        True for a bar, None for one on a terminal, or an object.

    Returns
    -------
    Trajectory

    Raises
    ------
    DesignError
        If the model is no causal decoder, a token of the spec is not one of the tokenizer's, or an
        intervention cannot be placed where it is.
    SiteError
        If a site does not exist, or is not at the last token.
    DataError
        If an input is empty, is refused by the processor, or is too long for the model.

    Warns
    -----
    MediationWarning
        If the model's generation_config holds settings, such as a repetition penalty, that its ``generate`` would
        apply and a rollout does not.

    Notes
    -----
    A unit whose logits become NaN ends there (``stopped`` "nan") and is flagged; the others go on.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> import mediation as med
    >>> config = LlamaConfig(
    ...     hidden_size=16,
    ...     intermediate_size=32,
    ...     num_hidden_layers=2,
    ...     num_attention_heads=2,
    ...     vocab_size=50,
    ...     eos_token_id=None,
    ... )
    >>> model = med.load(LlamaForCausalLM(config))
    >>> rollout(model, [[3, 1, 4], [1, 5]], max_new_tokens=6, backend="hooks")
    <Trajectory n=2, 12 tokens, stopped: length 2>
    """
    loaded = model if isinstance(model, Model) else load(model)
    spec = spec if spec is not None else loaded.spec
    one_of(errors, ("raise", "flag"), what="rollout: errors")
    check_model(loaded)
    how: dict[str, Any] = {"stop": stop, "sampling": sampling, "batch_size": batch_size, "spec": spec}
    settings = settings_from(max_new_tokens, seed=seed_from(rng), **how)
    settings = replace(settings, prefill=true_or_false(prefill, what="rollout: prefill"))
    asked = _asked(log_probs, loaded)
    runner, bar = backend_for(backend), progress_for(progress)
    given = _checked(inputs)
    refused = _refused(given, loaded) if errors == "flag" else {}
    kept = [unit for unit in range(len(given)) if unit not in refused]
    if not kept:
        raise DataError(f"rollout: every input was refused. The first: {refused[0]}")
    pairs = Pairs(base=given if len(kept) == len(given) else [given[unit] for unit in kept])
    encoding = encode(pairs, loaded)
    check_fed(loaded, pairs, encoding, seed=settings.seed)
    check_lengths(loaded, encoding.runs["base"], settings.max_new_tokens)
    world = World("base", assignment)
    check_world(world, spec, len(pairs), pairs=False)
    question = Question(model=loaded, pairs=pairs, encoding=encoding, spec=spec, seed=settings.seed)
    questions = questions_of(spec, pairs, encoding, loaded)

    def roller_for(inside: Assignment | None) -> Roller:
        made = make_roller(loaded, encoding, settings, runner, bar, assignment=inside, questions=questions)
        return made.with_(asked=asked)

    bar.start(len(kept) * settings.max_new_tokens, "tokens")
    rows = Session(question, roller_for, sampled=sampling is not None).rows_of(world)
    bar.close()
    return _trajectory(loaded, encoding.runs["base"], rows, spec, (len(given), kept))


def settings_from(
    max_new_tokens: int,
    *,
    stop: str | Sequence[str],
    sampling: Sampling | None,
    seed: int,
    batch_size: int | None,
    spec: Spec | None = None,
) -> Settings:
    """Return the settings of rollouts, checked.

    Raises
    ------
    DesignError
        If one is not of its kind.
    """
    positive_int(max_new_tokens, what="rollout: max_new_tokens")
    if batch_size is not None:
        positive_int(batch_size, what="rollout: batch_size")
    if sampling is not None and not isinstance(sampling, Sampling):
        raise DesignError(f"rollout: sampling is {called(sampling)}; a med.Sampling is needed, or None.")
    needed = "a text, or a list of texts"
    stops = (stop,) if isinstance(stop, str) else tuple(elements(stop, what="rollout: stop", needed=needed))
    if any(not isinstance(one, str) or not one for one in stops):
        raise DesignError(f"rollout: stop = {shown(stop)}: strings are needed, none of them empty.")
    return Settings(
        max_new_tokens=max_new_tokens,
        stop=stops,
        sampling=sampling,
        seed=seed,
        batch_size=batch_size,
        spec=spec,
    )


def _trajectory(
    model: Model, encoded: Sequence[Encoded], rows: Sequence[Row], spec: Spec | None, who: tuple[int, list[int]]
) -> Trajectory:
    """Return what the rows have left; units that are not among the kept ones were refused."""
    n, kept = who
    ones: dict[int, dict[str, Any]] = {}
    for unit, one, row in zip(kept, encoded, rows, strict=True):
        assert one.ids is not None
        ones[unit] = _of_row(model, tuple(map(int, one.ids)), row, spec)
    width = int(model.module.get_input_embeddings().weight.shape[-1])  # type: ignore[operator]
    refused = {
        "prompt_ids": (),
        "ids": (),
        "text": "",
        "answers": "",
        "segments": (),
        "latents": torch.zeros(0, width),
        "stopped": "flagged",
        "flags": ("refused",),
        "repeats": False,
        "log_probs": torch.zeros(0, 0),
    }
    columns: dict[str, Any] = {name: tuple(ones.get(unit, refused)[name] for unit in range(n)) for name in refused}
    if not any(row.scores for row in rows):
        columns["log_probs"] = None
    return Trajectory(**columns, spec=spec)


def _of_row(model: Model, prompt: tuple[int, ...], row: Row, spec: Spec | None) -> dict[str, Any]:
    """Return the fields of a trajectory that belong to one unit."""
    ids, told = row.text_ids(), told_of(row, model.tokenizer, spec)
    segments: tuple[Segment, ...] = tuple(row.segments)
    if isinstance(spec, TextSpec):
        segments = text_segments(model.tokenizer, prompt, ids, spec)
    steps = [vector for segment in row.latents for vector in segment]
    width = int(model.module.get_input_embeddings().weight.shape[-1])  # type: ignore[operator]
    return {
        "prompt_ids": prompt,
        "ids": tuple(row.ids),
        "text": told.text,
        "answers": told.answer,
        "segments": segments,
        "latents": torch.stack(steps).detach().float().cpu() if steps else torch.zeros(0, width),
        "stopped": row.stopped,
        "flags": flags_of(row, segments, model, spec),
        "repeats": told.repeats,
        "log_probs": torch.stack(row.scores) if row.scores else torch.zeros(0, 0),
    }


def _asked(log_probs: Any, model: Model) -> tuple[int, ...] | None:
    """Return the ids whose log-probability is kept; -1 stands for the recorded token."""
    if log_probs is None:
        return None
    if isinstance(log_probs, str) and log_probs == "recorded":
        return (-1,)
    if isinstance(log_probs, str) or not isinstance(log_probs, Sequence) or not log_probs:
        raise DesignError(
            f"rollout: log_probs = {shown(log_probs)}; 'recorded', or a list of tokens such as [' A', ' B'] is needed."
        )
    return tuple(token_id(token, model, "a token of log_probs") for token in log_probs)


def _checked(inputs: Any) -> Any:
    if isinstance(inputs, (str, Prompt, Pairs)) or not isinstance(inputs, (Sequence, Tensor)):
        hint = {
            str: "Put one text into a list: [text].",
            Prompt: "Put one prompt into a list: [prompt].",
            Pairs: "Give pairs.base or pairs.source.",
        }
        raise DataError(
            f"rollout: inputs is a {type(inputs).__name__}; a list of prompts, texts or token ids, or a tensor of "
            f"token ids (n, length) is needed. {hint.get(type(inputs), '')}".rstrip()
        )
    if isinstance(inputs, Tensor) and inputs.ndim == 0:
        raise DataError("rollout: inputs is a tensor of one number; token ids (n, length) are needed.")
    if len(inputs) == 0:
        raise DataError("rollout: inputs is empty; at least one prompt is needed.")
    if isinstance(inputs, Tensor) and (inputs.ndim != 2 or inputs.is_floating_point()):
        raise DataError(
            f"rollout: inputs is a tensor of shape {tuple(inputs.shape)} and type {inputs.dtype}; token ids (n, "
            "length) are needed."
        )
    return inputs


def _refused(inputs: Any, model: Model) -> dict[int, str]:
    """Return the units that cannot be read, and why."""
    found = {}
    for unit in range(len(inputs)):
        try:
            encode(Pairs(base=[inputs[unit]]), model)
        except DataError as error:
            found[unit] = str(error)
    return found
