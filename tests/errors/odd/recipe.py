"""A valid call of a public callable, each of whose arguments can be replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.errors.bench import Bench

Arguments = Mapping[str, Any]
POSITIONAL = "*"


@dataclass(frozen=True)
class Recipe:
    """How `name` is called rightly: `target` and `arguments` are made from a bench; "*" holds positional arguments."""

    name: str
    target: Callable[[Bench], Callable[..., Any]]
    arguments: Callable[[Bench], Arguments]

    def call(self, bench: Bench, changed: Arguments | None = None) -> Any:
        """Return what the call returns, with some arguments replaced."""
        given = {**self.arguments(bench), **(changed or {})}
        positional = given.pop(POSITIONAL, ())
        return self.target(bench)(*positional, **given)

    def places(self, bench: Bench) -> Iterator[tuple[str, Callable[[Any], Arguments]]]:
        """Yield what can be replaced: every argument, and an element of those that are lists, tuples or mappings."""
        for name, good in self.arguments(bench).items():
            if name == POSITIONAL:
                yield name, lambda value: {POSITIONAL: (value,)}
                yield f"{name}[-1]", lambda value, good=good: {POSITIONAL: (*good[:-1], value)}
                continue
            yield name, lambda value, name=name: {name: value}
            if isinstance(good, (list, tuple)) and good:
                kind = type(good)
                yield f"{name}[-1]", lambda value, n=name, g=good, k=kind: {n: k([*g[:-1], value])}
            if isinstance(good, dict) and good:
                last = list(good)[-1]
                yield f"{name}[{last!r}]", lambda value, n=name, g=good, at=last: {n: {**g, at: value}}


def of(name: str, target: Any, /, **arguments: Any) -> Recipe:
    """Return the recipe of a callable and of arguments that need no bench."""
    return Recipe(name, lambda b: target, lambda b: arguments)
