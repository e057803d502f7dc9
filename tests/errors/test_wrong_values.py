"""The whole public API is given wrong values, argument by argument; only errors of the package may come out."""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import random
import resource
import signal
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

import mediation as med
from mediation import MediationError
from mediation.results import Regression, Summary
from tests.errors.bench import Bench
from tests.errors.odd import builders, numbers, results, runs
from tests.errors.odd.recipe import POSITIONAL, Recipe
from tests.errors.odd.values import VALUES

PACKAGE = str(Path(med.__file__).parent)
GROUPS = {
    "builders": builders.recipes,
    "numbers": numbers.recipes,
    "results": results.recipes,
    "runs": runs.recipes,
}
SECONDS, MEMORY, SAMPLE = 60, 16 * 2**30, 400
pytestmark = pytest.mark.filterwarnings("ignore")
NAMESPACES = {
    "": med,
    "probing.": med.probing,
    "plot.": med.plot,
    "datasets.": med.datasets,
    "testing.": med.testing,
    "inference.": med.inference,
}
# What the engine calls with things that it made, and what hands out results that nobody makes by hand.
NOT_CALLED_BY_USERS = {
    "prepare", "expand", "warpers", "digest", "forward", "mediators_of", "outcome_of", "__call__",
    "Model", "takes", "blocks", "current", "answered_after",
    "Power", "Trajectory", "Progress",
    "probing.Probe", "probing.Probes", "probing.Retrieval", "probing.Similarity",
    "inference.Coefficients", "inference.Equivalence", "inference.HierarchicalTests", "inference.Homogeneity",
    "inference.Intervals", "inference.TestResult",
    "testing.AbstractClosedForm",
}  # fmt: skip


class Late(BaseException):
    """A call that did not return in time; no `except Exception` catches it."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("odd"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files that a call writes land in a folder of the test; sizes without end are errors of memory, not swapping."""
    monkeypatch.chdir(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))
    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def late(*_: Any) -> None:
    raise Late(f"no answer in {SECONDS} seconds")


def leak(recipe: Recipe, bench: Bench, changed: dict[str, Any]) -> str:
    """Return what a call raises that is no error of the package; empty if nothing."""
    try:
        signal.alarm(SECONDS)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            recipe.call(bench, changed)
    except MediationError:
        return ""
    except (Exception, Late) as error:
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(PACKAGE)]
        where = f"{ours[-1].filename.removeprefix(PACKAGE)}:{ours[-1].lineno}" if ours else "outside"
        return f"{type(error).__name__} at {where}: {str(error)[:200]}"
    finally:
        signal.alarm(0)
        plt.close("all")
    return ""


def every_call(recipes: list[Recipe], bench: Bench) -> Iterator[tuple[str, Recipe, Any, str]]:
    """Yield every argument of every recipe with every wrong value."""
    for recipe in recipes:
        for (place, change), value in itertools.product(recipe.places(bench), VALUES):
            yield f"{recipe.name}({place}={value})", recipe, change, value


def public_callables() -> Iterator[tuple[str, Any]]:
    """Yield the public functions, classes and methods that take arguments, by their names."""
    for prefix, space in NAMESPACES.items():
        names = space.__all__ if prefix == "" else [name for name in vars(space) if not name.startswith("_")]
        for name in names:
            value = getattr(space, name)
            if isinstance(value, types.ModuleType) or not callable(value):
                continue
            if isinstance(value, type) and issubclass(value, BaseException):
                continue
            if not str(getattr(value, "__module__", "")).startswith("mediation") or isinstance(value, med.LatentSpec):
                continue
            yield f"{prefix}{name}", value
            if isinstance(value, type):
                yield from methods(prefix, value)
    for cls in (Regression, Summary):
        yield from methods("", cls)


def methods(prefix: str, cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class and of its bases in this package."""
    for base in cls.__mro__:
        if not base.__module__.startswith("mediation"):
            continue
        for name, value in vars(base).items():
            bound = value.__func__ if isinstance(value, classmethod) else value
            if not name.startswith("_") and inspect.isfunction(bound):
                yield f"{prefix if base is cls else ''}{base.__name__}.{name}", bound


def parameters(value: Any) -> set[str]:
    """Return the names of a callable's own parameters."""
    return {
        POSITIONAL if one.kind is one.VAR_POSITIONAL else one.name
        for one in inspect.signature(value).parameters.values()
        if one.kind is not one.VAR_KEYWORD and one.name not in ("self", "cls")
    }


def test_every_public_callable_has_a_recipe_for_each_of_its_parameters(bench):
    covered: dict[str, set[str]] = {}
    for recipes in GROUPS.values():
        for recipe in recipes():
            covered.setdefault(recipe.name, set()).update(recipe.arguments(bench))
    lacking = {}
    for name, value in public_callables():
        if {name, name.split(".")[-1]} & NOT_CALLED_BY_USERS:
            continue
        missing = parameters(value) - covered.get(name.removeprefix("testing."), covered.get(name, set()))
        if missing:
            lacking[name] = sorted(missing)
    assert not lacking, f"{lacking}"


@pytest.mark.parametrize("group", GROUPS)
def test_the_recipes_are_right(group, bench):
    wrong = {recipe.name: found for recipe in GROUPS[group]() if (found := failure(recipe, bench))}
    assert not wrong


def failure(recipe: Recipe, bench: Bench) -> str:
    """Return how the call that should be right fails; empty if it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recipe.call(bench)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("group", GROUPS)
def test_a_sample_of_wrong_values(group, bench):
    calls = random.Random(0).sample(list(every_call(GROUPS[group](), bench)), SAMPLE // len(GROUPS))
    leaks = {name: found for name, recipe, change, v in calls if (found := leak(recipe, bench, change(VALUES[v]())))}
    assert not leaks


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_wrong_value_in_every_argument(group, bench):
    leaks = {}
    for name, recipe, change, value in every_call(GROUPS[group](), bench):
        if found := leak(recipe, bench, change(VALUES[value]())):
            leaks[name] = found
    assert not leaks


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_wrong_values_in_two_arguments(group, bench):
    chance, leaks = random.Random(1), {}
    several = [recipe for recipe in GROUPS[group]() if len(list(recipe.places(bench))) > 1]
    for _ in range(1000):
        recipe = chance.choice(several)
        changes = chance.sample(list(recipe.places(bench)), 2)
        values = chance.sample(sorted(VALUES), 2)
        changed: dict[str, Any] = {}
        for (_, change), value in zip(changes, values, strict=True):
            changed |= change(VALUES[value]())
        if found := leak(recipe, bench, changed):
            leaks[f"{recipe.name}({[place for place, _ in changes]} = {values})"] = found
    assert not leaks


def test_a_misspelt_argument_is_an_error_of_python_or_of_the_package(bench):
    for recipe in itertools.chain.from_iterable(recipes() for recipes in GROUPS.values()):
        with pytest.raises((TypeError, MediationError)):
            recipe.target(bench)(*recipe.arguments(bench).get(POSITIONAL, ()), argument_that_there_is_not=1)
