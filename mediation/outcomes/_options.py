"""The options of a question; the rules are those of `mediation._answers`."""

from __future__ import annotations

from .._answers import letter_of as letter_of, options_of as options_of
