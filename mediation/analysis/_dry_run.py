"""Asking for the plan of a question instead of its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from .._checks import shown
from ..engine import SweepPlan, plan_study
from ..errors import DesignError
from ._bound import Bound
from ._options import PlanOptions


@final
@dataclass(frozen=True, slots=True)
class DryRun:
    """Makes plans.

    Attributes
    ----------
    calibrate
        Time a few small passes.
    """

    calibrate: bool

    def of(self, bound: Bound, asked: int) -> SweepPlan:
        """Return the plan of a study; `asked` is the number of its worlds before equal ones were joined.

        Raises
        ------
        DesignError
            If what follows the prompts is generated.
        """
        if bound.study.prepared.reader is not None:
            raise DesignError(
                f"dry_run plans forward passes, and {bound.study.prepared.label} is read off generations: how long "
                "these get is not known before. Run it on a few pairs, and look at provenance['plan'] of the result."
            )
        return plan_study(bound.study, bound.how.execution, asked=asked, calibrate=self.calibrate)


def dry_run_of(
    dry_run: object, options: PlanOptions, question: Callable[..., Any], *, thought: bool, screened: bool = False
) -> DryRun | None:
    """Return what makes the plan, if it is asked for; takes ``calibrate`` out of `options`.

    Raises
    ------
    DesignError
        If `dry_run` or ``calibrate`` is neither True nor False, or the question has no plan.
    """
    if not isinstance(dry_run, bool):
        raise DesignError(f"dry_run = {shown(dry_run)}: True (return the plan alone) or False is needed.")
    if not dry_run:
        if "calibrate" in options:
            raise DesignError(
                f"{question.__name__}: calibrate says how a plan is made. Add dry_run=True for the plan, or "
                "leave it out."
            )
        return None
    calibrate = options.pop("calibrate", True)
    if not isinstance(calibrate, bool):
        raise DesignError(f"calibrate = {shown(calibrate)}: True (time a few small passes) or False is needed.")
    if thought:
        raise DesignError(
            f"{question.__name__}(dry_run=True) plans forward passes, and a thought is decoded: how long it gets is "
            "not known before. Run it on a few pairs, and look at provenance['plan'] of the result."
        )
    if screened:
        raise DesignError(
            "screen= picks its sites by scores that have to be computed, so there is no plan of it before. Leave "
            "screen out for the plan of all sites; a screened sweep patches as many of them as you ask for."
        )
    return DryRun(calibrate)
