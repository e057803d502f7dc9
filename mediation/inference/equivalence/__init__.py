"""Equivalence: two one-sided tests against a margin."""

from ._claim import Equivalence as Equivalence
from ._equivalence import group_equivalence as group_equivalence, mean_equivalence as mean_equivalence
from ._relative import ratio_equivalence as ratio_equivalence, relative_equivalence as relative_equivalence
