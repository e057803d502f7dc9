"""Tests: sign flips, McNemar's, homogeneity."""

from ._homogeneity import Homogeneity as Homogeneity, homogeneity as homogeneity
from ._permutation import Alternative as Alternative, sign_flip as sign_flip
from ._proportions import bonett_price_interval as bonett_price_interval, mcnemar as mcnemar, wilson as wilson
from ._test_result import TestResult as TestResult
