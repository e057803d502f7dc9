"""Rewrites of written thoughts: pure functions of a text, as values, and arms that match them with latents."""

from __future__ import annotations

from ..interventions import AbstractRewrite as AbstractRewrite, RewriteChain as RewriteChain, TextGiven as TextGiven
from ._matched import matched as matched
from ._rewriter import CustomRewrite as CustomRewrite, RewriteFactory as RewriteFactory, rewriter as rewriter
from ._text import (
    Blank as Blank,
    RandomWords as RandomWords,
    RepeatFirst as RepeatFirst,
    ReplaceText as ReplaceText,
    ShuffleSentences as ShuffleSentences,
    ShuffleWords as ShuffleWords,
    Truncate as Truncate,
)
