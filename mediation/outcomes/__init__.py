"""Y: one number per unit from what the model puts out."""

from ._abstract import AbstractOutcome as AbstractOutcome, Prepared as Prepared, Told as Told, wide as wide
from ._custom import CustomOutcome as CustomOutcome, outcome as outcome
from ._generated import (
    AnswerCorrect as AnswerCorrect,
    AnswerFlipped as AnswerFlipped,
    Cued as Cued,
    Degenerate as Degenerate,
    JudgedOutcome as JudgedOutcome,
    ThoughtLength as ThoughtLength,
    judge as judge,
)
from ._logits import Accuracy as Accuracy, LogitDiff as LogitDiff
from ._probability import (
    KL as KL,
    LogProb as LogProb,
    Perplexity as Perplexity,
    Probability as Probability,
)
from ._reader import AbstractReader as AbstractReader, LogitsAfter as LogitsAfter, Visits as Visits
from ._several import Outcomes as Outcomes, Several as Several, grouped as grouped
from ._tokens import token_id as token_id, token_ids as token_ids
