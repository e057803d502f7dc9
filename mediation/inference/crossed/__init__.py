"""Units in clusters of two kinds, and draws that all units share: two-way intervals."""

from ._crossed import crossed_intervals as crossed_intervals
from ._crossed_ratio import crossed_ratio_intervals as crossed_ratio_intervals
from ._two_way import two_way_intervals as two_way_intervals, two_way_settings as two_way_settings
from ._two_way_ratio import two_way_ratio_intervals as two_way_ratio_intervals
