"""Asking for the plan of a question instead of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._checks import shown
from ..engine import SweepPlan, World
from ..errors import DesignError
from ._bound import Bound
from ._options import PlanOptions


def dry_run_of(
    dry_run: object, options: PlanOptions, question: Callable[..., Any], *, screened: bool = False
) -> Callable[[Sequence[Bound], Mapping[Any, Mapping[str, World]]], SweepPlan] | None:
    """Return what makes the plan of the studies of some named worlds, if it is wanted.

    It takes ``calibrate`` out of `options`.

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
    if screened:
        raise DesignError(
            "screen= picks its sites by scores that have to be computed, so there is no plan of it before. Leave "
            "screen out for the plan of all sites; a screened sweep patches as many of them as you ask for."
        )

    def plan(studies: Sequence[Bound], worlds: Mapping[Any, Mapping[str, World]]) -> SweepPlan:
        first, *others = (one.plan(sum(map(len, worlds.values())), calibrate=calibrate) for one in studies)
        for other in others:
            first = first.and_then(other)
        return first

    return plan
