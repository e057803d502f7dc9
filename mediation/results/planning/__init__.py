"""Planning a study from a pilot: power and sample size."""

from ._planned import Power as Power, digits as digits
from ._power import power as power
