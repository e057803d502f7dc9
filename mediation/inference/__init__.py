"""How sure: intervals, tests and simultaneous bands for means over units, and for ratios of means."""

from __future__ import annotations

from ._crossed import crossed_intervals as crossed_intervals
from ._intervals import (
    Intervals as Intervals,
    mean_intervals as mean_intervals,
    ratio_intervals as ratio_intervals,
)
from ._settings import Inference as Inference
