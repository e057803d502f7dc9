"""The picture of a result by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from ..results import KINDS, Effects
from ..results.kinds import default_estimand, kind_named
from ._compare import compare
from ._equivalence import equivalence
from ._forest import forest
from ._heatmap import heatmap
from ._interaction import interaction
from ._specification import specification
from .drawing import table_of

_PICTURES: Mapping[str, Callable[..., Axes]] = MappingProxyType(
    {picture.__name__: picture for picture in (forest, heatmap, compare, equivalence, interaction, specification)}
)


def draw(effects: Effects, *, ax: Axes | None = None, outcome: str | None = None) -> Axes:
    """Draw a result by the picture of its kind: a sweep as a heat map, a comparison as both results beside each other.

    Parameters
    ----------
    effects
        Any result.
    ax
        Axes to draw on; a new figure when None.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is not an `Effects`.
    """
    table_of(effects, kinds=KINDS, figure="draw", ax=ax, others=True)
    picture = _PICTURES[kind_named(effects.kind).picture]
    if picture is heatmap:  # the one picture that must be told of which estimand
        present = list(dict.fromkeys(effects.tidy()["estimand"]))
        return heatmap(effects, default_estimand(present), ax=ax, outcome=outcome)
    return picture(effects, ax=ax, outcome=outcome)
