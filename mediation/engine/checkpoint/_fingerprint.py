"""Digests of values: what tells one model, outcome or intervention from another, whatever process made it."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..._checks import called
from ...errors import DesignError
from ...interventions import Assignment, source_meaning
from ...models import Model, parts_of, tensors_of
from ...units import Prompt

_LIBRARIES = {*sys.stdlib_module_names, "mediation", "torch", "numpy", "pandas", "scipy", "transformers", "nnsight"}
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)


def fingerprint(value: object, what: str) -> str:
    """Return 32 characters that are equal for equal values, in this process and in any other (sha256).

    Dataclasses count by the fields that they are compared by; functions by their source (without comments, docstrings
    and layout), what they enclose, and the plain values and functions of their own module that they read; objects of
    your own classes by the source of these, too; tensors by type, shape and bytes.

    Parameters
    ----------
    value
        What to digest.
    what
        How errors call it.

    Raises
    ------
    DesignError
        If it holds something that has no value, such as an open file.

    Examples
    --------
    >>> fingerprint([1, "a"], "x") == fingerprint([1, "a"], "x"), fingerprint([1], "x") == fingerprint([2], "x")
    (True, False)
    """
    digest = _Digest(what)
    digest.feed(value)
    return digest.state.hexdigest()[:32]


def weights_digest(module: nn.Module) -> str:
    """Return a digest of every byte of every parameter and buffer (sha256).

    Of parameters that `accelerate` has offloaded, names, shapes and types only.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> before = weights_digest(layer)
    >>> with torch.no_grad():
    ...     _ = layer.weight[1, 1].add_(1)
    >>> weights_digest(layer) == before
    False
    """
    state = hashlib.sha256()
    for name, value in sorted(tensors_of(module), key=lambda entry: entry[0]):
        state.update(f"|{name}|".encode())
        for part in parts_of(value):
            _add_tensor(state, part)
    return state.hexdigest()[:32]


def structure_digest(module: nn.Module) -> str:
    """Return a digest of the module tree as it prints, and of the source of classes that are no library's.

    Examples
    --------
    >>> structure_digest(nn.Sequential(nn.ReLU())) == structure_digest(nn.Sequential(nn.Tanh()))
    False
    """
    state = hashlib.sha256(repr(module).encode())
    kinds = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in map(type, module.modules())}
    for name, kind in sorted(kinds.items()):
        state.update(f"|{name}|{''.join(map(_source, kind.__mro__))}".encode())
    return state.hexdigest()[:32]


def _add_tensor(state: hashlib._Hash, tensor: Tensor) -> None:
    """Add type, shape and bytes of a tensor, without a copy of what is on the CPU."""
    state.update(f"{tensor.dtype}|{tuple(tensor.shape)}|".encode())
    if tensor.device.type != "meta" and tensor.numel():
        state.update(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _is_library(module: str) -> bool:
    return module.split(".")[0] in _LIBRARIES


def _source(code: type | types.FunctionType) -> str:
    """Return the source of a user's class or function; nothing for a library's, whose version says it."""
    if _is_library(code.__module__):
        return ""
    try:
        found = source_meaning(code)
    except (OSError, TypeError):
        found = ""
    # Several lambdas may stand in one line.
    bare = not found or code.__name__ == "<lambda>"
    return found + _compiled(code.__code__) if bare and isinstance(code, types.FunctionType) else found


def _compiled(code: types.CodeType) -> str:
    """Return compiled code as text without addresses, file names or line numbers."""
    constants = [_compiled(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()}|{code.co_names}|{code.co_varnames}|{constants}"


def _global_names(code: types.CodeType) -> set[str]:
    inner = (_global_names(one) for one in code.co_consts if isinstance(one, types.CodeType))
    return set(code.co_names).union(*inner)


def _read_globals(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Give what a function reads of its own module: values and functions that are made there."""
    module: dict[str, object] = function.__globals__
    for name in sorted(_global_names(function.__code__) & module.keys()):
        value = module[name]
        if isinstance(value, types.ModuleType):
            continue
        if isinstance(value, types.FunctionType) and value.__module__ != function.__module__:
            continue
        if isinstance(value, (*_PLAIN, *_KNOWN)) or dataclasses.is_dataclass(value):
            yield name, value


