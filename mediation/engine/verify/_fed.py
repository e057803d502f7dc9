"""Whether a run feeds what tokenizer and processor make of its inputs: a check apart from the code that encodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._checks import listed
from ...errors import BackendError
from ...models import Model
from ...units import Encoded, Encoding, Pairs, Prompt
from ..backends import call
from ..passes import make_batch
from ..study import tolerance


def check_fed(model: Model, pairs: Pairs, encoding: Encoding, *, seed: int = 0) -> None:
    """Compare what one unit of each run is fed with what its text and images are to tokenizer, processor and model.

    Of a text, the token ids are compared. Of a prompt with images, the logits of its last token are, with those of the
    model called on the processor's own output.

    Raises
    ------
    BackendError
        If they differ; names the unit.
    """
    if not (pairs.is_text or pairs.is_prompts):
        return
    unit = int(np.random.default_rng(seed).integers(len(pairs)))
    for run, inputs in encoding.runs.items():
        given, where = pairs.inputs(run)[unit], f"{run} input of unit {unit}"
        if isinstance(given, Prompt) and given.images:
            _check_images(model, given, inputs[unit], where)
        else:
            _check_tokens(model, given.text if isinstance(given, Prompt) else given, inputs[unit], where)


def _check_tokens(model: Model, text: str, fed: Encoded, where: str) -> None:
    """Check that the text's own tokens are fed, with nothing around them but what the tokenizer adds, and adds once."""
    assert fed.ids is not None
    ids, whole = fed.ids.tolist(), list(model.tokenizer(text)["input_ids"])
    bare = list(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    inside = any(whole[at : at + len(bare)] == bare for at in range(len(whole) - len(bare) + 1))
    possible = [whole]
    if inside:
        at = next(at for at in range(len(whole) - len(bare) + 1) if whole[at : at + len(bare)] == bare)
        before, after = whole[:at], whole[at + len(bare) :]
        front = [] if before and bare[:1] == before[:1] else before
        back = [] if after and bare[-1:] == after[:1] else after
        possible = [front + bare + back]
    if ids not in possible:
        raise BackendError(
            f"The {where} is fed the tokens {listed(_words(model, ids))}, and its tokenizer reads its text as "
            f"{listed(_words(model, possible[0]))}. Nothing is reported; please report the tokenizer."
        )


def _check_images(model: Model, prompt: Prompt, fed: Encoded, where: str) -> None:
    bos = getattr(model.tokenizer, "bos_token", None)
    options = {"add_special_tokens": False} if bos and prompt.text.startswith(bos) else {}
    own = model.processor(text=[prompt.text], images=[list(prompt.images)], return_tensors="pt", **options)
    given = {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in own.items()
        if isinstance(value, Tensor) and name != "labels" and (model.takes(name) or name == "input_ids")
    }
    last = -1
    if "attention_mask" in given:
        last = int(given["attention_mask"][0].nonzero().max())
    expected = _logits(model, given)[0, last].double()
    found = _logits(model, make_batch(model, [fed]).inputs)[0, -1].double()
    size = 1 + float(expected.abs().max())
    apart = float((found - expected).abs().max())
    if not apart <= tolerance(model) * size:
        raise BackendError(
            f"The {where}: the model gives logits for its last token that are up to {apart:.6g} off those of the "
            f"model called on what {type(model.processor).__name__} returns ({', '.join(given)}). Nothing is reported; "
            "please report the model and its processor."
        )


def _logits(model: Model, inputs: dict[str, Any]) -> Tensor:
    # A model that keeps a shift of positions from a call about images keeps the one that it had.
    shifts = [(part, part.rope_deltas) for part in model.module.modules() if hasattr(part, "rope_deltas")]
    with torch.no_grad():
        found = call(model.module, inputs)
    for part, shift in shifts:
        part.rope_deltas = shift
    logits: Tensor = found.logits if hasattr(found, "logits") else found[0]
    return logits


def _words(model: Model, ids: Sequence[int]) -> list[str]:
    return [str(model.tokenizer.decode([one])) for one in ids]
