"""Differences between independent groups of units."""

from ._groups import group_difference_intervals as group_difference_intervals
from ._ratio_difference import ratio_difference_intervals as ratio_difference_intervals
