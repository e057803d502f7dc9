"""Interventions of your own: ``@intervention`` on a function from Tensor to Tensor."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, final

import numpy as np
import torch
from torch import Tensor

from .._checks import suggestion
from .._values import Value
from ..errors import BackendError, DesignError
from ._abstract import AbstractIntervention
from ._broadcast import numbers, placed
from ._code import source_meaning
from ._function import bound_parameters, check_function
from ._needs import NOTHING, Donor, Given, Moment, Need, Noise, supplied
from ._spelling import spelled_value

_INJECTED: dict[str, Need] = {
    "noise": Noise(),
    "donor": Donor(),
    "mean": Moment("mean"),
    "std": Moment("std"),
}


@final
@dataclass(frozen=True, slots=True, repr=False)
class InterventionFactory:
    """A function that `intervention` was put on: call it with parameters to get an intervention.

    Equal if module, qualified name and source are equal.

    Parameters
    ----------
    function
        The function; its first argument is the activation.

    Raises
    ------
    DesignError
        If the function cannot be told from another by its name, source and parameters; the message says why.
    """

    function: Callable[..., Tensor] = field(compare=False)
    module: str = field(init=False)
    qualname: str = field(init=False)
    source: str = field(init=False)
    """Digest of the source without comments, docstrings and layout or, where there is none, of the compiled code."""

    def __post_init__(self) -> None:
        function: object = self.function
        check_function(function, "@intervention", "hidden", "activation", _INJECTED)
        assert isinstance(function, types.FunctionType)
        object.__setattr__(self, "module", function.__module__)
        object.__setattr__(self, "qualname", function.__qualname__)
        object.__setattr__(self, "source", source_digest(function))

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def injected(self) -> dict[str, Need]:
        """Arguments that the run fills in, and what each is."""
        names = list(inspect.signature(self.function).parameters)[1:]
        return {name: _INJECTED[name] for name in names if name in _INJECTED}

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Arguments that the user fills in."""
        items = list(inspect.signature(self.function).parameters.items())[1:]
        return {name: item for name, item in items if name not in _INJECTED}

    def __call__(self, *positional: object, **params: object) -> Custom:
        """Return the intervention with these parameters; those left out have their defaults.

        Parameters
        ----------
        positional
            Refused: parameters are given by name.
        params
            Parameters of the function, each hashable, or a list, array or tensor.

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
                f"Write {example}; that intervention is then called on an activation: {example}(hidden)."
            )
        for name in params:
            if name not in wanted:
                raise DesignError(self._unknown(name, list(wanted)))
        return Custom(self, bound_parameters(self.name, wanted, params, _stored))

    def at(self, site: object) -> NoReturn:
        """Refuse: what is placed at a site is an intervention, made by a call.

        Raises
        ------
        DesignError
            Always; the message says how to write it.
        """
        raise DesignError(f"{self.name}.at(...): {self.name} makes interventions. Call it: {self.name}().at({site!r}).")

    def _unknown(self, name: str, wanted: list[str]) -> str:
        if name in self.injected:
            return f"{self.name}: {name!r} is filled in by the run, from {self.injected[name]!r}. Leave it out."
        hint = suggestion(name, wanted) if wanted else "It has none."
        return f"{self.name} has no parameter {name!r}. {hint}"

    def __repr__(self) -> str:
        words = [str(item.replace(annotation=inspect.Parameter.empty)) for item in self.parameters.values()]
        return f"<intervention {self.name}({', '.join(words)})>"


@final
@dataclass(frozen=True, slots=True)
class Custom(AbstractIntervention):
    """A user's function with its parameters; made by calling what ``@intervention`` returns.

    Compared by the function's module, qualified name and source, by the parameters, and by the plain constants that
    the function reads from its module. What other functions it calls is not compared.

    Parameters
    ----------
    factory
        What ``@intervention`` returned.
    params
        Name and value of every parameter.
    """

    factory: InterventionFactory
    params: tuple[tuple[str, Hashable], ...]
    constants: tuple[tuple[str, Hashable], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", tuple(sorted(constants_of(self.factory.function))))

    def __repr__(self) -> str:
        words = [f"{name}={spelled_value(value)}" for name, value in self.params]
        return f"{self.factory.name}({', '.join(words)})"

    def needs(self) -> frozenset[Need]:
        """Return what the reserved arguments in the function's signature stand for."""
        return frozenset(self.factory.injected.values())

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the function's result, in the dtype of `hidden`.

        Raises
        ------
        BackendError
            If the result is not a tensor of the shape of `hidden`.
        """
        arguments: dict[str, Any] = {name: _passed(value, hidden) for name, value in self.params}
        for name, need in self.factory.injected.items():
            arguments[name] = supplied(need, hidden, given, by=self).to(hidden.dtype)
        result: object = self.factory.function(hidden, **arguments)
        where = f"{self!r} (function {self.factory.qualname} in {self.factory.module})"
        if not isinstance(result, Tensor):
            raise BackendError(
                f"{where} returned {type(result).__name__}; a tensor of the activation's shape is needed."
            )
        if result.shape != hidden.shape:
            raise BackendError(
                f"{where} returned shape {tuple(result.shape)} for an activation of shape {tuple(hidden.shape)}; "
                "the shape must stay."
            )
        return placed(result, hidden)


def intervention(function: Callable[..., Tensor]) -> InterventionFactory:
    """Make interventions of a pure function Tensor -> Tensor.

    Parameters
    ----------
    function
        Takes the activation first, (rows, positions, features) or (rows, ...), then parameters. Keyword-only arguments
        of these names are filled in by the run: ``noise`` (standard normal draws), ``donor`` (the unit's own
        activation in the other run), ``mean`` and ``std`` (moments of the site). It returns a tensor of the same
        shape, changes none of its arguments, draws no random numbers, and treats every row alone: see ``check_laws``.

    Returns
    -------
    InterventionFactory
        Called with parameters by name, it gives the intervention.

    Raises
    ------
    DesignError
        If `function` has no name, takes ``*args`` or ``**kwargs``, or reads a variable of an enclosing function.

    Examples
    --------
    >>> @intervention
    ... def clip(hidden, limit=3.0):
    ...     return hidden.clamp(-limit, limit)
    >>> clip(limit=2.0)
    clip(limit=2.0)
    >>> clip(limit=2.0)(torch.tensor([[5.0, -1.0]]))
    tensor([[ 2., -1.]])

    >>> @intervention
    ... def halfway(hidden, *, donor):
    ...     return (hidden + donor) / 2
    >>> halfway().needs()
    frozenset({Donor(run='other', unit='own', column=None, index=None)})
    """
    return InterventionFactory(function)


def source_digest(function: types.FunctionType) -> str:
    """Return a digest of what the source of a function computes; of its compiled code where there is no source."""
    try:
        text = source_meaning(function)
    except (OSError, TypeError):
        text = _code_text(function.__code__)
    return hashlib.sha256(text.encode()).hexdigest()


def _code_text(code: types.CodeType) -> str:
    """Return compiled code as text without addresses, file names or line numbers."""
    constants = [_code_text(item) if isinstance(item, types.CodeType) else repr(item) for item in code.co_consts]
    return f"{code.co_code.hex()}|{code.co_names}|{code.co_varnames}|{constants}"


def constants_of(function: Callable[..., Tensor]) -> Iterator[tuple[str, Hashable]]:
    """Give the plain numbers, strings and tensors that the function reads from its module."""
    module: dict[str, object] = function.__globals__
    for name in _names(function.__code__) & module.keys():
        value = module[name]
        if isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
            yield name, repr(value)
        elif isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
            yield name, Value(torch.nan_to_num(torch.as_tensor(value))).digest


def _names(code: types.CodeType) -> set[str]:
    inner = (_names(item) for item in code.co_consts if isinstance(item, types.CodeType))
    return set(code.co_names).union(*inner)


def _stored(value: object, what: str) -> Hashable:
    if isinstance(value, (list, Tensor, np.ndarray)):
        stored = Value(value)
        return numbers(value, what=what) if stored.data.is_floating_point() else stored
    try:
        hash(value)
    except TypeError:
        kind = type(value).__name__
        raise DesignError(
            f"{what}: a {kind} cannot be compared by value. Give a number, text, tuple or list."
        ) from None
    return value


def _passed(value: object, hidden: Tensor) -> object:
    if not isinstance(value, Value):
        return value
    return value.like(hidden) if value.data.is_floating_point() else torch.as_tensor(value.data, device=hidden.device)
