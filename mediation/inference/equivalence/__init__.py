"""Equivalence: two one-sided tests against a margin."""

from ._equivalence import (
    Equivalence as Equivalence,
    group_equivalence as group_equivalence,
    mean_equivalence as mean_equivalence,
    ratio_equivalence as ratio_equivalence,
    relative_equivalence as relative_equivalence,
)
