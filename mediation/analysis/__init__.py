"""The questions: `mediate` (direct and indirect effects) and `ablate` (what a site does for one input)."""

from ._ablate import ablate as ablate, doses as doses
from ._mediate import mediate as mediate
