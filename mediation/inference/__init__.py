"""Uncertainty and inference: intervals, tests and simultaneous bands for means over units, and for ratios of means."""

from __future__ import annotations

from ._regression import Coefficients as Coefficients, Covariance as Covariance, least_squares as least_squares
from ._settings import Inference as Inference, Method as Method
from .crossed import (
    crossed_intervals as crossed_intervals,
    crossed_ratio_intervals as crossed_ratio_intervals,
    two_way_intervals as two_way_intervals,
    two_way_ratio_intervals as two_way_ratio_intervals,
)
from .equivalence import (
    Equivalence as Equivalence,
    group_equivalence as group_equivalence,
    mean_equivalence as mean_equivalence,
    ratio_equivalence as ratio_equivalence,
    relative_equivalence as relative_equivalence,
)
from .groups import (
    group_difference_intervals as group_difference_intervals,
    ratio_difference_intervals as ratio_difference_intervals,
)
from .intervals import (
    Intervals as Intervals,
    basic as basic,
    bca as bca,
    bootstrap_t as bootstrap_t,
    expanded_percentile as expanded_percentile,
    mean_intervals as mean_intervals,
    normal as normal,
    percentile as percentile,
    t as t,
)
from .multiplicity import (
    HierarchicalTests as HierarchicalTests,
    family_reach as family_reach,
    hierarchical_max_t as hierarchical_max_t,
    screening_report as screening_report,
)
from .ratios import ratio_intervals as ratio_intervals
from .sample import kish as kish
from .tests import (
    Alternative as Alternative,
    Homogeneity as Homogeneity,
    TestResult as TestResult,
    bonett_price_interval as bonett_price_interval,
    homogeneity as homogeneity,
    mcnemar as mcnemar,
    sign_flip as sign_flip,
    wilson as wilson,
)
