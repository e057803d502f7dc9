"""Errors and warnings. Every message says what was asked, what was found, and what to do."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from ._printable import printable

_PACKAGE = str(Path(__file__).parent)


class MediationError(Exception):
    """Base class of every error that this package raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__())


class SiteError(MediationError, ValueError):
    """A site that does not exist in the model, or that two assignments share."""


class DesignError(MediationError, ValueError):
    """A question that cannot be asked as it stands (estimand, intervention or option)."""


class DataError(MediationError, ValueError):
    """Units that do not fit the question: misaligned pairs, missing columns, too few units."""


class OutcomeError(MediationError, ValueError):
    """An outcome that cannot be computed: unknown token, several tokens, NaN."""


class BackendError(MediationError, RuntimeError):
    """A run whose numbers cannot be trusted, or that could not be done."""


class MediationWarning(UserWarning):
    """Base class of every warning of this package."""


class DegenerateWarning(MediationWarning):
    """Data from which an interval cannot be formed; the interval is NaN, the estimate stands."""


class AlignmentWarning(MediationWarning):
    """Positions that mean different things in different units."""


class InteractionWarning(MediationWarning):
    """Effects of single sites that do not add up to the effect of all of them together."""


class FewResamplesWarning(MediationWarning):
    """Fewer resamples than the number of sites needs: no adjusted p-value could be small enough."""


class WeakTotalEffectWarning(MediationWarning):
    """A total effect that is not distinguishable from 0, so that a ratio of it is uninformative."""


class DominantUnitWarning(MediationWarning):
    """One unit outweighs all others together, so that an interval may cover less often than its level says."""


class FewEffectiveWarning(MediationWarning):
    """Units or clusters that count so unequally that fewer than five are effective; intervals are wide."""


class SharedDrawsWarning(MediationWarning):
    """Random draws that all units share, so that more units do not make the draws fewer."""


class DonorsWarning(MediationWarning):
    """Donors that intervals cannot count: not named, of several kinds at once, or one donor for all units."""


class FlaggedUnitsWarning(MediationWarning):
    """Units that are left out because their thoughts cannot be compared: never opened, never closed, not alike."""


class OtherMachineWarning(MediationWarning):
    """A stored run that is continued on another machine: its last bits may differ from those of one machine."""


class UnusedWeightsWarning(MediationWarning):
    """A checkpoint with weights that the loaded model has no place for: it may be another model than was trained."""


class BatchDependenceWarning(MediationWarning):
    """A model whose rows depend on the rows beside them in a batch, so that fewer of them share a pass."""


class PrecisionWarning(MediationWarning):
    """Half precision that does not pay: its rounding is large beside the intervals, or this CPU is slower at it."""


def warn(text: str, category: type[Warning]) -> None:
    """Warn at the first line outside this package, so that the user sees the call that it is about."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(printable(text), category, stacklevel=level)
