"""The public question: what does the model say, and what does it think on the way."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._checks import positive_int
from .._errors import DataError, DesignError, MediationWarning
from ..engine import AbstractBackend, Progress, progress_for
from ..engine._batching import halving
from ..engine._choose import backend_for
from ..interventions import Assignment
from ..models import Model, load
from ..units import Encoded, Encoding, Pairs, encode
from ._batch import batches
from ._loop import Row, Rules, decode
from ._spans import text_segments
from ..specs import LatentSpec, Spec, TextSpec
from ._stops import make_stops
from ._tokens import check_text_spec, resolve_latent
from ._trajectory import Trajectory

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


def rollout(
    model: Any,
    inputs: Any,
    spec: Spec | None = None,
    *,
    max_new_tokens: int = 64,
    assignment: Assignment | None = None,
    prefill: bool = False,
    stop: str | Sequence[str] = (),
    batch_size: int | None = None,
    backend: str | AbstractBackend = "nnsight",
    progress: bool | Progress | None = False,
) -> Trajectory:
    """Return what `model` generates from `inputs`, and its thoughts.

    The loop is explicit: one pass over the prompt, then one pass a new position with a cache of keys and values;
    each takes the likeliest token. Without a spec the tokens are those of the model's own
    ``generate(do_sample=False)``. Batches are padded on the left, and a row does not depend on the others.

    Parameters
    ----------
    model
        What `load` returns or takes: a text-only decoder of transformers.
    inputs
        Prompts: texts, lists of token ids, or a tensor of token ids ``(n, length)``. Texts are tokenised as they
        are, with no chat template.
    spec
        `LatentSpec` to feed hidden states back, `TextSpec` to find a thought in words, None for neither.
    max_new_tokens
        Most new positions of a row, latent ones included.
    assignment
        Interventions that hold at every generated position, latent or not, from the first that is fed back to
        the model: ``med.Zero().at(med.residual(3, at="last"))``. All sites are at the last token, and the
        interventions need nothing but the activation. At ``med.embedding(at="last")`` they also act on latents.
    prefill
        Whether the interventions hold at the last token of the prompt too. If not, the prompt's pass is plain, and
        the first new token is the one that the model says anyway.
    stop
        Strings that end a row when its generated text holds one; they stay in the text. Latent positions are not
        text.
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
        If the model is no text-only causal decoder, a token of the spec is not one of the tokenizer's, or an
        intervention needs another run or noise.
    SiteError
        If a site does not exist, or is not at the last token.
    DataError
        If an input is empty, or too long for the model.
    BackendError
        If logits are NaN or infinite.

    Warns
    -----
    MediationWarning
        If the model's generation_config holds settings, such as a repetition penalty, that its ``generate`` would
        apply and a rollout does not.

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
    _check_model(loaded)
    positive_int(max_new_tokens, what="rollout: max_new_tokens")
    if batch_size is not None:
        positive_int(batch_size, what="rollout: batch_size")
    runner = backend_for(backend)
    rules = _rules(loaded, spec, max_new_tokens, stop)
    encoding = _encode(loaded, inputs)
    encoded = encoding.runs["base"]
    _check_lengths(loaded, encoded, max_new_tokens)
    stops = make_stops(loaded, encoding, assignment, latent=rules.spec is not None)
    bar = progress_for(progress)
    bar.start(len(encoded) * max_new_tokens, "tokens")

    def run(units: Sequence[int]) -> list[Row]:
        return decode(loaded, encoded, units, rules, stops, runner, prefill=prefill, advance=bar.advance)

    def joined(first: list[Row], second: list[Row]) -> list[Row]:
        return first + second

    rows: list[Row] = []
    for units in batches(loaded, encoded, max_new_tokens=max_new_tokens, batch_size=batch_size):
        some: list[Row] = halving(run, units, joined)
        rows.extend(some)
    bar.close()
    return _trajectory(loaded, encoded, sorted(rows, key=lambda row: row.unit), spec)


def _trajectory(model: Model, encoded: Sequence[Encoded], rows: Sequence[Row], spec: Spec | None) -> Trajectory:
    prompts = tuple(tuple(int(i) for i in one.ids) for one in encoded if one.ids is not None)
    texts = [row.text_ids() for row in rows]
    if isinstance(spec, TextSpec):
        segments = tuple(text_segments(model.tokenizer, p, ids, spec) for p, ids in zip(prompts, texts, strict=True))
    else:
        segments = tuple(tuple(row.segments) for row in rows)
    width = int(model.module.config.get_text_config().hidden_size)  # type: ignore[union-attr, operator]
    return Trajectory(
        prompt_ids=prompts,
        ids=tuple(tuple(row.ids) for row in rows),
        text=tuple(_text(model, ids) for ids in texts),
        segments=segments,
        latents=tuple(torch.stack(row.latents) if row.latents else torch.zeros(0, width) for row in rows),
        stopped=tuple(row.stopped for row in rows if row.stopped is not None),
        spec=spec,
    )


