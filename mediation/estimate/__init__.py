"""Statistics alone: from potential outcomes, one row a unit, to a table of estimands with intervals."""

from ._frame import POTENTIAL_OUTCOMES as POTENTIAL_OUTCOMES, units_from as units_from
from ._seed import seed_from as seed_from
from ._tabulate import SiteInfo as SiteInfo, tabulate as tabulate
