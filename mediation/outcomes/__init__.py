"""Y: one number per unit from what the model puts out."""

from ._abstract import AbstractOutcome as AbstractOutcome, Prepared as Prepared
from ._custom import CustomOutcome as CustomOutcome, outcome as outcome
from ._logits import Accuracy as Accuracy, LogitDiff as LogitDiff
from ._probability import KL as KL, LogProb as LogProb, Probability as Probability
from ._tokens import token_id as token_id
