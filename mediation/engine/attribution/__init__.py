"""First-order scores, from passes with gradients."""

from ._attribution import Direction as Direction, Scores as Scores, attribution_scores as attribution_scores
