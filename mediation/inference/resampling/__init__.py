"""Resampling: bootstrap weights, the ends of intervals from replicates, and joint bands."""

from ._bands import MaxT as MaxT
from ._bca import bca_ends as bca_ends
from ._ends import Ends as Ends, Part as Part, two_sided as two_sided
from ._joint import critical_at as critical_at, joint as joint, student_critical as student_critical
from ._order import outer as outer
from ._percentile import (
    basic_ends as basic_ends,
    expanded_ends as expanded_ends,
    percentile_ends as percentile_ends,
    shifts as shifts,
)
from ._plain import gaussian_ends as gaussian_ends, normal_ends as normal_ends, student_ends as student_ends
from ._resample import (
    block_of_counts as block_of_counts,
    counts_of as counts_of,
    resample_counts as resample_counts,
    row_blocks as row_blocks,
)
from ._studentized import (
    NO_SPREAD as NO_SPREAD,
    TIE as TIE,
    Studentizer as Studentizer,
    bootstrap_t_ends as bootstrap_t_ends,
)
from ._threads import each as each, n_threads as n_threads
