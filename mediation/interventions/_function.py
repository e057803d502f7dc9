"""Functions of a user that a decorator makes values of: how they are checked, compared and called with parameters."""

from __future__ import annotations

import inspect
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from .._checks import listed, shown, suggestion
from ..errors import DesignError
from ._abstract import AbstractPlaceable
from ._code import constants_of, source_digest
from ._spelling import spelled_value

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class AbstractFactory(ABC, Generic[T]):
    """A function that a decorator was put on: call it with parameters to get what the decorator makes.

    Equal if module, qualified name and source are equal.

    Parameters
    ----------
    function
        The function; its first argument is what it acts on.

    Raises
    ------
    DesignError
        If the function cannot be told from another by its name, source and parameters; the message says why.
    """

    decorator: ClassVar[str]
    makes: ClassVar[str]
    first: ClassVar[str]
    """Name of the first argument."""
    kind: ClassVar[str]
    """What the first argument is."""
    known: ClassVar[Mapping[str, Any]]
    """Arguments that a run can fill in, and what each is."""
    beyond: ClassVar[str]
    """How to get what is not among them."""

    function: Callable[..., Any] = field(compare=False)
    module: str = field(init=False)
    qualname: str = field(init=False)
    source: str = field(init=False)
    """Digest of the source without comments, docstrings and layout or, where there is none, of the compiled code."""

    def __post_init__(self) -> None:
        function: object = self.function
        if not isinstance(function, types.FunctionType) or function.__name__ == "<lambda>":
            found = getattr(function, "__qualname__", shown(function))
            raise DesignError(f"@{self.decorator}: a function with a name is needed, found {found}. Use `def`.")
        _check_signature(function, f"@{self.decorator}", self.first, self.kind, self.known)
        _check_closure(function, f"@{self.decorator}", self.first)
        object.__setattr__(self, "module", function.__module__)
        object.__setattr__(self, "qualname", function.__qualname__)
        object.__setattr__(self, "source", source_digest(function))

    @abstractmethod
    def _made(self, params: tuple[tuple[str, Hashable], ...]) -> T:
        """Return what is made with these parameters."""

    @abstractmethod
    def _stored(self, value: object, what: str) -> Hashable:
        """Return the value of a parameter in a form that can be compared; errors call it `what`."""

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def injected(self) -> dict[str, Any]:
        """Arguments that the run fills in, and what each is."""
        names = list(inspect.signature(self.function).parameters)[1:]
        return {name: self.known[name] for name in names if name in self.known}

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Arguments that the user fills in."""
        items = list(inspect.signature(self.function).parameters.items())[1:]
        return {name: item for name, item in items if name not in self.known}

    def __call__(self, *positional: object, **params: object) -> T:
        """Return what is made with these parameters; those left out have their defaults.

        Parameters
        ----------
        positional
            Refused: parameters are given by name.
        params
            Parameters of the function, each hashable, or a list or an array.

        Raises
        ------
        DesignError
            If a parameter is not known, missing, or cannot be stored.
        """
        wanted = self.parameters
        if positional:
            example = f"{self.name}({', '.join(f'{name}=...' for name in wanted)})"
            article = "an" if self.kind[0] in "aeiou" else "a"
            raise DesignError(
                f"{self.name}: parameters are given by name, found {len(positional)} without. Write {example}; that "
                f"{self.makes} is then called on {article} {self.kind}: {example}({self.first})."
            )
        for name in params:
            if name not in wanted:
                raise DesignError(self._unknown(name, list(wanted)))
        bound: list[tuple[str, Hashable]] = []
        for name, item in wanted.items():
            value = params.get(name, item.default)
            if value is inspect.Parameter.empty:
                more = ""
                if item.kind is inspect.Parameter.KEYWORD_ONLY:
                    more = f" The run fills in {listed(sorted(self.known))} alone. {self.beyond}".rstrip()
                raise DesignError(f"{self.name}: parameter {name!r} has no default and was not given.{more}")
            bound.append((name, self._stored(value, f"{self.name}: {name}")))
        return self._made(tuple(bound))

    def at(self, site: object) -> NoReturn:
        """Refuse: what is placed at a site is made by a call.

        Raises
        ------
        DesignError
            Always; the message says how to write it.
        """
        raise DesignError(f"{self.name}.at(...): {self.name} makes {self.makes}s. Call it: {self.name}().at({site!r}).")

    def _unknown(self, name: str, wanted: list[str]) -> str:
        if name in self.injected:
            need = self.injected[name]
            whence = "" if need == name else f", from {need!r}"
            return f"{self.name}: {name!r} is filled in by the run{whence}. Leave it out."
        return f"{self.name} has no parameter {name!r}. {suggestion(name, wanted) if wanted else 'It has none.'}"

    def __repr__(self) -> str:
        words = [str(item.replace(annotation=inspect.Parameter.empty)) for item in self.parameters.values()]
        return f"<{self.decorator} {self.name}({', '.join(words)})>"


@dataclass(frozen=True, slots=True, repr=False)
class AbstractCustom(AbstractPlaceable):
    """A user's function with its parameters; made by a call of what its decorator returned.

    Compared by the function's module, qualified name and source, by the parameters, and by the plain constants that
    the function reads from its module. What other functions it calls is not compared.

    Parameters
    ----------
    factory
        What the decorator returned.
    params
        Name and value of every parameter.
    """

    factory: AbstractFactory[Any]
    params: tuple[tuple[str, Hashable], ...]
    constants: tuple[tuple[str, Hashable], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", tuple(sorted(constants_of(self.factory.function))))

    def __repr__(self) -> str:
        words = (f"{name}={spelled_value(value)}" for name, value in self.params)
        return f"{self.factory.name}({', '.join(words)})"

    def needs(self) -> frozenset[Any]:
        """Return what the reserved arguments in the function's signature stand for."""
        return frozenset(self.factory.injected.values())


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


def comparable(value: Hashable, what: str, found: str) -> Hashable:
    """Return `value` if it has a hash; errors call it `found`.

    Raises
    ------
    DesignError
        If it has none.
    """
    try:
        hash(value)
    except TypeError:
        raise DesignError(f"{what}: {found} cannot be compared by value. Give a number, text, tuple or list.") from None
    return value
