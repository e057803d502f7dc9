"""Which arguments a module's forward takes, also where it hands further ones on by ``**kwargs``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Iterator
from types import CodeType
from typing import Any, final

from torch import nn


@final
class _Anything:
    """Holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


def arguments_of(module: nn.Module) -> tuple[tuple[str, ...], Container[str] | None]:
    """Return the names that a forward spells out, and the names that its ``**kwargs`` may bring; None without them.

    A forward of transformers takes any name and hands it on, so a name that no part reads is lost without a word. What
    is read is found in the code of the forwards of its parts: parameters, and texts such as in ``kwargs["name"]``.

    Examples
    --------
    >>> arguments_of(nn.Linear(2, 2))
    (('input',), None)
    """
    forward = type(module).forward
    parameters = inspect.signature(forward).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = tuple(one.name for one in parameters if one.kind not in variable and one.name != "self")
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return named, None
    if not type(module).__module__.startswith("transformers."):
        return named, _Anything()
    read: set[str] = set()
    for kind in {type(part) for part in module.modules()}:
        for function in _functions(kind):
            read |= set(_words(inspect.unwrap(function).__code__))
    return named, frozenset(read)


def _functions(kind: type[Any]) -> Iterator[Callable[..., Any]]:
    """Give what runs in a forward: forwards, and what makes features of images."""
    for name in dir(kind):
        if name == "forward" or name.endswith("_features"):
            found = inspect.unwrap(getattr(kind, name, None))  # type: ignore[arg-type]
            if inspect.isfunction(found):
                yield found


def _words(code: CodeType) -> Iterator[str]:
    """Give the names of variables of a function and of those inside it, and the texts in it."""
    yield from code.co_varnames
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _words(constant)
