"""Growing passes: many layers of one position share one forward pass."""

from ._fanout import Group as Group, fan_out_reason as fan_out_reason, groups_of as groups_of, run_group as run_group
from ._groups import why_not_grown as why_not_grown
