"""The demo: who gets the drink? Direct and indirect effects in a small language model, from pairs to a report."""

from ._arguments import SPECS as SPECS
from ._arms import accuracy_of as accuracy_of, arm_table as arm_table, with_interval as with_interval
from ._ioi import indirect_object_pairs as indirect_object_pairs, segments as segments
from ._result import DemoResult as DemoResult
from ._run import run as run
from ._scripts import WORKED as WORKED, run_scripts as run_scripts, scripts_of as scripts_of
from ._trained import TRAINED as TRAINED, find_trained as find_trained
from ._verdicts import verdict_of as verdict_of, verdict_row as verdict_row
from ._weights import DEFAULT_MODEL as DEFAULT_MODEL, find_model as find_model
from ._worked import Worked as Worked, each_worked as each_worked, worked as worked
