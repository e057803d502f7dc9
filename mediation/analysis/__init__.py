"""The questions.

`mediate` (direct and indirect effects), `ablate` (what a site does for one input), `interactions` (how several sites
share their joint effect), `controls` (an effect beside its null controls) and `specification` (one effect under every
choice that it may hang on). `plan_sweep` says what a sweep would cost.
"""

from ._ablate import ablate as ablate, doses as doses
from ._attribution import attribution as attribution
from ._controls import controls as controls
from ._interactions import interactions as interactions
from ._mediate import mediate as mediate
from ._plan_sweep import plan_sweep as plan_sweep
from ._screen import Screen as Screen
from ._specification import specification as specification