def _text(model: Model, ids: Sequence[int]) -> str:
    return " ".join(map(str, ids)) if model.tokenizer is None else str(model.tokenizer.decode(ids))


def _check_model(model: Model) -> None:
    config: Any = getattr(model.module, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    if not model.is_causal or "past_key_values" not in model.forward_names or text is not config:
        raise DesignError(
            f"rollout: {type(model.module).__name__} is not a text-only causal decoder of transformers with a cache of "
            "keys and values, such as LlamaForCausalLM or GPT2LMHeadModel."
        )
    settings = getattr(model.module, "generation_config", None)
    asked = {name: getattr(settings, name, None) for name in _RESHAPING}
    asked = {name: value for name, value in asked.items() if value not in _RESHAPING[name]}
    if asked:
        warnings.warn(
            f"The model's generation_config asks for {', '.join(f'{k}={v!r}' for k, v in asked.items())}; a rollout "
            "takes the likeliest token of the plain logits, so its tokens may differ from those of generate.",
            MediationWarning,
            stacklevel=3,
        )


def _rules(model: Model, spec: Spec | None, max_new_tokens: int, stop: str | Sequence[str]) -> Rules:
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if any(not isinstance(one, str) or not one for one in stops):
        raise DesignError(f"rollout: stop = {stop!r}: strings are needed, none of them empty.")
    if stops and model.tokenizer is None:
        raise DesignError(
            f"rollout: stop = {stop!r} is looked for in the text, and {model!r} has no tokenizer. "
            "Give one: med.load(model, tokenizer=...)."
        )
    if spec is not None and not isinstance(spec, (LatentSpec, TextSpec)):
        raise DesignError(f"rollout: spec = {spec!r} is a {type(spec).__name__}; give a LatentSpec or a TextSpec.")
    if isinstance(spec, TextSpec):
        check_text_spec(spec, model)
    latent = spec if isinstance(spec, LatentSpec) else None
    return Rules(
        spec=latent,
        tokens=resolve_latent(latent, model) if latent is not None else None,
        eos=_eos(model),
        stop=stops,
        max_new_tokens=max_new_tokens,
        tokenizer=model.tokenizer,
    )


def _eos(model: Model) -> frozenset[int]:
    """Return the ids at which the model's own `generate` ends."""
    for holder in ("generation_config", "config"):
        found = getattr(getattr(model.module, holder, None), "eos_token_id", None)
        if found is not None:
            return frozenset([found] if isinstance(found, int) else map(int, found))
    return frozenset()


def _encode(model: Model, inputs: Any) -> Encoding:
    if isinstance(inputs, (str, Pairs)) or not isinstance(inputs, (Sequence, Tensor)):
        hint = {str: "Put one text into a list: [text].", Pairs: "Give pairs.base or pairs.source."}
        raise DataError(
            f"rollout: inputs is a {type(inputs).__name__}; a list of texts, lists of token ids or a tensor of token "
            f"ids (n, length) is needed. {hint.get(type(inputs), '')}".rstrip()
        )
    if len(inputs) == 0:
        raise DataError("rollout: inputs is empty; at least one prompt is needed.")
    if isinstance(inputs, Tensor) and (inputs.ndim != 2 or inputs.is_floating_point()):
        raise DataError(
            f"rollout: inputs is a tensor of shape {tuple(inputs.shape)} and type {inputs.dtype}; token ids (n, "
            "length) are needed."
        )
    return encode(Pairs(base=inputs), model)


def _check_lengths(model: Model, encoded: Sequence[Encoded], max_new_tokens: int) -> None:
    most = getattr(model.module.config, "max_position_embeddings", None)
    longest = max(range(len(encoded)), key=lambda unit: encoded[unit].length or 0)
    length = encoded[longest].length or 0
    if isinstance(most, int) and length + max_new_tokens > most:
        raise DataError(
            f"rollout: input {longest} has {length} tokens and max_new_tokens = {max_new_tokens}, together more than "
            f"the model's {most} positions. Ask for at most {max(most - length, 0)} new tokens, or shorten the input."
        )
