"""A study as a stream of passes, and what they would cost."""

from ._chunks import units_at_a_time as units_at_a_time
from ._plan import plan_studies as plan_studies, plan_study as plan_study
from ._planner import Planner as Planner, Told as Told
from ._stream import Stream as Stream, open_stream as open_stream
from ._sweep_plan import PassCount as PassCount, SweepPlan as SweepPlan
