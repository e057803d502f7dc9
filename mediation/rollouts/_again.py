"""What an answer may read: what is hidden from it, and what is read again before it, by `answer_from` of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from torch import Tensor

from ..errors import DataError, DesignError
from ..models import Model
from ..specs import LatentSpec, Spec, TextSpec
from ..units import Continuations, Encoding, Pairs, Prompt, prompt_spans

ALL = -1
"""In the place of a new position's number: the prompt is hidden as well."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """What a row reads at its next position.

    Attributes
    ----------
    token
        A token, or what stands for one where a vector is fed.
    vector
        A latent, ``(hidden,)``, in the place of the token's embedding.
    since
        The new positions from this one on (counted from 0, `ALL` for the prompt too) are hidden from here on, and
        positions are counted as if they were not there; None to hide nothing.
    """

    token: int = 0
    vector: Tensor | None = None
    since: int | None = None


def tokens_again(tokens: Sequence[int], since: int | None) -> list[Fed]:
    """Return tokens as they are read after all from `since` on is hidden."""
    return [Fed(token, since=None if place else since) for place, token in enumerate(tokens)]


def thought_again(latents: Sequence[Tensor], tokens: Sequence[int]) -> list[Fed]:
    """Return latents, then tokens, as they are read where nothing before can be seen."""
    found = [*(Fed(vector=latent) for latent in latents), *map(Fed, tokens)]
    return [replace(found[0], since=ALL), *found[1:]]


def marker_again(spec: TextSpec, said: Sequence[int], tokenizer: Any) -> tuple[int, tuple[int, ...]]:
    """Return how many trailing tokens of `said` hold the start marker, and it with the end marker as tokens.

    What stands before the marker in the first of those tokens stays; what the last of them holds of the thought does
    not.
    """
    count, text = 0, ""
    while count < len(said) and spec.start not in text:
        count += 1
        text = str(tokenizer.decode(list(said[-count:])))
    start = text[: text.find(spec.start) + len(spec.start)] if said else ""
    return count, Continuations(tokenizer).somewhere(start + spec.end)


def questions_of(spec: Spec | None, pairs: Pairs, encoding: Encoding, model: Model) -> tuple[tuple[int, ...], ...]:
    """Return the tokens of the question of every input, base first; nothing where the spec does not read it again.

    Raises
    ------
    DataError
        If an input does not say which part of it is the question.
    """
    if not isinstance(spec, (LatentSpec, TextSpec)) or spec.answer_from != "thought":
        return ()
    found = []
    for run, inputs in encoding.runs.items():
        given = pairs.inputs(run)
        for unit, one in enumerate(inputs):
            assert one.ids is not None
            spans = dict(one.spans)
            if "question" not in spans:
                where = f"{run} input of unit {unit}"
                prompt = given[unit]
                if not isinstance(prompt, Prompt) or not prompt.question:
                    raise DataError(
                        f"{type(spec).__name__}(answer_from='thought'): the question is read again after the thought, "
                        f"and the {where} does not say which part of it is the question. Write it with "
                        "med.prompts(...), or med.Prompt(text, images, question='...')."
                    )
                assert prompt.offset is not None
                place = {"question": (prompt.offset, prompt.offset + len(prompt.question))}
                spans = prompt_spans(one.ids, prompt, model, place, where)
            hidden = set(spans.get("image", ()))
            found.append(tuple(int(one.ids[at]) for at in spans["question"] if at not in hidden))
    return tuple(found)


def check_hiding(spec: Spec | None, model: Model) -> None:
    """Check that earlier positions can be hidden from a model.

    Raises
    ------
    DesignError
        If it takes no mask or no positions, or keeps something else than keys and values of each position.
    """
    if spec is None or spec.answer_from == "everything":
        return
    name = type(model.module).__name__
    said = f"{type(spec).__name__}(answer_from={spec.answer_from!r}) hides earlier positions"
    missing = [one for one in ("attention_mask", "position_ids") if one not in model.forward_names]
    if missing:
        raise DesignError(
            f"{said}, and the forward of {name} takes no {' and no '.join(missing)}. Use a decoder with attention that "
            "takes both, or answer_from='everything'."
        )
    kinds = sorted(_layers(model) - {"full_attention", "sliding_attention"})
    if kinds:
        raise DesignError(
            f"{said}, and {name} has layers of kind {', '.join(kinds)}, whose memory is not one key and one value a "
            "position that a mask could hide. Use a model with full or sliding attention, or answer_from='everything'."
        )


def check_window(spec: Spec | None, model: Model, positions: int) -> None:
    """Check that hidden positions do not push others out of a sliding window.

    Raises
    ------
    DesignError
        If they might: what is seen after the thought would depend on its length.
    """
    if spec is None or spec.answer_from != "prompt" or "sliding_attention" not in _layers(model):
        return
    window = getattr(model.module.config.get_text_config(), "sliding_window", None)  # type: ignore[union-attr, operator]
    if window is not None and positions > window:
        raise DesignError(
            f"{type(spec).__name__}(answer_from='prompt'): {type(model.module).__name__} has layers that see "
            f"{window} positions back, and a row may have {positions}. A long thought would push the prompt out of "
            "their sight, so that the answer depends on its length. Shorten the prompts, or lower max_new_tokens."
        )


def _layers(model: Model) -> set[str]:
    """Return the kinds of the model's layers, by what they remember."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    config: Any = model.module.config
    named = set(getattr(config.get_text_config(), "layer_types", None) or ())
    plain: dict[type[Any], str] = {DynamicLayer: "full_attention", DynamicSlidingWindowLayer: "sliding_attention"}
    found = {plain.get(type(layer), type(layer).__name__) for layer in DynamicCache(config=config).layers}
    return found | (named - {"full_attention", "sliding_attention"})
