"""Text: numbers as a careful paper prints them, words for estimands, the printed summary."""

from ._cautions import cautions as cautions, warn_of_weak_totals as warn_of_weak_totals
from ._meanings import MEANINGS as MEANINGS, Meaning as Meaning, meaning_of as meaning_of
from ._numbers import Printed as Printed, print_p as print_p, print_row as print_row
from ._reach import reach_note as reach_note
from ._sets import IntervalSet as IntervalSet, interval_set as interval_set, set_of as set_of
from ._several import summary_of_outcomes as summary_of_outcomes
from ._summary import Field as Field, Summary as Summary, markdown as markdown, shorten as shorten
