"""Rewrites of your own: ``@rewriter`` on a function from text to text."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

from .._checks import called
from ..errors import BackendError
from ..interventions import (
    NO_TEXT_GIVEN,
    AbstractCustom,
    AbstractFactory,
    AbstractRewrite,
    TextGiven,
    comparable,
    random_numbers,
    thoughts_of_all,
)


@final
@dataclass(frozen=True, slots=True, repr=False)
class RewriteFactory(AbstractFactory["CustomRewrite"]):
    """A function that `rewriter` was put on; called with parameters it gives a rewrite."""

    decorator = "rewriter"
    makes = "rewrite"
    first = "text"
    kind = "text"
    known = MappingProxyType({"rng": "rng", "pool": "pool"})
    beyond = ""

    def _made(self, params: tuple[tuple[str, Hashable], ...]) -> CustomRewrite:
        return CustomRewrite(self, params)

    def _stored(self, value: object, what: str) -> Hashable:
        """Return `value` with lists and arrays as tuples."""
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, (list, tuple)):
            return tuple(self._stored(one, what) for one in plain)
        return comparable(plain, what, called(plain))


@final
@dataclass(frozen=True, slots=True, repr=False)
class CustomRewrite(AbstractCustom, AbstractRewrite):
    """A user's function with its parameters; made by calling what ``@rewriter`` returns."""

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
