"""The estimands, one small class each.

Sources: Pearl (2001), Direct and indirect effects; Robins and Greenland (1992) for pure and total;
VanderWeele (2014), A unification of mediation and interaction, for the four-way decomposition;
VanderWeele, Vansteelandt and Robins (2014) for the interventional analogues.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, final

from .._checks import one_of
from ._abstract import AbstractEstimand, Linear


@final
@dataclass(frozen=True, slots=True)
class TotalEffect(AbstractEstimand):
    """Total effect, TE = Y(1, M(1)) - Y(0, M(0)).

    Examples
    --------
    >>> dict(TotalEffect().weights)
    {'y11': 1.0, 'y00': -1.0}
    """

    key = "te"
    weights = MappingProxyType({"y11": 1.0, "y00": -1.0})


@final
@dataclass(frozen=True, slots=True)
class NaturalDirectEffect(AbstractEstimand):
    """Natural direct effect: pure Y(1, M(0)) - Y(0, M(0)), or total Y(1, M(1)) - Y(0, M(1)).

    Parameters
    ----------
    kind
        "pure" or "total" (Robins and Greenland 1992).

    Examples
    --------
    >>> NaturalDirectEffect("total").key
    'tnde'
    """

    kind: Literal["pure", "total"] = "pure"

    def __post_init__(self) -> None:
        one_of(self.kind, ("pure", "total"), what="NaturalDirectEffect kind")

    @property
    def key(self) -> str:
        """Key in the tidy table."""
        return "pnde" if self.kind == "pure" else "tnde"

    @property
    def weights(self) -> Linear:
        """Coefficients of the potential outcomes."""
        return {"y10": 1.0, "y00": -1.0} if self.kind == "pure" else {"y11": 1.0, "y01": -1.0}


@final
@dataclass(frozen=True, slots=True)
class NaturalIndirectEffect(AbstractEstimand):
    """Natural indirect effect: pure Y(0, M(1)) - Y(0, M(0)), or total Y(1, M(1)) - Y(1, M(0)).

    The pure one is what denoising (restoring the source's activation in the base run) measures; the
    total one is what noising measures, with its sign reversed.

    Parameters
    ----------
    kind
        "pure" or "total" (Robins and Greenland 1992).

    Examples
    --------
    >>> NaturalIndirectEffect().key
    'pnie'
    """

    kind: Literal["pure", "total"] = "pure"

    def __post_init__(self) -> None:
        one_of(self.kind, ("pure", "total"), what="NaturalIndirectEffect kind")

    @property
    def key(self) -> str:
        """Key in the tidy table."""
        return "pnie" if self.kind == "pure" else "tnie"

    @property
    def weights(self) -> Linear:
        """Coefficients of the potential outcomes."""
        return {"y01": 1.0, "y00": -1.0} if self.kind == "pure" else {"y11": 1.0, "y10": -1.0}


@final
@dataclass(frozen=True, slots=True)
class MediatedInteraction(AbstractEstimand):
    """Mediated interaction, INTmed = Y(1,M(1)) - Y(1,M(0)) - Y(0,M(1)) + Y(0,M(0)) = TNIE - PNIE."""

    key = "int_med"
    weights = MappingProxyType({"y11": 1.0, "y10": -1.0, "y01": -1.0, "y00": 1.0})


@final
@dataclass(frozen=True, slots=True)
class ControlledDirectEffect(AbstractEstimand):
    """Controlled direct effect, CDE(m*) = Y(1, m*) - Y(0, m*): both inputs with the mediator ablated."""

    key = "cde"
    weights = MappingProxyType({"y1m": 1.0, "y0m": -1.0})


@final
@dataclass(frozen=True, slots=True)
class ReferenceInteraction(AbstractEstimand):
    """Reference interaction, INTref(m*) = PNDE - CDE(m*) (VanderWeele 2014)."""

    key = "int_ref"
    weights = MappingProxyType({"y10": 1.0, "y00": -1.0, "y1m": -1.0, "y0m": 1.0})


@final
@dataclass(frozen=True, slots=True)
class PortionEliminated(AbstractEstimand):
    """Portion eliminated, PE(m*) = TE - CDE(m*) (VanderWeele 2014)."""

    key = "pe"
    weights = MappingProxyType({"y11": 1.0, "y00": -1.0, "y1m": -1.0, "y0m": 1.0})


@final
@dataclass(frozen=True, slots=True)
class ProportionMediated(AbstractEstimand):
    """Proportion mediated: mean indirect effect over mean TE (a ratio of means, never a mean of ratios).

    Parameters
    ----------
    kind
        "total": TNIE / TE (VanderWeele's PM); "pure": PNIE / TE; "average": (TNIE + PNIE) / 2 TE.

    Examples
    --------
    >>> ProportionMediated().denominator
    {'y11': 1.0, 'y00': -1.0}
    """

    kind: Literal["total", "pure", "average"] = "total"

    def __post_init__(self) -> None:
        one_of(self.kind, ("total", "pure", "average"), what="ProportionMediated kind")

    @property
    def key(self) -> str:
        """Key in the tidy table: pm, pm_pure or pm_average."""
        return "pm" if self.kind == "total" else f"pm_{self.kind}"

    @property
    def weights(self) -> Linear:
        """Coefficients of the numerator."""
        if self.kind == "total":
            return {"y11": 1.0, "y10": -1.0}
        if self.kind == "pure":
            return {"y01": 1.0, "y00": -1.0}
        return {"y11": 0.5, "y10": -0.5, "y01": 0.5, "y00": -0.5}

    @property
    def denominator(self) -> Linear | None:
        """Coefficients of the total effect."""
        return {"y11": 1.0, "y00": -1.0}


@final
@dataclass(frozen=True, slots=True)
class AblationEffect(AbstractEstimand):
    """Ablation effect, AE(m*) = Y(x, M(x)) - Y(x, m*); one input, so neither direct nor indirect."""

    key = "ablation"
    weights = MappingProxyType({"y": 1.0, "ym": -1.0})


@final
@dataclass(frozen=True, slots=True)
class InterventionalDirectEffect(AbstractEstimand):
    """Interventional direct effect, IDE = Y(1, G0) - Y(0, G0), G0 a random unit's mediator under base."""

    key = "ide"
    weights = MappingProxyType({"g10": 1.0, "g00": -1.0})


@final
@dataclass(frozen=True, slots=True)
class InterventionalIndirectEffect(AbstractEstimand):
    """Interventional indirect effect, IIE = Y(1, G1) - Y(1, G0)."""

    key = "iie"
    weights = MappingProxyType({"g11": 1.0, "g10": -1.0})


@final
@dataclass(frozen=True, slots=True)
class OverallEffect(AbstractEstimand):
    """Overall effect, OE = Y(1, G1) - Y(0, G0) = IDE + IIE; not the total effect in general."""

    key = "oe"
    weights = MappingProxyType({"g11": 1.0, "g00": -1.0})
