"""Which tokens a part of an input or a written thought is, and where in the model its states are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from .._checks import shown
from ..errors import DataError, DesignError, SiteError
from ..models import Model
from ..rollouts import Trajectory
from ..sites import InputSite, Site, ThoughtSite, check_box, residual, resolve
from ..units import Encoded, Pairs, encode
from ._states import States

Layer = int | Literal["input"] | None
SPAN = "captured"


def captured_site(model: Model, layer: Layer) -> tuple[Site, str]:
    """Return the site of hidden states at the captured tokens, and its name."""
    if layer is None:
        head: Any = getattr(model.module, "get_output_embeddings", lambda: None)()
        path = next((path for path, module in model.module.named_modules() if module is head), None)
        if head is None or path is None:
            raise SiteError(
                f"capture: {type(model.module).__name__} does not say where its output projection is, so its last "
                "hidden state is not found. Name a block: layer=0."
            )
        return Site(path, io="input", at=SPAN), "last hidden state"
    if isinstance(layer, str) and layer == "input":
        return Site(resolve(residual(0), model).path, io="input", at=SPAN), "input of block 0"
    if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)):
        raise SiteError(
            f"capture: layer = {shown(layer)}: a block, 'input' (what the first block reads), or None (the last hidden "
            "state, after the final norm) is needed."
        )
    return residual(int(layer), at=SPAN), f"layer {shown(layer)}"


def input_tokens(model: Model, pairs: Pairs, run: str, site: InputSite) -> list[Encoded]:
    """Return the inputs of `run`, with the tokens of `site` as a span.

    Raises
    ------
    DataError
        If the inputs are not language, or a unit has no image or question.
    """
    inputs = pairs.inputs(run)
    spans: dict[str, Any] = {}
    if site.kind != "prompt" and not pairs.is_prompts:
        raise DataError(f"capture: {site} is a part of a Prompt, and the inputs are others. Write them by med.prompts.")
    if site.kind == "question":
        without = [unit for unit, one in enumerate(inputs) if one.question is None]
        if without:
            raise DataError(
                f"capture: the prompt of unit {without[0]} does not say which part is the question. Write it by "
                "med.prompts(...), or Prompt(text, question='...')."
            )
        spans = {"question": [(one.offset, one.offset + len(one.question)) for one in inputs]}
    encoded = encode(Pairs(base=inputs, spans=spans), model).runs["base"]
    boxes = _boxes(pairs, site)
    found = []
    for unit, one in enumerate(encoded):
        if one.length is None:
            raise DataError(f"capture: {site}: the inputs are tensors, without tokens. Name a module: med.Site(...).")
        if site.kind == "image":
            tokens = _image_tokens(one, site, boxes[unit], unit)
        else:
            tokens = one.spans["question"] if site.kind == "question" else tuple(range(one.length))
        found.append(_marked(one, tokens))
    return found


def with_thoughts(
    model: Model, pairs: Pairs, run: str, site: ThoughtSite, trajectory: Trajectory
) -> list[Encoded | None]:
    """Return each input of `run` followed by what the model said up to the end of its thought, None without one."""
    encoded = encode(Pairs(base=pairs.inputs(run)), model).runs["base"]
    found: list[Encoded | None] = []
    for one, ids, segments in zip(encoded, trajectory.ids, trajectory.segments, strict=True):
        assert one.ids is not None
        assert one.length is not None
        mine = _chosen(segments, site.segment)
        tokens = tuple(one.length + index for start, stop in mine for index in range(start, stop))
        if not tokens:
            found.append(None)
            continue
        more = ids[: mine[-1][1]]
        axes = one.axes
        if axes is not None:
            following = torch.arange(one.next_position, one.next_position + len(more))
            axes = torch.cat([axes, following.expand(len(axes), -1)], dim=1)
        aligned = {name: one.entries(name, model, len(more)) for name in one.aligned}
        longer = torch.cat([one.ids, torch.tensor(more, dtype=one.ids.dtype)])
        whole = replace(one, ids=longer, axes=axes, aligned=aligned)
        names = model.tokenizer
        tokens_said = tuple(str(i) for i in more) if names is None else tuple(names.decode([i]) for i in more)
        found.append(_marked(replace(whole, tokens=(*one.tokens, *tokens_said)), tokens))
    if all(one is None for one in found):
        raise DataError(
            f"capture: no unit has a thought at {site}; the first said {trajectory.text[0][:200]!r}. Give more "
            "max_new_tokens, or another spec; med.rollout(model, inputs, spec) shows what is said."
        )
    return found


def latents_of(trajectory: Trajectory, site: ThoughtSite) -> States:
    """Return the latents of a rollout at the steps of `site`.

    Raises
    ------
    DataError
        If no unit has any.
    """
    parts = []
    for segments, latents in zip(trajectory.segments, trajectory.latents, strict=True):
        rows: list[int] = []
        before = 0
        for index, (start, stop) in enumerate(segments):
            if site.segment in (None, index):
                rows += range(before, before + stop - start)
            before += stop - start
        thought = latents[[row for row in rows if row < len(latents)]].numpy()
        parts.append(thought[_steps(site, len(thought))])
    if not any(map(len, parts)):
        raise DataError(
            f"capture: no unit has a latent at {site}; the first said {trajectory.text[0][:200]!r}. Look at the "
            "trajectory of med.rollout(model, inputs, spec)."
        )
    return stacked(parts, "latents" if site.segment is None else f"latents[{site.segment}]")


def stacked(parts: Sequence[Any], name: str) -> States:
    """Return arrays ``(steps, hidden)`` of one unit each, filled up with NaN."""
    lengths = [len(part) for part in parts]
    first = next(part for part in parts if len(part))
    values = np.full((len(parts), max(lengths), *first.shape[1:]), np.nan, first.dtype)
    for row, part in enumerate(parts):
        values[row, : len(part)] = part
    return States(values, lengths, name)


def _steps(site: ThoughtSite, length: int) -> list[int]:
    step: Any = site.step
    every = range(length)
    if step in ("all", "each"):
        return list(every)
    if step == "last":
        return list(every[-1:])
    if hasattr(step, "indices"):
        return list(every[slice(*step.indices(length))]) if length else []
    wanted = (step,) if isinstance(step, int) else step
    return [every[index] for index in wanted if -length <= index < length]


def _chosen(segments: Sequence[tuple[int, int]], segment: int | None) -> list[tuple[int, int]]:
    return list(segments) if segment is None else list(segments[segment : segment + 1])


def _marked(one: Encoded, tokens: tuple[int, ...]) -> Encoded:
    spans: Mapping[str, tuple[int, ...]] = {SPAN: tokens}
    return replace(one, spans=spans)


def _boxes(pairs: Pairs, site: InputSite) -> list[Any]:
    if not isinstance(site.box, str):
        return [site.box] * len(pairs)
    return [check_box(box, f"capture: unit {unit}") for unit, box in enumerate(pairs.column(site.box))]


def _image_tokens(one: Encoded, site: InputSite, box: Any, unit: int) -> tuple[int, ...]:
    tokens = one.spans.get("image", ())
    if not tokens:
        raise DataError(f"capture: {site}: the input of unit {unit} has no image token. Give prompts with images.")
    if site.index is None and box is None:
        return tokens
    breaks = [index for index in range(1, len(tokens)) if tokens[index] != tokens[index - 1] + 1]
    runs = [tokens[a:b] for a, b in zip([0, *breaks], [*breaks, len(tokens)], strict=True)]
    if site.index is not None and site.index >= len(runs):
        raise DataError(f"capture: {site}: the input of unit {unit} has {len(runs)} images.")
    kept = runs if site.index is None else [runs[site.index]]
    if box is None:
        return kept[0]
    grids = one.features.get("image_grid_thw")
    if grids is None:
        raise DesignError(
            f"capture: {site}: the processor of this model does not say which token is where in the image. Leave the "
            "box out."
        )
    rows = grids.tolist() if site.index is None else [grids[site.index].tolist()]
    return tuple(token for run, grid in zip(kept, rows, strict=True) for token in _inside(run, grid, box))


def _inside(tokens: tuple[int, ...], grid: Sequence[int], box: Sequence[float]) -> list[int]:
    """Return the tokens of one image whose square of pixels shares an area with the box."""
    _, high, wide = grid
    merge = round((np.prod(grid) / len(tokens)) ** 0.5)
    rows, columns = high // merge, wide // merge
    left, top, right, bottom = box
    return [
        token
        for index, token in enumerate(tokens)
        if (index // columns % rows) / rows < bottom
        and (index // columns % rows + 1) / rows > top
        and (index % columns) / columns < right
        and (index % columns + 1) / columns > left
    ]
