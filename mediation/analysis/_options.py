"""Options of a run: their names and types, which questions take them, and what each of them must be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypedDict

import numpy as np

from .._checks import called, one_of, positive_int, shown, suggestion, true_or_false
from ..engine import AbstractBackend, Execution, Progress, backend_for, progress_for
from ..engine.checkpoint import folder_from
from ..engine.study import Run
from ..errors import DesignError
from ..estimands import AbstractEstimand
from ..inference import Method
from ..interventions import AbstractIntervention, AbstractRewrite
from ..models import Model
from ..results import OutcomeFamily
from ..rollouts import Rolling, Sampling, settings_from
from ..sites import Site, SiteSet, ThoughtSite
from ..specs import LatentSpec, Spec, TextSpec
from ._bound import How
from ._screen import Screen


class _AnyRun(TypedDict, total=False):
    """Options of single passes and of thoughts alike."""

    backend: Literal["nnsight", "hooks", "reference"] | AbstractBackend
    batch_size: int | None
    checks: int
    out: str | PathLike[str] | None
    progress: bool | Progress | None


class RunOptions(_AnyRun, total=False):
    """How single passes are run: never what comes out.

    Attributes
    ----------
    backend
        "nnsight" (the default), "hooks", "reference" or an object.
    batch_size
        Rows in one pass; None chooses from the memory at hand.
    checks
        How many cells are recomputed by the naive path; 3 by default.
    progress
        True for a bar, False for none, None for one on a terminal, or an object.
    fan_out
        Whether many layers may share one growing pass; True by default.
    out
        A folder that keeps finished pieces: the same call goes on where it was killed.
    padding_side
        "left" (the default) or "right".
    """

    fan_out: bool
    padding_side: Literal["left", "right"]


class _Precision(TypedDict, total=False):
    precision: Literal["bfloat16"] | None
    recheck: int | None


class _Rollout(TypedDict, total=False):
    max_new_tokens: int
    sampling: Sampling | None
    spec: Spec | None
    stop: str | Sequence[str]


class RolledOptions(RunOptions, _Rollout, total=False):
    """How questions about sites or thoughts are run; `spec`, `max_new_tokens`, `stop`, `sampling` of a thought."""


class QuestionOptions(RolledOptions, _Precision, total=False):
    """How `mediate` and `ablate` are run: single passes, or rollouts where the mediator is a thought.

    Attributes
    ----------
    precision, recheck
        "bfloat16" runs on a copy of the model in that type; so many cells are recomputed in float32.
    spec, max_new_tokens, stop, sampling
        Of a thought; see `rollout`.
    """


class PlanOptions(QuestionOptions, total=False):
    """The same, and whether a plan (``dry_run=True``) times a few small passes."""

    calibrate: bool


class _Statistics(TypedDict, total=False):
    n_draws: int
    rng: int | np.random.Generator | None
    method: Method
    confidence_level: float
    n_resamples: int


class AblateChoices(QuestionOptions, _Statistics, total=False):
    """All that `ablate` takes by name; its own signature says what is taken by default."""

    sites: Site | SiteSet | ThoughtSite | None
    run: Literal["base", "source"] | None


class MediateChoices(QuestionOptions, _Statistics, total=False):
    """All that `mediate` takes by name; its own signature says what is taken by default."""

    estimands: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None
    ablation: AbstractIntervention | AbstractRewrite | None
    donor: AbstractIntervention | None
    screen: int | Screen | None
    family: OutcomeFamily


def _batch_size(given: Any) -> int | None:
    return None if given is None else positive_int(given, what="batch_size")


def _precision(given: Any) -> str | None:
    if given is not None and not (isinstance(given, str) and given == "bfloat16"):
        hint = " float16 overflows in many models; bfloat16 does not." if "float16" in shown(given) else ""
        raise DesignError(
            f"precision = {shown(given)}: 'bfloat16' is possible, or None for the model's own type.{hint}"
        )
    return "bfloat16" if given is not None else None


def _recheck(given: Any) -> int | None:
    return None if given is None else positive_int(given, what="recheck", least=0)


def _spec(given: Any) -> Spec | None:
    if given is not None and not isinstance(given, (LatentSpec, TextSpec)):
        raise DesignError(f"spec is {called(given)}; a LatentSpec or a TextSpec is needed, such as med.specs.MONET.")
    return given


# What each option must be. Those that are not here (of decoding) are checked together, where settings are made.
CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "backend": backend_for,
    "batch_size": _batch_size,
    "checks": lambda given: positive_int(given, what="checks", least=0),
    "progress": progress_for,
    "fan_out": lambda given: true_or_false(given, what="fan_out"),
    "out": folder_from,
    "padding_side": lambda given: one_of(given, ("left", "right"), what="padding_side"),
    "precision": _precision,
    "recheck": _recheck,
    "spec": _spec,
}
_BY_DEFAULT: Mapping[str, Any] = {"backend": "nnsight", "checks": 3, "progress": None}


def how_of(
    options: Mapping[str, Any],
    question: Callable[..., Any],
    model: Model,
    seed: int,
    *,
    thought: bool,
    plain: tuple[Run, ...] = ("base", "source"),
) -> How:
    """Return how a question is run.

    Parameters
    ----------
    options
        What the caller gave by name.
    question
        Which has these options.
    model, seed
        Its thoughts, and how they are drawn.
    thought
        True if a thought is asked about.
    plain
        Inputs that are compared; see `Rolling`.

    Raises
    ------
    DesignError
        If there is no such option, or one is not of its kind.
    """
    execution, progress = _execution_for(options, question, thought=thought)
    rolling = _rolling_for(options, model, seed, plain)
    return How(execution, progress, seed, rolling if thought else None, None if thought else rolling, tuple(options))


def _execution_for(
    options: Mapping[str, Any], question: Callable[..., Any], *, thought: bool
) -> tuple[Execution, Progress]:
    """Return how the passes of a question are run, those of a thought or single ones.

    Raises
    ------
    DesignError
        If there is no such option, or one is not of its kind.
    """
    name, precise = question.__name__, question.__name__ in ("mediate", "ablate")
    single = {*RunOptions.__annotations__, *(_Precision.__annotations__ if precise else ())}
    has = {*(_AnyRun.__annotations__ if thought else single), *_Rollout.__annotations__}
    named = [one for one in inspect.signature(question).parameters if one != "execution" and not thought]
    for one in options:
        if one in has:
            continue
        if thought and one in ("fan_out", "padding_side"):
            raise DesignError(f"{name}: {one} is about single forward passes; thoughts are rolled out.")
        if thought and one in _Precision.__annotations__:
            raise DesignError(
                f"{name}: {one} is about single forward passes; in a generation, rounding changes which of two nearly "
                "as likely tokens is said, and no bound holds for what follows. Load the model in the type that you "
                "ask about: med.load(model, dtype=torch.bfloat16)."
            )
        hint = "It is an option of med.mediate and med.ablate." if one in _Precision.__annotations__ else ""
        raise DesignError(f"{name}: there is no argument {one!r}. {hint or suggestion(one, [*named, *sorted(has)])}")
    how = {
        one: CHECKS[one](given)
        for one, given in {**_BY_DEFAULT, **options}.items()
        if one not in _Rollout.__annotations__
    }
    progress = how.pop("progress")
    return Execution(**how), progress


def _rolling_for(options: Mapping[str, Any], model: Model, seed: int, plain: tuple[Run, ...]) -> Rolling:
    """Return how the runs of a question are generations; DesignError for an option that is not of its kind."""
    decoding = {"stop": (), "sampling": None, "max_new_tokens": 64, "batch_size": None, **options}
    decoding["spec"] = CHECKS["spec"](options.get("spec", model.spec))
    names = (*_Rollout.__annotations__, "batch_size")
    return Rolling(settings=settings_from(**{name: decoding[name] for name in names}, seed=seed), plain=plain)
