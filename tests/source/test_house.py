"""A house that one can read: small folders, files and functions, imports in one direction, packages by their facades.

Where it is not so yet, `known` says it with the present size. A size that changes fails the test, with what to write:
larger is a mistake to mend, smaller is progress to keep.
"""

from __future__ import annotations

import importlib
from collections import Counter

import pytest

from mediation._front import shown_names
from tests.source import house, known

FOLDER_FILES, FILE_LINES, FUNCTION_LINES, PARAMETERS = 20, 350, 50, 7
# Packages whose exported functions, and the methods of whose exported classes, are what users call.
FOR_USERS = ("analysis", "datasets", "inference", "models", "plot", "probing", "results", "rollouts")


def _check(found: dict[str, int], allowed: dict[str, int], rule: str) -> None:
    wrong = {name: size for name, size in found.items() if size > allowed.get(name, 0)}
    assert not wrong, f"{rule}: {wrong}"
    stale = {name: found.get(name, 0) for name, size in allowed.items() if size > found.get(name, 0)}
    assert not stale, f"Better than tests/source/known.py says; write these numbers there (0: leave it out): {stale}"


def test_imports_make_no_circles() -> None:
    found = {group[0].removeprefix("mediation."): len(group) for group in house.circles()}
    _check(found, known.CIRCLES, "These files import each other in a circle (the first of each, and how many)")


def test_a_circle_is_found_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    into = {"mediation.a": {"mediation.b"}, "mediation.b": {"mediation.c"}, "mediation.c": {"mediation.a"}}
    monkeypatch.setattr(house, "FILES", dict.fromkeys([*into, "mediation.d"]))
    monkeypatch.setattr(house, "imports_of", lambda module: frozenset(into.get(module, {"mediation.a"})))
    assert house.circles() == [["mediation.a", "mediation.b", "mediation.c"]]


def test_folders_are_small() -> None:
    folders = Counter(path.parent for path in house.FILES.values())
    found = {str(folder.relative_to(house.ROOT)): n for folder, n in folders.items() if n > FOLDER_FILES}
    _check(found, known.FOLDERS, f"Folders with more than {FOLDER_FILES} files; make packages by concept")


def test_a_file_can_be_read_in_one_sitting() -> None:
    lines = {
        name.removeprefix("mediation."): len(path.read_text("utf-8").splitlines()) for name, path in house.FILES.items()
    }
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in house.FILES.items()}
    found = {name.removeprefix("mediation."): n for name, n in lines.items() if n > FILE_LINES}
    _check(found, known.FILES, f"Files of more than {FILE_LINES} lines; split them by concept")


def test_functions_are_short() -> None:
    found = {name: house.lines_of(one) for name, one in house.functions() if house.lines_of(one) > FUNCTION_LINES}
    _check(found, known.FUNCTIONS, f"Functions of more than {FUNCTION_LINES} lines without their docstring")


def _public_verbs() -> set[str]:
    """Return the functions that users call, as modules and names: exported, or methods of what is exported."""
    front = shown_names(house.PACKAGE / "__init__.pyi")
    values = [getattr(importlib.import_module(f"mediation.{home}"), name) for name, home in front.items() if home]
    for package in FOR_USERS:
        values += vars(importlib.import_module(f"mediation.{package}")).values()
    named = {f"{one.__module__}.{one.__qualname__}" for one in values if hasattr(one, "__qualname__")}
    return {name.removeprefix("mediation.") for name in named}


def test_functions_take_few_parameters() -> None:
    verbs = _public_verbs()
    found = {
        name: house.parameters_of(one)
        for name, one in house.functions()
        if house.parameters_of(one) > PARAMETERS and not {name, name.rpartition(".")[0]} & verbs
    }
    _check(found, known.PARAMETERS, f"Functions with more than {PARAMETERS} parameters that are no public verbs")


def test_packages_are_used_by_their_facades() -> None:
    found = Counter(f"{inside} -> {other}" for inside, other in house.private_imports())
    _check(dict(found), known.PRIVATE, "Imports from private modules of another package; take them from its __init__")
