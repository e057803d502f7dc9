"""How a question about thoughts is to be run, from its keyword arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from .._checks import called, positive_int, suggestion
from .._errors import DesignError
from ..engine import AbstractBackend, Progress, progress_for
from ..engine.backends import backend_for
from ..models import Model
from ..rollouts import Sampling, Settings, settings_from
from ..specs import LatentSpec, Spec, TextSpec

_KNOWN = ("backend", "batch_size", "checks", "max_new_tokens", "progress", "sampling", "spec", "stop")
_ELSEWHERE = ("fan_out", "padding_side")


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ThoughtOptions:
    """How rollouts of a question are run.

    Attributes
    ----------
    spec
        Of the thoughts.
    settings
        Length, stop strings, sampling and batch size.
    backend, progress, checks
        As in `mediate`.
    """

    spec: Spec | None
    settings: Settings
    backend: AbstractBackend
    progress: Progress
    checks: int


def thought_options(options: dict[str, Any], question: Callable[..., Any], model: Model, seed: int) -> ThoughtOptions:
    """Return the options of a question about thoughts.

    Raises
    ------
    DesignError
        If there is no such option, or one is not of its kind.
    """
    for name in options:
        if name == "out":
            raise DesignError(
                f"{question.__name__}: out keeps pieces of single forward passes, and thoughts are rolled out. Leave "
                "it away; what comes back is kept by effects.save(path)."
            )
        if name in _ELSEWHERE:
            raise DesignError(f"{question.__name__}: {name} is about single forward passes; thoughts are rolled out.")
        if name not in _KNOWN:
            raise DesignError(f"{question.__name__}: there is no argument {name!r}. {suggestion(name, _KNOWN)}")
    spec = options.get("spec", model.spec)
    if spec is not None and not isinstance(spec, (LatentSpec, TextSpec)):
        raise DesignError(f"spec is {called(spec)}; a LatentSpec or a TextSpec is needed, such as med.MONET.")
    stop: str | Sequence[str] = options.get("stop", ())
    sampling: Sampling | None = options.get("sampling")
    return ThoughtOptions(
        spec=spec,
        settings=settings_from(
            options.get("max_new_tokens", 64),
            stop=stop,
            sampling=sampling,
            seed=seed,
            batch_size=options.get("batch_size"),
        ),
        backend=backend_for(options.get("backend", "nnsight")),
        progress=progress_for(options.get("progress")),
        checks=positive_int(options.get("checks", 3), what="checks", least=0),
    )
