"""Statistics alone: from potential outcomes, one row a unit, to estimands with intervals."""

from ._effects import effects as effects, seed_from as seed_from
from ._summarise import SiteInfo as SiteInfo, summarise as summarise
