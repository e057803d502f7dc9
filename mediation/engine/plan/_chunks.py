"""How a study is split: tokens in a pass, units that run together, memory for what plain runs leave."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...models import said
from ..captured import births, captures
from ..sizes import PassMemory, held_budget, model_cost, tokens_for
from ..study import Study

_LEAST, _MOST = 8, 128  # units in a chunk


class Split(NamedTuple):
    """How a study is split: chosen before the run, and kept by a folder, so that the run goes on as it began.

    Attributes
    ----------
    tokens
        In a pass.
    units
        Whose activations are held together.
    held
        Bytes for captured activations, and as many for what plain runs leave for growing passes.
    """

    tokens: int
    units: int
    held: int


def split_of(study: Study) -> Split:
    """Return how the machine at hand splits a study."""
    held = held_budget(study.model.device)
    return Split(tokens_for(study), _units(study, held), held)


def _units(study: Study, held: int) -> int:
    """Return how many units' captured activations are held together: many share passes, few take less memory."""
    numbers = sum(
        len(study.positions(site, run, 0) or (0,)) for run, sites in captures(study).items() for site in sites
    )
    config = getattr(study.model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    width = said(config, "hidden_size") or 1024
    per_unit = max(1, numbers * width * torch.finfo(study.model.dtype).bits // 8)
    return int(min(_MOST, max(_LEAST, min(held // per_unit, held // max(1, _bytes_of_states(study))))))


def _bytes_of_states(study: Study) -> int:
    """Return the bytes that the plain runs of the longest unit leave for growing passes."""
    cost = model_cost(study.model)
    if cost is None or not study.model.is_causal:
        return 0
    lengths = [study.length(run, unit) for run in study.encoding.runs for unit in range(len(study.pairs))]
    return PassMemory(study.model, cost).states(len(study.encoding.runs), max(lengths), len(births(study)))
