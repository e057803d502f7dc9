"""The estimands by key, and which of them a set of potential outcomes can answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .._checks import called, elements, listed, shown, suggestion
from ..errors import DesignError
from . import _effects as effects
from ._abstract import AbstractEstimand

_ALL: tuple[AbstractEstimand, ...] = (
    effects.TotalEffect(),
    effects.NaturalDirectEffect("pure"),
    effects.NaturalDirectEffect("total"),
    effects.NaturalIndirectEffect("pure"),
    effects.NaturalIndirectEffect("total"),
    effects.MediatedInteraction(),
    effects.ControlledDirectEffect(),
    effects.ReferenceInteraction(),
    effects.PortionEliminated(),
    effects.ProportionMediated("total"),
    effects.InterventionalDirectEffect(),
    effects.InterventionalIndirectEffect(),
    effects.OverallEffect(),
    effects.AblationEffect(),
)
_ON_REQUEST = (effects.ProportionMediated("pure"), effects.ProportionMediated("average"))


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
    if not isinstance(key, str):
        raise DesignError(f"an estimand is {called(key)}; a key such as 'pnie', or an object of its class, is needed.")
    if key not in known:
        raise DesignError(f"estimand {shown(key)} is not known. {suggestion(key, list(known))}")
    return known[key]


def _asked(asked: object) -> tuple[AbstractEstimand, ...]:
    if isinstance(asked, (str, AbstractEstimand)):
        return (estimand_for(asked),)
    keys = list(asked) if isinstance(asked, Mapping) else asked
    given = elements(keys, what="estimands", needed="a list of keys, such as ['te', 'pnie'], or None for all,")
    wanted = tuple(dict.fromkeys(estimand_for(one) for one in given))
    if not wanted:
        raise DesignError("estimands is empty; keys such as ['te', 'pnie'] are needed, or None for all.")
    return wanted


def _supply(missing: Sequence[str]) -> str:
    """Return where the missing potential outcomes come from."""
    if "y" in missing or "ym" in missing:
        run = "med.ablate runs them"
    elif any(name.endswith("m") for name in missing):
        run = "med.mediate runs them with ablation=..., such as ablation=med.Zero()"
    elif any(name.startswith("g") for name in missing):
        run = "med.mediate runs them with donor=med.Swap()"
    else:
        run = "med.mediate runs them when no random donor is given"
    return f"{run}; to a frame of your own, add them as columns."


def estimands_from(
    outcomes: Iterable[str], asked: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None = None
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
        wanted = _asked(asked)
        for one in wanted:
            missing = sorted(one.needs - have)
            if missing:
                raise DesignError(
                    f"estimand {one.key!r} needs the potential outcomes {listed(missing)}, found "
                    f"{listed(sorted(have))}. {_supply(missing)}"
                )
        return wanted
    found = tuple(estimand for estimand in _ALL if estimand.needs <= have)
    if not found:
        raise DesignError(
            f"No estimand can be computed from {listed(sorted(have)) or 'no columns'}: give y00, y01, y10, y11 "
            "(y0m, y1m for an ablated mediator), g00, g01, g10, g11, or y and ym."
        )
    return found
