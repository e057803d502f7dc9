"""The models: what each goes on from, and its stages of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of training.

    Attributes
    ----------
    mix
        Shares of the objectives, by their names in objectives.STAGES: of the units of a step, and of its loss.
    steps, batch, rate
        Steps, units a step, peak of the learning rate.
    planning
        Share of batches that are maps.
    tower
        Whether the vision tower is trained too.
    few
        Share of the scenes' batches that hold one to five objects instead of six.
    distils
        True: the model so far is the teacher, and a fresh copy of the base is trained.
    """

    mix: Mapping[str, float]
    steps: int
    batch: int = 64
    rate: float = 7e-4
    planning: float = 0.0
    tower: bool = False
    few: float = 0.0
    distils: bool = False


@final
@dataclass(frozen=True, slots=True)
class Variant:
    """A model: its base, its stages, and what is said of it."""

    about: str
    base: str | None
    stages: tuple[Stage, ...]


VARIANTS: dict[str, Variant] = {
    "base": Variant(
        "describes pictures and answers at once; the others go on from it",
        None,
        (
            Stage({"describe": 0.5, "find": 0.5}, steps=700, planning=0.2, tower=True, rate=2e-3),
            Stage(
                {"describe": 0.5, "find": 0.3, "direct": 0.2},
                steps=1200,
                batch=80,
                planning=0.25,
                tower=True,
                rate=2e-3,
            ),
            Stage(
                {"describe": 0.2, "find": 0.4, "direct": 0.4},
                steps=900,
                batch=80,
                planning=0.35,
                tower=True,
                rate=1.5e-3,
            ),
            Stage(
                {"describe": 0.1, "look up": 0.5, "direct": 0.4},
                steps=1200,
                planning=0.25,
                tower=True,
                rate=1.5e-3,
                few=0.4,
            ),
        ),
    ),
    "capimagine": Variant(
        "imagines in words where to look and what is there, then answers; free to look at the picture",
        "base",
        (
            Stage({"written": 1.0}, steps=600, planning=0.4),
            Stage({"written and answered": 1.0}, steps=400, planning=0.3),
        ),
    ),
    "lvr": Variant(
        "latents regressed on the visual features of the region of interest; free to look at the picture",
        "base",
        (Stage({"lvr": 1.0}, steps=450),),
    ),
    "mirage": Variant(
        "latents supervised by the pooled features of a helper image, then relaxed; free to look at the picture",
        "base",
        (
            Stage({"mirage": 1.0}, steps=300, planning=0.4),
            Stage({"relaxed": 1.0}, steps=350, planning=0.4, rate=5e-4),
            Stage({"relaxed, pads said": 1.0}, steps=200, planning=0.4, rate=5e-4),
        ),
    ),
    "monet": Variant(
        "latents distilled from a teacher that sees a crop while it thinks; free to look at the picture",
        "base",
        (
            Stage({"teacher": 1.0}, steps=250),
            Stage({"distilled": 1.0}, steps=400, distils=True),
        ),
    ),
    "necessary-latent": Variant(
        "answers from its latents and the repeated question, and can see nothing else",
        "base",
        (
            Stage({"supervised": 1.0}, steps=400, planning=0.4),
            Stage({"free": 1.0}, steps=500, planning=0.4, rate=5e-4),
        ),
    ),
    "necessary-written": Variant(
        "answers from the words of its thought and the repeated question, and can see nothing else",
        "base",
        (Stage({"read again": 1.0}, steps=600, planning=0.4),),
    ),
    "ignored-latent": Variant(
        "thinks in latents, and cannot see them when it answers",
        "base",
        (Stage({"not read": 1.0}, steps=300),),
    ),
    "ignored-written": Variant(
        "thinks in words, and cannot see them when it answers",
        "base",
        (Stage({"not read, written": 1.0}, steps=400),),
    ),
}
