"""Statistics alone: from potential outcomes, one row a unit, to a table of estimands with intervals."""

from ._frame import POTENTIAL_OUTCOMES as POTENTIAL_OUTCOMES, units_from as units_from
from ._interactions import (
    DIRECTIONS as DIRECTIONS,
    Direction as Direction,
    Game as Game,
    tabulate_interactions as tabulate_interactions,
)
from ._seed import seed_from as seed_from
from ._tabulate import SiteInfo as SiteInfo, tabulate as tabulate
