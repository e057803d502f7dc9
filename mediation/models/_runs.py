"""Functions that run a model hold its module from the first check to the last number."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from ._model import Model
from ._use import in_use, module_of

P = ParamSpec("P")
R = TypeVar("R")


def runs(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function whose first argument is a model hold its module, and see it as it is now; see `in_use`."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        model = args[0] if args else kwargs.get("model")
        with in_use(model) if module_of(model) is not None else nullcontext():
            if isinstance(model, Model) and args:
                return function(model.current(), *args[1:], **kwargs)  # type: ignore[arg-type]
            if isinstance(model, Model):
                kwargs["model"] = model.current()
            return function(*args, **kwargs)

    return run
