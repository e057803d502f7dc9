"""Sites in a thought: latent steps, or an imagined text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, final

from .._checks import one_of, positive_int, shown
from ..errors import SiteError
from ._positions import Position, at_text, check_position

When = Literal["in-loop", "after-the-fact"]
WHENS: tuple[When, ...] = ("in-loop", "after-the-fact")


@final
@dataclass(frozen=True, slots=True, repr=False)
class ThoughtSite:
    """A place in a thought: the latents that are fed to the model, or the text between two markers.

    Made by `latents` and `imagination`.

    Parameters
    ----------
    kind
        "latents" or "imagination".
    step
        Latent steps: "all", an index (negative from the end, after the fact only), a slice, a tuple of indices, or
        "each" (one site a step). A written thought is taken as a whole.
    segment
        Which thought of a generation, counted from 0; None for all.
    when
        "in-loop": each latent is changed as it is fed, and later latents are computed from changed ones.
        "after-the-fact": the thought is that of the plain run, changed as a whole and then fed.

    Raises
    ------
    SiteError
        If a field is not of its kind.
    """

    kind: Literal["latents", "imagination"]
    step: Position = "all"
    segment: int | None = None
    when: When = "in-loop"

    def __post_init__(self) -> None:
        one_of(self.kind, ("latents", "imagination"), what="ThoughtSite kind", error=SiteError)
        one_of(self.when, WHENS, what=f"{self.kind}: when", error=SiteError)
        step = check_position(self.step)
        object.__setattr__(self, "step", step)
        if isinstance(step, str) and step not in ("all", "each", "last"):
            raise SiteError(
                f"{self.kind}(step={shown(step)}): steps are 'all', 'each', 'last', an index, a slice or a list of "
                "indices."
            )
        if self.segment is not None:
            positive_int(self.segment, what=f"{self.kind}: segment", least=0, error=SiteError)
        if self.kind == "imagination" and (step != "all" or self.when != "after-the-fact"):
            raise SiteError(
                "imagination: a written thought is replaced as a whole, after the fact; leave step and when."
            )
        if self.when == "in-loop" and _from_the_end(step):
            raise SiteError(
                f"latents(step={at_text(step)}): while the thought goes on its end is not known. Count steps from 0, "
                "or ask for when='after-the-fact'."
            )

    @property
    def is_concrete(self) -> bool:
        """True if nothing is left to expand."""
        return self.step != "each"

    def with_(self, **changes: Any) -> ThoughtSite:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        name = self.kind if self.segment is None else f"{self.kind}[{self.segment}]"
        if self.step != "all":
            name += f"@{at_text(self.step)}"
        return f"{name} ({self.when.replace('-', ' ')})" if self.kind == "latents" else name

    def __repr__(self) -> str:
        defaults = {"step": "all", "segment": None, "when": "in-loop" if self.kind == "latents" else "after-the-fact"}
        words = [f"{name}={getattr(self, name)!r}" for name, plain in defaults.items() if getattr(self, name) != plain]
        return f"{self.kind}({', '.join(words)})"


def latents(*, step: Any = "all", segment: int | None = None, when: When = "in-loop") -> ThoughtSite:
    """Latent thought: the vectors that a `LatentSpec` feeds back to the model.

    Parameters
    ----------
    step
        Steps of the thought, counted from 0: "all", an index, a slice, a list of indices, or "each" for one site a
        step.
    segment
        Which thought of a generation, counted from 0; None for all.
    when
        "in-loop" or "after-the-fact"; see `ThoughtSite`.

    Returns
    -------
    ThoughtSite

    Examples
    --------
    >>> latents(step=2), str(latents(when="after-the-fact"))
    (latents(step=2), 'latents (after the fact)')
    """
    return ThoughtSite("latents", step, segment, when)


def imagination(*, segment: int | None = None) -> ThoughtSite:
    """Written thought: the text between the markers of a `TextSpec`.

    Parameters
    ----------
    segment
        Which thought of a generation, counted from 0; None for all.

    Returns
    -------
    ThoughtSite

    Examples
    --------
    >>> imagination()
    imagination()
    """
    return ThoughtSite("imagination", segment=segment, when="after-the-fact")


def _from_the_end(step: Position) -> bool:
    if step == "last":
        return True
    if isinstance(step, int):
        return step < 0
    if isinstance(step, tuple):
        return min(step) < 0
    return any((getattr(step, end, None) or 0) < 0 for end in ("start", "stop"))
