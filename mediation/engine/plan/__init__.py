"""What a study would cost, before it is run."""

from ._chunks import units_at_a_time as units_at_a_time
from ._plan import plan_study as plan_study
from ._sweep_plan import PassCount as PassCount, SweepPlan as SweepPlan
