"""The answer that a text gives, and the options of a question: rules that outcomes and data sets share."""

from __future__ import annotations

from ._extract import extract_answer as extract_answer, same_answer as same_answer
from ._options import (
    Options as Options,
    bare as bare,
    letter_of as letter_of,
    options_of as options_of,
    same_text as same_text,
)
