"""Null controls: what the same analysis shows where there is nothing, or something else, to be found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np

from .._checks import elements, one_of, positive_int
from ..engine import Finished
from ..errors import AlignmentWarning, DataError, DesignError, MediationError, warn
from ..estimands import AbstractEstimand, estimands_from
from ..estimate import CONTROLS, RANDOM, seed_from, tabulate_controls
from ..inference import Inference, Method
from ..interventions import Interchange
from ..models import Model, load, reinitialised, runs
from ..outcomes import Outcomes
from ..results import Effects
from ..sites import Joint, Site, SiteSet, ThoughtSite
from ..units import Pairs, encode
from ._asked import check_question, inference_account, need_one_kind_of_cluster, precision_in
from ._bound import How
from ._control_runs import (
    Index,
    Part,
    Question,
    donors_of,
    lengths_at,
    main_part,
    mixed_part,
    model_part,
    run_parts,
    unmatched,
)
from ._mediate import _mediators
from ._options import RolledOptions, how_of
from ._outcomes import asked_of

_DRAWS = 10
_KEYS = ("pnie", "tnie")
_COUNTS = ("rows", "fan_out_rows", "null_rows", "passes")
_SELF, _UNRELATED, _DIRECTION, _PAIRS, _ANSWERS, _MODEL = CONTROLS
_EXCHANGED = (_UNRELATED, _PAIRS)


@runs
def controls(  # noqa: PLR0913
    model: Any,
    pairs: Pairs,
    mediator: Site | SiteSet | Joint | ThoughtSite,
    outcome: Outcomes,
    *,
    controls: str | Iterable[str] | None = None,
    estimand: str | AbstractEstimand | Iterable[str | AbstractEstimand] = "pnie",
    n_draws: int | None = None,
    rng: int | np.random.Generator | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    **execution: Unpack[RolledOptions],
) -> Effects:
    """Return an indirect effect beside its null controls, and how far it goes beyond each of them.

    Parameters
    ----------
    model, pairs, mediator, outcome
        As in `mediate`. A `SiteSet` is a sweep: a row a site and control. What is put in of a thought is the thought.
    controls
        Names of some of these; None for all that apply, and the result says which were left out, and why.

        - ``"self-patch"``: each unit's own activation put where it is, in runs like the others. It is exactly 0 in
          every unit, or the run stops; the largest difference before rounding was settled is reported.
        - ``"unrelated unit"``: only the mediator is another unit's: Y(x_i, M(x'_j)) in place of Y(x_i, M(x'_i)).
        - ``"random direction"``: the activation moved as far as the exchange moves it, in a random direction
          (`RandomDirection`). Not of a written thought.
        - ``"shuffled pairs"``: the whole analysis with the source inputs of other units; the outcome stays that of the
          base's unit. For PNIE these are the runs of "unrelated unit"; for TNIE another input runs, too.
        - ``"shuffled answers"``: inputs and mediator as they were, the outcome read with the columns of another
          unit. Only for outcomes that read columns.
        - ``"re-initialised model"``: the same architecture with random weights (`reinitialised`), one draw of them.
    estimand
        "pnie", "tnie", or both.
    n_draws
        Draws of each random control, averaged within the unit; 10 if left out.
    rng
        Seed or generator: of donors, directions, weights and resamples.
    method, confidence_level, n_resamples, **execution
        As in `mediate`.

    Returns
    -------
    Effects
        Of kind 'controls', with columns ``control`` and ``n_draws``: the effect itself ('none'), the controls, and rows
        'beyond ...' for the effect minus a random control, unit by unit. ``units`` has ``control`` and ``donor``.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For a question that cannot be asked, before the model runs on a batch.
    BackendError
        As in `mediate`; or if a self-patch changes an outcome by more than rounding.

    Warns
    -----
    AlignmentWarning
        If units share their number of tokens at the mediator with no other: "unrelated unit" and "shuffled pairs" are
        about the rest.
    DegenerateWarning
        If rows other than the self-patch have no interval.

    Notes
    -----
    Donors are drawn in cycles among units of equal numbers of tokens at all sites, so that in each draw every unit
    gives once and gets once; they are common to all sites. Intervals count that rows share a unit: `donor_values`
    has the formula. Those of the re-initialised model hold for the weights that were drawn.

    Examples
    --------
    >>> import torch
    >>> import mediation as med
    >>> generator = torch.Generator().manual_seed(0)
    >>> pairs = med.Pairs(base=torch.zeros(40, 1), source=torch.rand(40, 1, generator=generator))
    >>> found = controls(
    ...     med.testing.LinearInteraction(), pairs, med.Site("mediator"), med.testing.first_output,
    ...     controls=["self-patch", "random direction"], rng=0, n_resamples=999,
    ... )
    >>> found.tidy()["control"].tolist()
    ['none', 'self-patch', 'random direction', 'beyond random direction']
    """  # fmt: skip
    loaded = load(model) if not isinstance(model, Model) else model
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    how = _how(execution, loaded, settings.seed, thought=isinstance(mediator, ThoughtSite))
    check_question(pairs, outcome, 1 if n_draws is None else n_draws)
    need_one_kind_of_cluster(pairs, "controls")
    wanted = _wanted(estimand)
    asked = _asked(controls)
    pairs.inputs("source")
    encoding = encode(pairs, loaded)
    question = Question(
        model=loaded,
        pairs=pairs,
        encoding=encoding,
        outcomes=asked_of(outcome, pairs, loaded),
        mediators=_mediators(mediator, loaded, encoding),
        keys=tuple(one.key for one in wanted),
        n_draws=_draws(n_draws, asked),
        how=how,
        seed=settings.seed,
    )
    names, fresh, left_out = _applicable(question, asked)
    donors = _donors(question, names, left_out if asked is None else None)
    names = tuple(name for name in names if name not in left_out)
    parts = _parts(question, names, donors, fresh)
    units, done = run_parts(question, parts, left_out if asked is None else None)
    names = tuple(name for name in names if name not in left_out)
    provenance = question.outcomes.provenance(done[0], mediator, repr(Interchange()), how.execution)
    provenance |= {"kind": "controls", "inference": inference_account(settings, loaded)}
    provenance["controls"] = _account(question, names, parts, done, left_out)
    return question.outcomes.result(
        units,
        provenance,
        lambda rows, known: Effects(tabulate_controls(rows, wanted, settings, precision_in(loaded)), rows, known),
    )


def _how(options: Mapping[str, Any], model: Model, seed: int, *, thought: bool) -> How:
    return how_of(options, controls, model, seed, thought=thought)


def _wanted(estimand: Any) -> tuple[AbstractEstimand, ...]:
    wanted = estimands_from(("y00", "y01", "y10", "y11"), estimand)
    other = [one.key for one in wanted if one.key not in _KEYS]
    if other:
        raise DesignError(
            f"controls: estimand {other[0]!r} has none; controls are of what a patch does, so of the indirect effects "
            "'pnie' and 'tnie'. med.mediate answers the others."
        )
    return tuple(sorted(wanted, key=lambda one: _KEYS.index(one.key)))


def _asked(given: object) -> tuple[str, ...] | None:
    """Return the names of the controls that are asked for, in the order of the table; None for all."""
    if given is None:
        return None
    needed = "a list of names, such as ['unrelated unit'], or None for all,"
    names = [given] if isinstance(given, str) else elements(given, what="controls", needed=needed)
    if not names:
        raise DesignError(f"controls is empty. Choose from {', '.join(map(repr, CONTROLS))}, or None for all.")
    for name in names:
        if isinstance(name, str) and name == "none":
            raise DesignError("controls: 'none' is the effect itself, which is always there. Leave it out.")
        one_of(name, CONTROLS, what="control")
    return tuple(name for name in CONTROLS if name in names)


def _draws(n_draws: int | None, asked: Sequence[str] | None) -> int:
    if n_draws is None:
        return _DRAWS
    positive_int(n_draws, what="n_draws")
    if n_draws > 1 and asked is not None and not set(asked) & set(RANDOM):
        raise DesignError(
            f"controls: n_draws = {n_draws}, and nothing is drawn in {', '.join(map(repr, asked))}. Leave n_draws out, "
            f"or add a random control: {', '.join(map(repr, RANDOM))}."
        )
    return n_draws


def _applicable(
    question: Question, asked: tuple[str, ...] | None
) -> tuple[tuple[str, ...], Model | None, dict[str, str]]:
    """Return the controls to run, the re-initialised model, and those that do not apply, with the reason.

    Raises
    ------
    DesignError, BackendError
        If one that was asked for by name does not apply.
    """
    left_out: dict[str, str] = {}
    names = CONTROLS if asked is None else asked
    blind = [] if _ANSWERS not in names else question.without_columns
    if blind:
        which = f"outcome {blind[0]!r}" if question.outcomes.labels else "the outcome"
        _does_not_apply(
            _ANSWERS, f"{which} reads no column of the units, so all units have the same answers", asked, left_out
        )
    places = [site for mediator in question.mediators.values() for site in mediator]
    if _DIRECTION in names and any(isinstance(site, ThoughtSite) and site.kind == "imagination" for site in places):
        _does_not_apply(_DIRECTION, "a written thought is text, which has no direction", asked, left_out)
    fresh = None
    if _MODEL in names:
        try:
            fresh = reinitialised(question.model, question.seed)
        except MediationError as error:
            if asked is not None:
                raise
            left_out[_MODEL] = str(error).removeprefix("reinitialised: ").split(". ")[0]
    return tuple(name for name in names if name not in left_out), fresh, left_out


def _does_not_apply(name: str, why: str, asked: object, left_out: dict[str, str]) -> None:
    if asked is not None:
        raise DesignError(f"controls: {name!r} does not apply: {why}. Leave it out.")
    left_out[name] = why


def _donors(question: Question, names: Sequence[str], left_out: dict[str, str] | None) -> dict[str, Index]:
    """Return the donors of each control that has them, and warn of units without.

    Controls without any donor are added to `left_out`, or are an error if that is None.
    """
    found: dict[str, Index] = {}
    exchanged = [name for name in _EXCHANGED if name in names]
    n, where = len(question.pairs), " and ".join(map(str, list(question.mediators)[:3]))
    if exchanged:
        index = donors_of(lengths_at(question), question.n_draws, question.seed)
        alone = unmatched(index)
        if len(alone) == n:
            _without_donors(exchanged, n, where, left_out)
        else:
            found |= dict.fromkeys(exchanged, index)
            _warn_unmatched(alone, exchanged, n, where)
    if _ANSWERS in names and n > 1:
        found[_ANSWERS] = donors_of([0] * n, question.n_draws, question.seed)
    elif _ANSWERS in names:
        _without_donors([_ANSWERS], n, where, left_out)
    return found


def _without_donors(names: Sequence[str], n: int, where: str, left_out: dict[str, str] | None) -> None:
    why, remedy = "there is only one unit", "Add units"
    if n > 1:
        why = f"every unit has another number of tokens at {where}, so no two can be exchanged"
        remedy = "Use positions that match, such as at='last'"
    if left_out is None:
        raise DataError(
            f"controls: {' and '.join(map(repr, names))} cannot be made: {why}. {remedy}, or leave "
            f"{'it' if len(names) == 1 else 'them'} out."
        )
    left_out |= dict.fromkeys(names, why)


def _warn_unmatched(alone: Sequence[int], names: Sequence[str], n: int, where: str) -> None:
    if not alone:
        return
    shown = ", ".join(map(str, alone[:6])) + (", ..." if len(alone) > 6 else "")
    warn(
        f"{len(alone)} of {n} units have a number of tokens at {where} that no other unit has ({shown}), so they have "
        f"no donor: {' and '.join(map(repr, names))} are about the other {n - len(alone)}.",
        AlignmentWarning,
    )


def _parts(
    question: Question, names: Sequence[str], donors: Mapping[str, Index], fresh: Model | None
) -> tuple[Part, ...]:
    """Return the studies to run, each checked."""
    inputs = "tnie" in question.keys and _PAIRS in names
    swapped = next((donors[name] for name in _EXCHANGED if name in donors), None)
    parts = [main_part(question, [name for name in names if not (inputs and name == _PAIRS)], swapped)]
    if inputs:
        parts.append(mixed_part(question, _PAIRS, donors[_PAIRS], what="source"))
    if _ANSWERS in names:
        parts.append(mixed_part(question, _ANSWERS, donors[_ANSWERS], what="answers"))
    if fresh is not None:
        parts.append(model_part(question, fresh, _MODEL))
    return tuple(parts)


def _account(
    question: Question,
    names: Sequence[str],
    parts: Sequence[Part],
    done: Sequence[Sequence[Finished]],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Return what provenance keeps of the controls."""
    account: dict[str, Any] = {"names": list(names), "left_out": dict(left_out), "n_draws": question.n_draws}
    if _SELF in names:
        found = [one.report["self_patch"] for one in done[0]]
        worst = max(found, key=lambda one: float(one["max_abs_difference"]))
        account["self_patch"] = {**worst, "reason": "exactly 0 in every unit"}
    if _MODEL in names:
        account["re_initialised"] = {"seed": question.seed, "digest": parts[-1].studies[0].study.model.digest}
    each = (one for some in done for one in some)
    account["plans"] = [{name: one.report[name] for name in _COUNTS if name in one.report} for one in each]
    return account
