"""What can be asked of a result: adjusted p-values, subgroups, regressions, tests, layers, equivalence."""

from ._adjust import AdjustMethod as AdjustMethod, Family as Family, adjusted as adjusted, over_family as over_family
from ._by import by_of as by_of
from ._equivalence import Asked as Asked, equivalence_of as equivalence_of
from ._hierarchy import hierarchy_of as hierarchy_of
from ._regress import Regression as Regression, regress_of as regress_of
from ._row import row_named as row_named
from ._tests import TestMethod as TestMethod, rows_of_tests as rows_of_tests
