"""What a rollout leaves: tokens, text, where the thoughts are, and the latents that were fed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from .._checks import positive_int
from ..errors import DataError
from ..specs import LatentSpec, Spec

Stopped = Literal["eos", "stop", "length", "scored", "nan", "flagged"]
Segment = tuple[int, int]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Trajectory:
    """Generations of n units, one entry a unit in each field, in the order of the inputs.

    Attributes
    ----------
    prompt_ids
        Token ids of the inputs.
    ids
        Recorded token ids of the new positions, an end-of-sequence token included. What they are at latent
        positions is said by the spec's `record`.
    text
        The generated text, special tokens included, without latent positions and without the final
        end-of-sequence token; the ids as numbers when the model has no tokenizer.
    answers
        What the text says after the last thought: all of it without one, and nothing inside one that is not closed.
    segments
        The thoughts: ``(start, stop)`` indices into `ids`. For a `LatentSpec` the positions that were fed a
        latent; for a `TextSpec` the tokens between the markers. In order, and empty without a spec.
    latents
        The vectors at the latent positions, one after another, ``(steps, hidden)`` float32 on CPU; as many rows
        as the segments of a `LatentSpec` have positions, and none otherwise. In a row that ends by length inside a
        thought, the last one is not read any more.
    stopped
        Why each row ended: ``"eos"``, ``"stop"`` (a stop string), ``"length"`` (max_new_tokens), ``"nan"`` (logits
        that are no numbers) or ``"flagged"`` (see `flags`).
    flags
        What is odd about a unit's thoughts: ``"never opened"``, ``"never closed"``, ``"empty thought"``, ``"several
        thoughts"``, ``"nan"``, ``"refused"`` (the processor took no such input), or why another thought could not be
        put in.
    repeats
        Whether the text ends in a loop; see `mediation.rollouts.repeats`.
    log_probs
        Log-probabilities that were asked for, ``(positions, asked)`` float32 on CPU; None if none were.
    spec
        The spec that the segments belong to.
    """

    prompt_ids: tuple[tuple[int, ...], ...]
    ids: tuple[tuple[int, ...], ...]
    text: tuple[str, ...]
    answers: tuple[str, ...]
    segments: tuple[tuple[Segment, ...], ...]
    latents: tuple[Tensor, ...]
    stopped: tuple[Stopped, ...]
    flags: tuple[tuple[str, ...], ...]
    repeats: tuple[bool, ...]
    log_probs: tuple[Tensor, ...] | None = None
    spec: Spec | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def thoughts(self, segment: int = 0) -> tuple[Tensor, Tensor]:
        """Return the latents of one thought of every unit, filled up with NaN, and how many each has.

        Parameters
        ----------
        segment
            Which thought, counted from 0.

        Returns
        -------
        latents : Tensor
            ``(units, steps, hidden)`` float32; rows of NaN where a unit has fewer steps, or no such thought.
        lengths : Tensor
            ``(units,)``.

        Raises
        ------
        DataError
            If no unit has such a thought.
        """
        positive_int(segment, what="Trajectory.thoughts: segment", least=0, error=DataError)
        parts = []
        for spans, latents in zip(self.segments, self.latents, strict=True):
            before = sum(stop - start for start, stop in spans[:segment])
            size = spans[segment][1] - spans[segment][0] if segment < len(spans) and len(latents) else 0
            parts.append(latents[before : before + size])
        lengths = torch.tensor([len(part) for part in parts])
        if int(lengths.max()) == 0:
            raise DataError(f"Trajectory.thoughts({segment}): no unit has a latent thought {segment}.")
        filled = torch.full((len(parts), int(lengths.max()), parts[0].shape[-1]), float("nan"))
        for row, part in enumerate(parts):
            filled[row, : len(part)] = part
        return filled, lengths

    def __repr__(self) -> str:
        tokens = sum(map(len, self.ids))
        parts = [f"n={len(self)}", f"{tokens} tokens"]
        if self.spec is not None:
            kind = "latent" if isinstance(self.spec, LatentSpec) else "text"
            inside = sum(stop - start for spans in self.segments for start, stop in spans)
            parts.append(f"{sum(map(len, self.segments))} {kind} segments of {inside} tokens in all")
        reasons = Counter(self.stopped)
        parts.append("stopped: " + ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())))
        flags = Counter(flag for unit in self.flags for flag in unit)
        if flags:
            parts.append("flags: " + ", ".join(f"{flag} {count}" for flag, count in sorted(flags.items())))
        return f"<Trajectory {', '.join(parts)}>"
