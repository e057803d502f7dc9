"""Growing passes: many layers of one position share one forward pass."""

from ._fanout import fan_out_reason as fan_out_reason, run_group as run_group
from ._grouping import Grouping as Grouping
from ._groups import Group as Group, why_not_grown as why_not_grown
