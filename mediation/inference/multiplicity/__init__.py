"""Many hypotheses at once: layers before sites, and sites that a screen chose."""

from ._hierarchy import HierarchicalTests as HierarchicalTests, hierarchical_max_t as hierarchical_max_t
from ._screening import family_reach as family_reach, screening_report as screening_report
