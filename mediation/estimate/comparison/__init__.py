"""Differences between results: the units of both sides, subtracted or side by side."""

from ._comparison import (
    outcome_names as outcome_names,
    tabulate_comparison as tabulate_comparison,
    width_of_both as width_of_both,
)
from ._many import Many as Many, tabulate_contrasts as tabulate_contrasts, tabulate_models as tabulate_models
from ._sides import Match as Match, Side as Side, side_of as side_of
