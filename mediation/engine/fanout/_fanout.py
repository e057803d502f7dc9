"""Many layers of one position in one pass: a batch that grows with depth, on the suffix only.

A change in block l at position p alters nothing below block l and nothing before position p. So only the
tokens from p on are fed, with the keys and values of the unpatched run as prefix, and each patched row is
appended to the batch when it is needed: at the output of its block for the residual stream, at the input of
its block for what is inside (attention, heads, MLP, neurons). No block runs for a row that it cannot change, and
what a row is before it is changed is copied from the plain run.
The numbers are those of one full forward pass per world.

Here: whether a study can do that, and a pass that runs out of memory. Which worlds share a pass is in `_grouping`,
the pass itself in `_grow`, what plain runs leave for it in `_plain_states`, and masks in `_masks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..backends import AbstractBackend
from ..captured import Activations, PlainStates
from ..sizes import Room, halving
from ..study import Study
from ._groups import Group
from ._grow import grow
from ._trial import trial

# Families in which the tests compare this path with one forward pass per world. Others are tried first.
FAMILIES = (
    *("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "gpt2", "gpt_neox", "opt"),
    *("mixtral", "qwen2_moe", "qwen3_moe"),
)


def fan_out_reason(study: Study, backend: AbstractBackend) -> str | None:
    """Return why this study cannot fan out, or None if it can."""
    model = study.model
    kind = getattr(getattr(model.module, "config", None), "model_type", None)
    if backend.name == "reference":
        return "the naive path was asked for"
    if study.prepared.reader is not None:
        return "what follows the prompts is generated"
    if not model.is_causal or not {"logits_to_keep", "past_key_values"} <= model.forward_names:
        return "not a causal decoder of transformers"
    if not study.prepared.at_last:
        return "the outcome is not read at the last token"
    if not all(one.tokens_only for inputs in study.encoding.runs.values() for one in inputs):
        return "the inputs hold more than tokens"
    if kind in FAMILIES and type(model.module).__module__.startswith("transformers."):
        return None
    return trial(study, backend)


def run_group(
    study: Study,
    backend: AbstractBackend,
    group: Group,
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None,
    states: PlainStates,
    room: Room | None = None,
) -> Tensor:
    """Return the outcomes of a group's cells, ``(cells, outcomes)``.

    If memory runs out, they come from fewer lanes, then fewer slots, at a time.

    Parameters
    ----------
    states
        What plain runs left.
    room
        As in `halving`.
    """

    def run(part: Group) -> Tensor:
        return grow(study, backend, part, activations, references=references, states=states)

    def of_lanes(lanes: Sequence[int]) -> Tensor:
        part = group.of_lanes(lanes)
        if len(lanes) > 1:
            return run(part)
        return halving(
            lambda slots: run(part.of_slots(slots)),
            range(len(part.slots)),
            lambda first, second: torch.cat([first, second]),
            size=lambda slots: len(slots) * group.suffix,
            room=room,
        )

    found = halving(
        of_lanes,
        range(len(group.lanes)),
        lambda first, second: torch.cat([first, second], dim=1),
        size=lambda lanes: len(lanes) * len(group.slots) * group.suffix,
        room=room,
    )
    return found.flatten(0, 1)
