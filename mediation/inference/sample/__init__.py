"""The sample: units and clusters with their weights, variances, skewness, and columns that hardly vary."""

from ._degenerate import (
    Reason as Reason,
    by_reason as by_reason,
    quiet as quiet,
    told as told,
    too_few as too_few,
    warn_columns as warn_columns,
)
from ._flips import (
    FEW as FEW,
    Joined as Joined,
    adjusted as adjusted,
    adjusted_means as adjusted_means,
    bonett_price as bonett_price,
    joined as joined,
    normal_p_value as normal_p_value,
    normal_quantile as normal_quantile,
    pseudo_weight as pseudo_weight,
    rare_flips as rare_flips,
    spans as spans,
)
from ._sampling import (
    Array as Array,
    Sampling as Sampling,
    checked_columns as checked_columns,
    kish as kish,
    sampling as sampling,
)
from ._skewness import STUDENT as STUDENT, Tail as Tail, squared_skewness as squared_skewness, tail_of as tail_of
from ._student import t_p_value as t_p_value, t_quantile as t_quantile
from ._variance import SAME as SAME, Linearised as Linearised, linearise as linearise, powers_of_two as powers_of_two
