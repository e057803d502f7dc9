"""Which question: estimands as contrasts of potential outcomes Y(x, M(m)); numpy only."""

from ._abstract import AbstractEstimand as AbstractEstimand, Linear as Linear, contrast as contrast
from ._coalitions import (
    Array as Array,
    Coalition as Coalition,
    CoalitionContrast as CoalitionContrast,
    Orders as Orders,
    apply_contrasts as apply_contrasts,
    contrasts as contrasts,
    most_coalitions as most_coalitions,
    needed_coalitions as needed_coalitions,
    order_contributions as order_contributions,
    sampled_orders as sampled_orders,
)
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
