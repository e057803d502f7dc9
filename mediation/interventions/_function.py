"""Checks of a user's function that a decorator makes a value of: its signature, its closure, its parameters."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Hashable, Mapping

from .._checks import shown
from ..errors import DesignError


def check_function(function: object, decorator: str, first: str, what: str, injected: Collection[str]) -> None:
    """Check that a function can be told from another by its name, source and parameters.

    Parameters
    ----------
    function
        What the decorator was put on.
    decorator
        Such as ``"@intervention"``, for errors.
    first, what
        Name and kind of the first argument, such as ``"hidden"`` and ``"activation"``, for errors.
    injected
        Names of the arguments that the run fills in.

    Raises
    ------
    DesignError
        If it cannot.
    """
    if not isinstance(function, types.FunctionType) or function.__name__ == "<lambda>":
        found = getattr(function, "__qualname__", shown(function))
        raise DesignError(f"{decorator}: a function with a name is needed, found {found}. Use `def`.")
    _check_signature(function, decorator, first, what, injected)
    _check_closure(function, decorator, first)


def bound_parameters(
    factory: str,
    wanted: Mapping[str, inspect.Parameter],
    params: Mapping[str, object],
    store: Callable[[object, str], Hashable],
) -> tuple[tuple[str, Hashable], ...]:
    """Return name and stored value of every parameter, defaults included.

    Parameters
    ----------
    factory
        Name of the function, for errors.
    wanted
        Its parameters.
    params
        Those that were given.
    store
        From a value and how errors call it to a value that can be compared.

    Raises
    ------
    DesignError
        If one without a default is missing, or cannot be stored.
    """
    bound: list[tuple[str, Hashable]] = []
    for name, item in wanted.items():
        value = params.get(name, item.default)
        if value is inspect.Parameter.empty:
            raise DesignError(f"{factory}: parameter {name!r} has no default and was not given.")
        bound.append((name, store(value, f"{factory}: {name}")))
    return tuple(bound)


def _check_signature(
    function: types.FunctionType, decorator: str, first: str, what: str, injected: Collection[str]
) -> None:
    name, items = function.__name__, list(inspect.signature(function).parameters.values())
    for item in items:
        if item.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise DesignError(f"{decorator}: {name} takes {item}; name every parameter instead.")
    if not items or items[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise DesignError(f"{decorator}: {name} takes no {what}. Write def {name}({first}, ...).")
    for item in items[1:]:
        if item.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise DesignError(f"{decorator}: {name} takes {item.name!r} by place only; remove the `/`.")
        if item.name in injected and item.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise DesignError(
                f"{decorator}: {name} takes {item.name!r}, which the run fills in, by place. "
                f"Write it after a star: def {name}({first}, ..., *, {item.name})."
            )


def _check_closure(function: types.FunctionType, decorator: str, first: str) -> None:
    """Refuse variables of an enclosing function: they change what it does, and cannot be compared."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:
            value = None
        if not isinstance(value, types.ModuleType):
            raise DesignError(
                f"{decorator}: {function.__name__} reads {name!r} from the function around it. "
                f"Make it a parameter: def {function.__name__}({first}, {name}=...)."
            )
