"""The estimands by key, and which of them a set of potential outcomes can answer."""

from __future__ import annotations

from collections.abc import Iterable

from .._checks import listed, suggestion
from .._errors import DesignError
from ._abstract import AbstractEstimand
from ._effects import (
    AblationEffect,
    ControlledDirectEffect,
    InterventionalDirectEffect,
    InterventionalIndirectEffect,
    MediatedInteraction,
    NaturalDirectEffect,
    NaturalIndirectEffect,
    OverallEffect,
    PortionEliminated,
    ProportionMediated,
    ReferenceInteraction,
    TotalEffect,
)

_ALL: tuple[AbstractEstimand, ...] = (
    TotalEffect(),
    NaturalDirectEffect("pure"),
    NaturalDirectEffect("total"),
    NaturalIndirectEffect("pure"),
    NaturalIndirectEffect("total"),
    MediatedInteraction(),
    ControlledDirectEffect(),
    ReferenceInteraction(),
    PortionEliminated(),
    ProportionMediated("total"),
    InterventionalDirectEffect(),
    InterventionalIndirectEffect(),
    OverallEffect(),
    AblationEffect(),
)
_ON_REQUEST = (ProportionMediated("pure"), ProportionMediated("average"))


def known_estimands() -> dict[str, AbstractEstimand]:
    """Return every estimand by its key, in the order in which tables show them."""
    return {estimand.key: estimand for estimand in (*_ALL, *_ON_REQUEST)}


def estimand_for(key: str | AbstractEstimand) -> AbstractEstimand:
    """Return the estimand of a key; DesignError with the closest key if there is none.

    Examples
    --------
    >>> estimand_for("te")
    TotalEffect()
    """
    if isinstance(key, AbstractEstimand):
        return key
    known = known_estimands()
    if key not in known:
        raise DesignError(f"estimand {key!r} is not known. {suggestion(str(key), list(known))}")
    return known[key]


def estimands_from(
    outcomes: Iterable[str], asked: Iterable[str | AbstractEstimand] | None = None
) -> tuple[AbstractEstimand, ...]:
    """Return the estimands that `outcomes` (names such as "y01") can answer.

    Parameters
    ----------
    outcomes
        Names of the potential outcomes at hand.
    asked
        Keys or estimands wanted; None for all that can be answered.

    Raises
    ------
    DesignError
        If one that is asked needs an outcome that is missing, or none can be answered.

    Examples
    --------
    >>> [estimand.key for estimand in estimands_from(["y00", "y01"])]
    ['pnie']
    """
    have = set(outcomes)
    if asked is not None:
        wanted = tuple(estimand_for(one) for one in ([asked] if isinstance(asked, str) else asked))
        for one in wanted:
            missing = sorted(one.needs - have)
            if missing:
                raise DesignError(
                    f"estimand {one.key!r} needs the potential outcomes {listed(missing)}, found {listed(sorted(have))}."
                )
        return wanted
    found = tuple(estimand for estimand in _ALL if estimand.needs <= have)
    if not found:
        raise DesignError(
            f"No estimand can be computed from {listed(sorted(have)) or 'no columns'}: give y00, y01, y10, y11 "
            "(y0m, y1m for an ablated mediator), g00, g01, g10, g11, or y and ym."
        )
    return found
