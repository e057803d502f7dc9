"""Which question: estimands as contrasts of potential outcomes Y(x, M(m)); numpy only."""

from ._abstract import AbstractEstimand as AbstractEstimand, Linear as Linear
from ._effects import (
    AblationEffect as AblationEffect,
    ControlledDirectEffect as ControlledDirectEffect,
    InterventionalDirectEffect as InterventionalDirectEffect,
    InterventionalIndirectEffect as InterventionalIndirectEffect,
    MediatedInteraction as MediatedInteraction,
    NaturalDirectEffect as NaturalDirectEffect,
    NaturalIndirectEffect as NaturalIndirectEffect,
    OverallEffect as OverallEffect,
    PortionEliminated as PortionEliminated,
    ProportionMediated as ProportionMediated,
    ReferenceInteraction as ReferenceInteraction,
    TotalEffect as TotalEffect,
)
from ._registry import (
    estimand_for as estimand_for,
    estimands_from as estimands_from,
    known_estimands as known_estimands,
)
