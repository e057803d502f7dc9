"""Uncertainty and inference: intervals, tests and simultaneous bands for means over units, and for ratios of means."""

from __future__ import annotations

from ._crossed import crossed_intervals as crossed_intervals
from ._crossed_ratio import crossed_ratio_intervals as crossed_ratio_intervals
from ._equivalence import (
    Equivalence as Equivalence,
    group_equivalence as group_equivalence,
    mean_equivalence as mean_equivalence,
    ratio_equivalence as ratio_equivalence,
    relative_equivalence as relative_equivalence,
)
from ._groups import group_difference_intervals as group_difference_intervals
from ._hierarchy import HierarchicalTests as HierarchicalTests, hierarchical_max_t as hierarchical_max_t
from ._homogeneity import Homogeneity as Homogeneity, homogeneity as homogeneity
from ._intervals import Intervals as Intervals, mean_intervals as mean_intervals
from ._named import (
    basic as basic,
    bca as bca,
    bootstrap_t as bootstrap_t,
    expanded_percentile as expanded_percentile,
    normal as normal,
    percentile as percentile,
    t as t,
)
from ._permutation import Alternative as Alternative, sign_flip as sign_flip
from ._proportions import bonett_price_interval as bonett_price_interval, mcnemar as mcnemar, wilson as wilson
from ._ratio_difference import ratio_difference_intervals as ratio_difference_intervals
from ._ratios import ratio_intervals as ratio_intervals
from ._regression import Coefficients as Coefficients, Covariance as Covariance, least_squares as least_squares
from ._sampling import kish as kish
from ._screening import family_reach as family_reach, screening_report as screening_report
from ._settings import Inference as Inference, Method as Method
from ._test_result import TestResult as TestResult
from ._two_way import two_way_intervals as two_way_intervals
from ._two_way_ratio import two_way_ratio_intervals as two_way_ratio_intervals
