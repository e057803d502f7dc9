"""Intervals of means."""

from ._given import checked_settings as checked_settings, nulls as nulls, spans_of as spans_of
from ._intervals import Intervals as Intervals, mean_intervals as mean_intervals
from ._means import bootstrap_means as bootstrap_means
from ._named import (
    basic as basic,
    bca as bca,
    bootstrap_t as bootstrap_t,
    expanded_percentile as expanded_percentile,
    normal as normal,
    percentile as percentile,
    t as t,
)
from ._symmetric import (
    Pivots as Pivots,
    sides as sides,
    symmetric_intervals as symmetric_intervals,
)
