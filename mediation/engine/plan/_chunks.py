"""How many units are run together."""

from __future__ import annotations

import torch

from ...models import said
from ..captured import HELD, births, captures
from ..sizes import PassMemory, model_cost
from ..study import Study

_CAPTURED = 2**29  # bytes of activations held at a time
_LEAST, _MOST = 8, 128  # units in a chunk


def units_at_a_time(study: Study) -> int:
    """Return how many units' captured activations are held together: many share passes, few take less memory."""
    numbers = sum(
        len(study.positions(site, run, 0) or (0,)) for run, sites in captures(study).items() for site in sites
    )
    config = getattr(study.model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    width = said(config, "hidden_size") or 1024
    per_unit = max(1, numbers * width * torch.finfo(study.model.dtype).bits // 8)
    return int(min(_MOST, max(_LEAST, min(_CAPTURED // per_unit, HELD // max(1, _bytes_of_states(study))))))


def _bytes_of_states(study: Study) -> int:
    """Return the bytes that the plain runs of the longest unit leave for growing passes."""
    cost = model_cost(study.model)
    if cost is None or not study.model.is_causal:
        return 0
    lengths = [study.length(run, unit) for run in study.encoding.runs for unit in range(len(study.pairs))]
    return PassMemory(study.model, cost).states(len(study.encoding.runs), max(lengths), len(births(study)))
