"""Intervals of means."""

from ._intervals import (
    Intervals as Intervals,
    checked_settings as checked_settings,
    mean_intervals as mean_intervals,
    spans_of as spans_of,
)
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
    intervals as intervals,
    nulls as nulls,
    sides as sides,
    symmetric_intervals as symmetric_intervals,
    warn_columns as warn_columns,
)
