"""The answer that a generated text gives, found by the rules of `mediation._answers`."""

from __future__ import annotations

from .._answers import extract_answer as extract_answer, options_of as options_of, same_answer as same_answer
