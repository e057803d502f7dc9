"""What code computes, apart from how it is written: comments, docstrings and layout are left out."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._values import Value

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_meaning(code: type | types.FunctionType) -> str:
    """Return what the source of a function or class computes; see `meaning`.

    Raises
    ------
    OSError, TypeError
        If there is no source. Text that was compiled under the name "<string>" counts as none: from Python 3.13 on,
        that of ``python -c`` has this name, and is found for all other text of the name as well.
    """
    compiled = getattr(code, "__code__", None)
    if compiled is not None and compiled.co_filename in ("<string>", "<stdin>"):
        raise OSError(f"no source is kept of {compiled.co_filename}")
    return meaning(inspect.getsource(code))


def meaning(source: str) -> str:
    """Return a text that is equal for code that differs in comments, docstrings and layout alone.

    It is the same under every version of Python that parses the code alike. Code that cannot be parsed by itself, such
    as part of an expression, is returned as it is.

    Examples
    --------
    >>> meaning("x = 1  # one") == meaning("x = (1)"), meaning("x = 1") == meaning("x = 2")
    (True, False)
    """
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError):
        return source
    return "".join(_walk(tree))


def _walk(node: ast.AST) -> Iterator[str]:
    yield type(node).__name__
    if isinstance(node, ast.Constant):
        yield repr(node.value)
        return
    body = getattr(node, "body", None)
    documented = isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or isinstance(value, ast.expr_context):
            continue  # fields that a later version of Python adds are empty
        yield f".{name}("
        some = value[1:] if documented and value is body and isinstance(value, list) else value
        for one in some if isinstance(some, list) else [some]:
            yield from _walk(one) if isinstance(one, ast.AST) else (repr(one),)
            yield ","
        yield ")"


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


def constants_of(function: Callable[..., Any]) -> Iterator[tuple[str, Hashable]]:
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
