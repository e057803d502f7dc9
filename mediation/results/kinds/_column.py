"""A column of a table, and the columns that several kinds of table have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Dtype = Literal["str", "float64", "int64", "Int64"]


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, its dtype and what it holds.

    Parameters
    ----------
    name
        Name in the frame.
    dtype
        Name of the pandas dtype; ``Int64`` is the integer that may be missing.
    meaning
        One sentence.
    """

    name: str
    dtype: Dtype
    meaning: str


OUTCOME = Column("outcome", "str", "Name of the outcome; only where a result has several.")
COMMON = (
    Column("estimand", "str", "Key of the estimand, such as 'pnie'."),
    Column("site", "str", "The mediator, or the ablated site; empty when the frame was brought by the user."),
    Column("estimate", "float64", "Full-sample value of the estimand, in units of the outcome ('pm': a ratio)."),
    Column("std_error", "float64", "Standard error, over units or clusters; NaN when it cannot be formed."),
    Column("conf_low", "float64", "Lower end of the pointwise interval; NaN when there is none."),
    Column("conf_high", "float64", "Upper end of the pointwise interval; NaN when there is none."),
    Column("p_value", "float64", "Two-sided p-value against no effect."),
    Column("method", "str", "How the interval was made, such as 'bootstrap-t' or 'fieller'."),
    Column("n", "int64", "Number of units."),
    Column("n_clusters", "int64", "Number of clusters; equal to n when units are independent."),
)
SWEEP = (
    Column("layer", "Int64", "Layer of the site; missing when the site belongs to none."),
    Column("position", "str", "Key of the position of the site; its label is in provenance['position_labels']."),
    Column("head", "Int64", "Attention head of the site; missing when all heads, or none, are the mediator."),
    Column("feature", "Int64", "Feature (neuron, channel) of the site; missing when it is not a single one."),
    Column("band_low", "float64", "Lower end of the simultaneous band over all sites of the estimand."),
    Column("band_high", "float64", "Upper end of the simultaneous band over all sites of the estimand."),
    Column("p_adjusted", "float64", "p-value adjusted for the number of sites."),
)
ARMS = (
    Column("arm", "str", "Name of the ablation; empty when the frame was brought by the user."),
    Column("dose", "float64", "Strength of the ablation, such as the noise scale; NaN when there is none."),
    Column("n_draws", "int64", "Random draws averaged within each unit; 1 when deterministic."),
)
P_ADJUSTED, N_DRAWS = SWEEP[-1], ARMS[-1]
PLACE = SWEEP[:4]
ARM = ARMS[:2]
UNITS = (  # besides `unit` and `cluster`, which are as the user gave them
    Column("site", "str", "The mediator, or the ablated site; empty when there is none."),
    Column("weight", "float64", "Weight of the unit."),
    Column("draw", "int64", "Number of the draw within the unit; 0 when deterministic."),
)


def bands_over(band: str, number: str) -> tuple[Column, ...]:
    """Return the columns of joint bands and of the p-values that go with them.

    Examples
    --------
    >>> [column.name for column in bands_over("band over all sites", "the number of sites")]
    ['band_low', 'band_high', 'p_adjusted']
    """
    return (
        Column("band_low", "float64", f"Lower end of the {band}."),
        Column("band_high", "float64", "Upper end of that band."),
        Column("p_adjusted", "float64", f"p-value adjusted for {number}."),
    )


LATER_BANDS = bands_over("max-t band over the rows adjusted together", "the rows adjusted together")
