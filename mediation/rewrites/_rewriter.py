"""Rewrites of your own: ``@rewriter`` on a function from text to text."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

from .._checks import called, suggestion
from ..errors import BackendError, DesignError
from ..interventions import (
    NO_TEXT_GIVEN,
    AbstractRewrite,
    TextGiven,
    TextNeed,
    bound_parameters,
    check_function,
    constants_of,
    random_numbers,
    source_digest,
    thoughts_of_all,
)

_INJECTED: dict[str, TextNeed] = {"rng": "rng", "pool": "pool"}


@final
@dataclass(frozen=True, slots=True, repr=False)
class RewriteFactory:
    """A function that `rewriter` was put on: call it with parameters to get a rewrite.

    Equal if module, qualified name and source are equal.

    Parameters
    ----------
    function
        The function; its first argument is the text.

    Raises
    ------
    DesignError
        If the function cannot be told from another by its name, source and parameters; the message says why.
    """

    function: Callable[..., str] = field(compare=False)
    module: str = field(init=False)
    qualname: str = field(init=False)
    source: str = field(init=False)
    """Digest of the source or, where there is none, of the compiled code."""

    def __post_init__(self) -> None:
        function: object = self.function
        check_function(function, "@rewriter", "text", "text", _INJECTED)
        assert isinstance(function, types.FunctionType)
        object.__setattr__(self, "module", function.__module__)
        object.__setattr__(self, "qualname", function.__qualname__)
        object.__setattr__(self, "source", source_digest(function))

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def injected(self) -> frozenset[TextNeed]:
        """Arguments that the run fills in."""
        names = list(inspect.signature(self.function).parameters)[1:]
        return frozenset(_INJECTED[name] for name in names if name in _INJECTED)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Arguments that the user fills in."""
        items = list(inspect.signature(self.function).parameters.items())[1:]
        return {name: item for name, item in items if name not in _INJECTED}

    def __call__(self, *positional: object, **params: object) -> CustomRewrite:
        """Return the rewrite with these parameters; those left out have their defaults.

        Parameters
        ----------
        positional
            Refused: parameters are given by name.
        params
            Parameters of the function, each hashable, or a list or array, which is kept as a tuple.

        Raises
        ------
        DesignError
            If a parameter is not known, missing, or cannot be stored.
        """
        wanted = self.parameters
        if positional:
            example = f"{self.name}({', '.join(f'{name}=...' for name in wanted)})"
            raise DesignError(
                f"{self.name}: parameters are given by name, found {len(positional)} without. "
                f"Write {example}; that rewrite is then called on a text: {example}(text)."
            )
        for name in params:
            if name not in wanted:
                raise DesignError(self._unknown(name, list(wanted)))
        return CustomRewrite(self, bound_parameters(self.name, wanted, params, _stored))

    def at(self, site: object) -> NoReturn:
        """Refuse: what is placed at a site is a rewrite, made by a call.

        Raises
        ------
        DesignError
            Always; the message says how to write it.
        """
        raise DesignError(f"{self.name}.at(...): {self.name} makes rewrites. Call it: {self.name}().at({site!r}).")

    def _unknown(self, name: str, wanted: list[str]) -> str:
        if name in self.injected:
            return f"{self.name}: {name!r} is filled in by the run. Leave it out."
        return f"{self.name} has no parameter {name!r}. {suggestion(name, wanted) if wanted else 'It has none.'}"

    def __repr__(self) -> str:
        words = [str(item.replace(annotation=inspect.Parameter.empty)) for item in self.parameters.values()]
        return f"<rewriter {self.name}({', '.join(words)})>"


@final
@dataclass(frozen=True, slots=True, repr=False)
class CustomRewrite(AbstractRewrite):
    """A user's function with its parameters; made by calling what ``@rewriter`` returns.

    Compared by the function's module, qualified name and source, by the parameters, and by the plain constants that
    the function reads from its module. What other functions it calls is not compared.

    Parameters
    ----------
    factory
        What ``@rewriter`` returned.
    params
        Name and value of every parameter.
    """

    factory: RewriteFactory
    params: tuple[tuple[str, Hashable], ...]
    constants: tuple[tuple[str, Hashable], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", tuple(sorted(constants_of(self.factory.function))))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"{self.factory.name}({', '.join(f'{name}={value!r}' for name, value in self.params)})"

    def needs(self) -> frozenset[TextNeed]:
        """Return the reserved arguments in the function's signature."""
        return self.factory.injected

    def __call__(self, text: str, given: TextGiven = NO_TEXT_GIVEN) -> str:
        """Return the function's result.

        Raises
        ------
        BackendError
            If the result is not a text.
        """
        arguments: dict[str, Any] = dict(self.params)
        if "rng" in self.factory.injected:
            arguments["rng"] = random_numbers(given, by=self)
        if "pool" in self.factory.injected:
            arguments["pool"] = thoughts_of_all(given, by=self)
        result: object = self.factory.function(text, **arguments)
        if not isinstance(result, str):
            where = f"{self!r} (function {self.factory.qualname} in {self.factory.module})"
            raise BackendError(f"{where} returned {called(result)}; a text is needed.")
        return result


def rewriter(function: Callable[..., str]) -> RewriteFactory:
    """Make rewrites of a pure function text -> text.

    Parameters
    ----------
    function
        Takes the thought first, without its markers, then parameters. Keyword-only arguments of these names are filled
        in by the run: ``rng`` (a numpy generator, seeded for the unit and the draw) and ``pool`` (the thoughts of all
        units in the same run, a tuple). It returns a text and takes random numbers from ``rng`` alone.

    Returns
    -------
    RewriteFactory
        Called with parameters by name, it gives the rewrite.

    Raises
    ------
    DesignError
        If `function` has no name, takes ``*args`` or ``**kwargs``, or reads a variable of an enclosing function.

    Examples
    --------
    >>> @rewriter
    ... def recolour(text, old, new="blue"):
    ...     return text.replace(old, new)
    >>> recolour(old="red")
    recolour(old='red', new='blue')
    >>> recolour(old="red")("a red cart")
    'a blue cart'

    >>> @rewriter
    ... def any_thought(text, *, rng, pool):
    ...     return pool[rng.integers(len(pool))]
    >>> sorted(any_thought().needs())
    ['pool', 'rng']
    """
    return RewriteFactory(function)


def _stored(value: object, what: str) -> Hashable:
    """Return `value` with lists and arrays as tuples."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, (list, tuple)):
        return tuple(_stored(one, what) for one in plain)
    try:
        hash(plain)
    except TypeError:
        raise DesignError(
            f"{what}: {called(plain)} cannot be compared by value. Give a number, text, tuple or list."
        ) from None
    return plain
