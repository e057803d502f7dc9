"""What a sweep would cost."""

from __future__ import annotations

from typing import Any, Unpack

from ..engine import SweepPlan
from ..outcomes import Outcomes
from ..sites import Joint, Site, SiteSet, ThoughtSite
from ..units import Pairs
from ._mediate import mediate
from ._options import MediateChoices


def plan_sweep(
    model: Any,
    pairs: Pairs,
    mediator: Site | SiteSet | Joint | ThoughtSite,
    outcome: Outcomes,
    *,
    calibrate: bool = True,
    **options: Unpack[MediateChoices],
) -> SweepPlan:
    """Return what `mediate` would cost, before it is paid for.

    The question is checked as in `mediate`, and one input runs once. Passes, rows and FLOPs are those of the run that
    the same arguments would start, counted from the same batches.

    Parameters
    ----------
    model, pairs, mediator, outcome
        As in `mediate`.
    calibrate
        Time a few small passes, a few seconds in all, and estimate the time of the whole from them.
    **options
        All other arguments of `mediate`.

    Returns
    -------
    SweepPlan
        Print it for a table; ``.tidy()`` is a frame.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        As in `mediate`; DesignError for ``screen=``, which has no plan.

    Notes
    -----
    Of a thought, the plan is what generations cost at most, and has no time.

    FLOPs are 2 per weight of a matrix product and token, and ``4 x queries x keys x width`` per block for attention
    (Kaplan et al. 2020, arXiv 2001.08361, table 1). Norms, softmax and other element-wise work are left out, and so
    is what the intervals cost.

    Examples
    --------
    >>> import torch, mediation as med
    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    >>> pairs = med.Pairs(base=torch.zeros(5, 3), source=torch.ones(5, 3))
    >>> plan = med.plan_sweep(module, pairs, med.Site("0"), med.testing.first_output, calibrate=False)
    >>> plan.worlds, plan.rows, plan.passes["rows"].outcomes
    (4, 20, 10)
    """
    return mediate(model, pairs, mediator, outcome, dry_run=True, calibrate=calibrate, **options)
