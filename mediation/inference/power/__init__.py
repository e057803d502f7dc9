"""Power, sample sizes and detectable effects, by formula and by simulation."""

from ._flip_power import (
    Flips as Flips,
    can_enumerate as can_enumerate,
    flip_detectable as flip_detectable,
    flip_margin as flip_margin,
    flip_power as flip_power,
    flip_units as flip_units,
    flips_of as flips_of,
)
from ._power import (
    MOST_CLUSTERS as MOST_CLUSTERS,
    Pilot as Pilot,
    detectable_effect as detectable_effect,
    equivalence_power as equivalence_power,
    fewest as fewest,
    pilot_of as pilot_of,
    smallest_margin as smallest_margin,
    t_power as t_power,
)
from ._simulated_power import Simulated as Simulated, simulated_power as simulated_power
