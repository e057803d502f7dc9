"""The questions.

`mediate` (direct and indirect effects), `ablate` (what a site does for one input) and `interactions` (how several sites
share their joint effect).
"""

from ._ablate import ablate as ablate, doses as doses
from ._interactions import interactions as interactions
from ._mediate import mediate as mediate
