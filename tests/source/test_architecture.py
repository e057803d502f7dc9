"""Rules about the source itself: sizes, classes, imports, docstrings."""

import ast
import enum
import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import mediation

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mediation"
FILES = sorted(PACKAGE.rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _module_names() -> list[str]:
    found = pkgutil.walk_packages([str(PACKAGE)], prefix="mediation.")
    return sorted(module.name for module in found if not module.name.endswith("__main__"))


MODULES = _module_names()


def _own(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Classes and functions that are defined in this module itself."""
    for name, value in vars(module).items():
        is_code = inspect.isclass(value) or inspect.isfunction(value)
        if is_code and value.__module__ == module.__name__ and value.__qualname__ == name:
            yield name, value


def test_there_is_something_to_check():
    assert len(FILES) > 20
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_wildcard_imports(path):
    tree = ast.parse(path.read_text("utf-8"))
    stars = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    assert not stars, f"{_name(path)}: import * in lines {stars}"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_annotations_are_not_evaluated_at_import(path):
    tree = ast.parse(path.read_text("utf-8"))
    has_code = any(isinstance(node, Function | ast.ClassDef) for node in ast.walk(tree))
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert futures or not has_code, f"{_name(path)} lacks 'from __future__ import annotations'"


def _may_be_subclassed_or_is_final(cls: type) -> bool:
    if getattr(cls, "__final__", False) or issubclass(cls, enum.Enum | BaseException):
        return True
    if getattr(cls, "_is_protocol", False) or typing.is_typeddict(cls):
        return True
    is_named_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return is_named_tuple or (cls.__name__.lstrip("_").startswith("Abstract") and inspect.isabstract(cls))


@pytest.mark.parametrize("name", MODULES)
def test_classes_are_abstract_or_final(name):
    module = importlib.import_module(name)
    wrong = [own for own, value in _own(module) if inspect.isclass(value) and not _may_be_subclassed_or_is_final(value)]
    assert not wrong, f"{name}: {wrong} are neither @final nor Abstract* with abstract methods."


def _public_members(cls: type) -> Iterator[tuple[str, object]]:
    for name, value in vars(cls).items():
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
            yield name, value


@pytest.mark.parametrize("name", MODULES)
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    bare = []
    for own, value in _own(module):
        if own.startswith("_"):
            continue
        if not inspect.getdoc(value):
            bare.append(own)
        if inspect.isclass(value):
            bare += [f"{own}.{member}" for member, it in _public_members(value) if not _documented(value, member, it)]
    assert not bare, f"{name}: no docstring on {bare}"


def _documented(cls: type, member: str, value: object) -> bool:
    """Whether a member has a docstring, its own or the one of the base class that it implements."""
    return bool(inspect.getdoc(value)) or any(inspect.getdoc(getattr(base, member, None)) for base in cls.__mro__[1:-1])


def test_import_is_light():
    code = "import sys, mediation; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "mediation" in loaded
    assert not loaded & {"nnsight", "matplotlib", "transformers", "sklearn", "statsmodels", "typer"}


def test_every_top_level_name_exists():
    missing = [name for name in dir(mediation) if getattr(mediation, name, None) is None]
    assert not missing


def test_imports_go_one_way():
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
