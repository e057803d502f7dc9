"""The same question under many choices: outcome, corruption, and what is put in the mediator's place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Unpack

import numpy as np

from .._checks import one_of
from ..engine import Execution, Finished
from ..estimands import AbstractEstimand, estimands_from
from ..estimate import seed_from, tabulate_specifications, with_shares
from ..inference import Inference, Method
from ..inference.crossed import two_way_settings
from ..interventions import AbstractIntervention, Assignment, Interchange
from ..models import Model, load, runs
from ..outcomes import AbstractOutcome
from ..provenance import provenance_of
from ..results import Effects
from ..results.text import warn_of_weak_totals
from ..sites import Joint, Site, ThoughtSite
from ..units import Pairs
from ._asked import inference_account, precision_in
from ._choices import Choices, arms_of, corruptions_of
from ._options import RolledOptions, how_of
from ._outcomes import outcomes_of
from ._spec_runs import plan_of, run_plan

_NATURAL = ("y00", "y01", "y10", "y11")
Outcomes = AbstractOutcome | Iterable[AbstractOutcome] | Mapping[str, AbstractOutcome]


@runs
def specification(  # noqa: PLR0913
    model: Any,
    pairs: Pairs,
    mediator: Site | Joint | ThoughtSite,
    outcomes: Outcomes,
    *,
    corruptions: Mapping[Any, Pairs | Assignment] | None = None,
    arms: AbstractIntervention | Mapping[Any, AbstractIntervention] | None = None,
    estimand: str | AbstractEstimand | Iterable[str | AbstractEstimand] = "pnie",
    run: Literal["base", "source"] | None = None,
    n_draws: int = 1,
    rng: int | np.random.Generator | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    **execution: Unpack[RolledOptions],
) -> Effects:
    """Return one effect under every choice that it may hang on: outcomes, corruptions, and ablation values.

    A specification is one combination of choices. Each outcome is asked under each corruption; each arm is asked for
    each outcome. The first outcome under `pairs` itself is the reference.

    Parameters
    ----------
    model
        What `load` returns or takes.
    pairs
        Units with base and source inputs: the reference corruption, named as its base column is. With a base only,
        there are ablation effects only.
    mediator
        One site, ``sites.jointly()``, or a thought.
    outcomes
        A mapping from names to outcomes, a list of outcomes (named by what they are), or one. Let a larger number mean
        the same in each: signs are compared.
    corruptions
        Other ways to make the base, by name. `Pairs` of the same units in the same order (another replacement of
        tokens, another image), or an assignment that is made in the source run, which is then the base: noise at the
        embedding (Meng et al. 2022), ``med.GaussianNoise(3.0).at(med.embedding(at="subject"))``. `doses` makes one for
        each noise scale; the base is then random, and `n_draws` counts.
    arms
        Interventions that ablate the mediator, by name or ``(name, dose)``, such as ``{"zero": med.Zero()}``. They add
        ablation effects of one input beside the natural effects.
    estimand
        Key, estimand or several: what is asked of each outcome and corruption. TE is added, and the share of TE
        ('pm_pure' for 'pnie', 'pm' for 'tnie', 'ablation_share' for arms), since two outcomes have two units.
    run
        The input whose mediator the arms ablate; by default the source where there is one, else the base. An arm is
        asked under other corruptions only where they change its runs.
    n_draws
        Draws of noise or of random donors per unit; averaged within the unit.
    rng
        Seed or generator; the same gives the same numbers.
    method, confidence_level, n_resamples
        Of the intervals; see `effects`.
    **execution
        As in `mediate`: how it is run, never what comes out.

    Returns
    -------
    Effects
        Of kind 'specification', with the columns ``outcome``, ``corruption``, ``arm`` (empty for natural effects),
        ``dose`` and ``n_draws``. Each row is the one that `mediate` or `ablate` would give alone with the same `rng`.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For a question that cannot be asked, before the model runs on a batch: among them corruptions of other units,
        and an estimand that needs the mediator of a noised base (it has y00, y01 and y11 only).
    BackendError
        As in `mediate`.

    Warns
    -----
    WeakTotalEffectWarning
        Once, if shares are of total effects that are not distinguishable from 0.

    Notes
    -----
    Each corruption is a run of its own, in which all outcomes are read; where outcomes append answers of several tokens
    that differ, or compare with the base at different positions, it is as many runs as that needs. Specifications share
    units, so they are no independent evidence: the table shows what a conclusion hangs on, and no count of
    specifications has an error rate (Steegen et al. 2016; Simonsohn et al. 2020).

    Examples
    --------
    >>> import torch
    >>> from mediation import Constant, Pairs, Site, Zero, specification
    >>> from mediation.testing import LinearInteraction, first_output
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> table = specification(
    ...     LinearInteraction(),
    ...     Pairs(base=x, source=x + 1),
    ...     Site("mediator"),
    ...     first_output,
    ...     corruptions={"farther": Pairs(base=x - 1, source=x + 1)},
    ...     arms={"zero": Zero(), "one": Constant(1.0)},
    ...     rng=0,
    ... ).tidy()
    >>> table[table["estimand"].isin(["pnie", "ablation"])][["corruption", "arm", "estimate"]].round(2)
      corruption   arm  estimate
    1       base            8.00
    3       base  zero     21.68
    5       base   one     12.68
    8    farther           -4.00
    """
    loaded = load(model) if not isinstance(model, Model) else model
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    how = how_of(execution, specification, loaded, settings.seed, thought=isinstance(mediator, ThoughtSite))
    given = corruptions_of(pairs, corruptions)
    intact: Literal["base", "source"] = "base" if pairs.source is None else "source"
    which = one_of(intact if run is None else run, ("base", "source"), what="run")
    choices = Choices(given, *outcomes_of(outcomes, pairs, loaded, what="outcomes"), arms_of(arms), which)
    if choices.pairs.crossed:
        two_way_settings(settings)
    wanted = () if pairs.source is None else with_shares(estimands_from(_NATURAL, estimand))
    cells = plan_of(loaded, choices, mediator, wanted, how, n_draws=n_draws)
    units, finished = run_plan(cells)
    table = tabulate_specifications(units, wanted, settings, precision_in(loaded))
    warn_of_weak_totals(table, settings.confidence_level)
    return Effects(table, units, _account(choices, finished, mediator, how.execution, settings))


def _account(
    choices: Choices, finished: Sequence[Finished], mediator: object, how: Execution, settings: Inference
) -> dict[str, Any]:
    """Return the provenance: that of the first run, with the choices, and passes and rows of all runs."""
    put_in = "; ".join(repr(one) for one in (Interchange(), *choices.arms.values()))
    known = provenance_of(finished[0], mediator, put_in, how)
    for name in ("rows", "passes"):
        known["plan"][name] = sum(one.report.get(name, 0) for one in finished)
    known["plan"]["studies"] = len(finished)
    names = choices.labels.items()
    crossed = choices.pairs.crossed
    n_clusters = min(crossed) if crossed else len(set(choices.pairs.cluster_columns["cluster"]))
    return known | {
        "kind": "specification",
        "run": choices.run,
        "outcome": "; ".join(label if name == label else f"{name} = {label}" for name, label in names),
        "specification": {
            "outcomes": choices.labels,
            "corruptions": {name: repr(one) for name, one in choices.corruptions.items()},
            "arms": [[name, dose, repr(arm)] for (name, dose), arm in choices.arms.items()],
        },
        "inference": inference_account(settings, finished[0].study.model),
        "pairs": {**known["pairs"], "n_clusters": n_clusters},
    }
