"""What a rollout leaves: tokens, text, where the thoughts are, and the latents that were fed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, final

from torch import Tensor

from ..specs import LatentSpec, Spec

Stopped = Literal["eos", "stop", "length"]
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
    segments
        The thoughts: ``(start, stop)`` indices into `ids`. For a `LatentSpec` the positions that were fed a
        latent; for a `TextSpec` the tokens between the markers. In order, and empty without a spec.
    latents
        The vectors at the latent positions, one after another, ``(steps, hidden)`` float32 on CPU; as many rows
        as the segments of a `LatentSpec` have positions, and none otherwise.
    stopped
        Why each row ended: ``"eos"``, ``"stop"`` (a stop string) or ``"length"`` (max_new_tokens).
    spec
        The spec that the segments belong to.
    """

    prompt_ids: tuple[tuple[int, ...], ...]
    ids: tuple[tuple[int, ...], ...]
    text: tuple[str, ...]
    segments: tuple[tuple[Segment, ...], ...]
    latents: tuple[Tensor, ...]
    stopped: tuple[Stopped, ...]
    spec: Spec | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        tokens = sum(map(len, self.ids))
        parts = [f"n={len(self)}", f"{tokens} tokens"]
        if self.spec is not None:
            kind = "latent" if isinstance(self.spec, LatentSpec) else "text"
            inside = sum(stop - start for spans in self.segments for start, stop in spans)
            parts.append(f"{sum(map(len, self.segments))} {kind} segments of {inside} tokens in all")
        reasons = Counter(self.stopped)
        parts.append("stopped: " + ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())))
        return f"<Trajectory {', '.join(parts)}>"
