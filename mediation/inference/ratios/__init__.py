"""Intervals of ratios of means: Fieller's sets, plain and bootstrapped."""

from ._bootstrap_fieller import flip_sets as flip_sets
from ._fieller import (
    FiellerSet as FiellerSet,
    Moments as Moments,
    fieller_set as fieller_set,
    gap_in as gap_in,
    set_method as set_method,
)
from ._ratios import checked_answers as checked_answers, ratio_intervals as ratio_intervals
from ._rows import both_columns as both_columns, set_intervals as set_intervals
