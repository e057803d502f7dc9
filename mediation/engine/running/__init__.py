"""A study, run from the first pass to the last check."""

from ._abstract import AbstractExecutor as AbstractExecutor
from ._notes import by_outcome as by_outcome, each_of as each_of, noted as noted
from ._recompute import recomputed as recomputed
from ._run import Finished as Finished, run_study as run_study
