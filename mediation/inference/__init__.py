"""How sure: intervals, tests and simultaneous bands for means over units, and for ratios of means."""

from __future__ import annotations

from ._crossed import crossed_intervals as crossed_intervals
from ._groups import group_difference_intervals as group_difference_intervals
from ._intervals import (
    Intervals as Intervals,
    mean_intervals as mean_intervals,
    ratio_intervals as ratio_intervals,
)
from ._named import (
    basic as basic,
    bca as bca,
    bootstrap_t as bootstrap_t,
    expanded_percentile as expanded_percentile,
    normal as normal,
    percentile as percentile,
    t as t,
)
from ._permutation import sign_flip as sign_flip
from ._proportions import bonett_price_interval as bonett_price_interval, mcnemar as mcnemar, wilson as wilson
from ._settings import Inference as Inference, Method as Method
from ._test_result import TestResult as TestResult
