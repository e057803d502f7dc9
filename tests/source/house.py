"""The package as files, imports and functions, read from its source: what the rules of the house are about."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mediation"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def package_of(module: str) -> str:
    """Return the package that a module is in; a package is in itself."""
    return module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(FILES[module].read_text("utf-8"))


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the modules of this package that a module imports: anywhere in it, and for type checkers alone too."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package_of(module).split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base for alias in node.names}
    return frozenset(found & FILES.keys()) - {module}


def circles() -> list[list[str]]:
    """Return the groups of modules that import each other, each sorted."""
    reach = {module: set(imports_of(module)) for module in FILES}
    for middle in FILES:
        for start in FILES:
            if middle in reach[start]:
                reach[start] |= reach[middle]
    tied = [sorted(other for other in reach[one] if one in reach[other]) for one in FILES if one in reach[one]]
    return [group for number, group in enumerate(tied) if group not in tied[:number]]


def private_imports() -> Iterator[tuple[str, str]]:
    """Give the packages of each import from a private module of another package: who imports, and from whom."""
    for module in FILES:
        inside = package_of(module)
        for other in imports_of(module):
            home, _, last = other.rpartition(".")
            if last.startswith("_") and home != "mediation" and home != inside and not inside.startswith(f"{home}."):
                yield inside.removeprefix("mediation."), home.removeprefix("mediation.")


def functions() -> Iterator[tuple[str, Function]]:
    """Give every function and method, named by module, class and itself."""

    def inner(name: str, node: ast.AST) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef):
                if isinstance(child, Function):
                    yield f"{name}.{child.name}", child
                yield from inner(f"{name}.{child.name}", child)
            else:
                yield from inner(name, child)

    for module in FILES:
        yield from inner(module.removeprefix("mediation."), tree_of(module))


def lines_of(function: Function) -> int:
    """Return the lines of a function that are not its docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    first = function.body[0]
    assert function.end_lineno is not None
    assert first.end_lineno is not None
    return function.end_lineno - function.lineno + 1 - documented * (first.end_lineno - first.lineno + 1)


def parameters_of(function: Function) -> int:
    """Return the number of parameters, without `self` and `cls`, and without ``*args`` and ``**kwargs``."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in given)
