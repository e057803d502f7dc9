"""WHAT is done at a site: frozen, pure functions of the activation, and how they combine.

A module each for the families: replace by something fixed (`_constant`), put in noise (`_noise`), take the activation
of another run (`_exchange`), move as far in a random direction (`_direction`), shift or stretch (`_affine`), act in a
subspace (`_subspace`), combine (`_abstract`, `_compose`), and functions of your own (`_custom`). What rewrites of
written thoughts have in common is in `_rewrite`, and they themselves are in `mediation.rewrites`. Nothing here knows
about models; what a run must supply is named in `_needs`.
"""

from typing import TYPE_CHECKING

from .._moved import moved
from ._abstract import (
    AbstractIntervention as AbstractIntervention,
    Assignment as Assignment,
    Identity as Identity,
    Then as Then,
    chain as chain,
)
from ._affine import Add as Add, Scale as Scale
from ._code import constants_of as constants_of, meaning as meaning, source_meaning as source_meaning
from ._compose import Blend as Blend, Masked as Masked
from ._constant import Constant as Constant, Mean as Mean, Zero as Zero
from ._custom import (
    Custom as Custom,
    InterventionFactory as InterventionFactory,
    intervention as intervention,
)
from ._direction import RandomDirection as RandomDirection
from ._exchange import Interchange as Interchange, Swap as Swap
from ._function import AbstractCustom as AbstractCustom, AbstractFactory as AbstractFactory, comparable as comparable
from ._laws import check_laws as check_laws, stand_in as stand_in
from ._needs import Donor as Donor, Given as Given, Moment as Moment, Need as Need, Noise as Noise, applied as applied
from ._noise import GaussianNoise as GaussianNoise
from ._rewrite import (
    NO_TEXT_GIVEN as NO_TEXT_GIVEN,
    AbstractRewrite as AbstractRewrite,
    RewriteChain as RewriteChain,
    TextGiven as TextGiven,
    TextNeed as TextNeed,
    random_numbers as random_numbers,
    thoughts_of_all as thoughts_of_all,
)
from ._steps import (
    FirstRepeat as FirstRepeat,
    Oracle as Oracle,
    Shorten as Shorten,
    ShuffleSteps as ShuffleSteps,
    Skip as Skip,
)
from ._subspace import Subspace as Subspace

if not TYPE_CHECKING:
    __getattr__ = moved(
        __name__,
        {
            "mediation.rewrites": "Blank CustomRewrite RandomWords RepeatFirst ReplaceText RewriteFactory "
            "ShuffleSentences ShuffleWords Truncate matched rewriter"
        },
    )