@final
class _Digest:
    """A running digest; what is entered already is told by its number, so that cycles end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.state = hashlib.sha256()
        self._inside: dict[int, int] = {}

    def feed(self, value: object) -> None:
        """Add a value."""
        self.state.update(f"<{type(value).__module__}.{type(value).__qualname__}>".encode())
        if isinstance(value, _PLAIN):
            self.state.update(repr(value).encode())
            return
        if id(value) in self._inside:
            self.state.update(f"cycle {self._inside[id(value)]}".encode())
            return
        self._inside[id(value)] = len(self._inside)
        try:
            self._enter(value)
        finally:
            del self._inside[id(value)]
        self.state.update(b";")

    def _enter(self, value: object) -> None:
        for kinds, feed in _FEEDS:
            if isinstance(value, kinds):
                feed(self, value)
                return
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._class(type(value))
            for field in dataclasses.fields(value):
                if field.compare:
                    self._named(field.name, getattr(value, field.name))
            return
        if callable(getattr(value, "get_vocab", None)):
            self._mapping(value.get_vocab())  # type: ignore[attr-defined]
            return
        if hasattr(value, "__dict__") and not callable(getattr(value, "fileno", None)):
            self._class(type(value))
            self._mapping(vars(value))
            return
        raise DesignError(
            f"out=...: {self.what} reads {called(value)}, which cannot be told from another one when the run is "
            "continued. Give it numbers, texts, tensors or dataclasses of them; or leave out= away."
        )

    def _named(self, name: object, value: object) -> None:
        self.state.update(f"|{name}=".encode())
        self.feed(value)

    def _mapping(self, value: Mapping[Any, object]) -> None:
        for name in sorted(value, key=repr):
            self._named(repr(name), value[name])

    def _sequence(self, value: Any) -> None:
        self.state.update(f"{len(value)}|".encode())
        for one in value:
            self.feed(one)

    def _set(self, value: Any) -> None:
        self._sequence(sorted(fingerprint(one, self.what) for one in value))

    def _array(self, value: Any) -> None:
        if value.dtype == object:
            self._sequence(value.tolist())
        else:
            self.state.update(f"{value.dtype}|{value.shape}|".encode() + np.ascontiguousarray(value).tobytes())

    def _frame(self, value: pd.DataFrame) -> None:
        for name in value.columns:
            self._named(name, value[name])

    def _function(self, value: types.FunctionType) -> None:
        self.state.update(f"{value.__module__}.{value.__qualname__}|{_source(value)}".encode())
        self.feed(value.__defaults__)
        self.feed(value.__kwdefaults__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            self._named(name, cell.cell_contents)
        if not _is_library(value.__module__):
            for name, one in _read_globals(value):
                self._named(name, one)

    def _method(self, value: types.MethodType) -> None:
        self.feed(value.__func__)
        self.feed(value.__self__)

    def _partial(self, value: functools.partial[Any]) -> None:
        self.feed(value.func)
        self._sequence(value.args)
        self._mapping(value.keywords)

    def _type(self, value: type) -> None:
        self.state.update(f"{value.__module__}.{value.__qualname__}|".encode())
        self._class(value)

    def _class(self, kind: type) -> None:
        """Add the code of a user's class, of the user's classes that it is made from, and what their methods read."""
        for one in kind.__mro__:
            self.state.update(_source(one).encode())
            for method in () if _is_library(one.__module__) else vars(one).values():
                if isinstance(method, types.FunctionType):
                    for name, value in _read_globals(method):
                        self._named(name, value)

    def _module(self, value: nn.Module) -> None:
        self.state.update(f"{structure_digest(value)}|{weights_digest(value)}".encode())


_FEEDS: tuple[tuple[Any, Callable[[_Digest, Any], None]], ...] = (
    (Tensor, lambda digest, value: _add_tensor(digest.state, value)),
    (Prompt, lambda digest, value: digest.state.update(value.digest())),
    (Model, lambda digest, value: digest.feed(value.module)),
    (Assignment, lambda digest, value: digest._set(value.entries)),
    (enum.Enum, lambda digest, value: digest.state.update(value.name.encode())),
    (np.generic, lambda digest, value: digest.feed(value.item())),
    (np.ndarray, _Digest._array),
    (pd.DataFrame, _Digest._frame),
    ((pd.Series, pd.Index), lambda digest, value: digest._sequence(value.tolist())),
    (Mapping, _Digest._mapping),
    ((list, tuple), _Digest._sequence),
    ((set, frozenset), _Digest._set),
    (types.FunctionType, _Digest._function),
    (types.MethodType, _Digest._method),
    (functools.partial, _Digest._partial),
    ((types.BuiltinFunctionType, types.ModuleType), lambda digest, value: digest._named(value.__name__, None)),
    (type, _Digest._type),
    (nn.Module, _Digest._module),
)
_KNOWN = tuple(
    kind for kinds, _ in _FEEDS for kind in (kinds if isinstance(kinds, tuple) else (kinds,)) if kind is not type
)
