"""Several outcomes in one result: each is a result of its own, and all stand in one table with a column `outcome`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

import pandas as pd

from .._checks import listed, one_of
from ..errors import DesignError, warn
from ._result import Result
from .account import plain, section

T = TypeVar("T")
OutcomeFamily = Literal["outcome", "all"]
OUTCOME: Literal["outcome"] = "outcome"
FAMILIES: tuple[OutcomeFamily, ...] = (OUTCOME, "all")
_APART = "by_outcome"  # what the accounts of the outcomes do not have in common


def names_in(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the outcomes of a frame of units, in the order in which they appear; none without a column `outcome`."""
    return tuple(map(str, dict.fromkeys(frame[OUTCOME]))) if OUTCOME in frame else ()


def names_of(result: Result) -> tuple[str, ...]:
    """Return the outcomes that a result has a table of each for; none where it is of one."""
    return names_in(result.table) if result.kind.by_outcome else ()


def rows_of_outcome(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one outcome, as if there were no other."""
    rows: pd.DataFrame = frame[frame[OUTCOME] == name].drop(columns=OUTCOME).reset_index(drop=True)
    return rows


def account_of(provenance: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the account of one outcome among several, as if it had been asked for alone."""
    whole = _merged(provenance, section(section(provenance, _APART), name))
    whole.pop(_APART, None)
    labels = provenance.get(OUTCOME)
    return {**whole, OUTCOME: labels.get(name, name) if isinstance(labels, Mapping) else name}


def chosen(result: Result, name: str) -> Result:
    """Return the result of one of several outcomes."""
    known = account_of(result.provenance, name)
    inference = dict(section(known, "inference"))
    if inference.pop("family", OUTCOME) == OUTCOME:
        known["inference"] = inference
    return Result(result.kind, rows_of_outcome(result.table, name), rows_of_outcome(result.units, name), known)


def outcome_named(result: Result, name: str, what: str) -> Result:
    """Return the result of the outcome that is asked for; DesignError if it is not there."""
    names = names_of(result)
    if not names:
        raise DesignError(
            f"{what}: outcome {name!r} was asked of a result of one outcome, or of kind {result.kind.name!r}, whose "
            "rows are chosen by its columns. Leave out outcome."
        )
    return chosen(result, one_of(name, names, what=f"{what}: outcome"))


def need_one_outcome(result: Result, what: str) -> None:
    """Raise DesignError if a result is of several outcomes."""
    names = names_of(result)
    if names:
        raise DesignError(
            f"{what} is asked of one outcome, and this result has {listed(names)}. Choose one: "
            f"effects.outcome({names[0]!r})."
        )


def each_outcome(result: Result, ask: Callable[[Result], Result]) -> Result:
    """Return what a question answers of each outcome by itself, in one result."""
    names = names_of(result)
    if not names:
        return ask(result)
    found = by_name(names, lambda name: ask(chosen(result, name)))
    return stacked(found, section(result.provenance, "inference").get("family", OUTCOME))


def by_name(names: Sequence[str], ask: Callable[[str], T]) -> dict[str, T]:
    """Return what is answered of each name; a warning that all of them give is given once, others say of which."""
    found: dict[str, T] = {}
    said: dict[tuple[type[Warning], str], list[str]] = {}
    for name in names:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found[name] = ask(name)
        for one in caught:
            said.setdefault((one.category, str(one.message)), []).append(name)
    for (category, text), who in said.items():
        warn(text if len(set(who)) == len(names) else f"outcome {listed(dict.fromkeys(who))}: {text}", category)
    return found


def stacked(parts: Mapping[str, Result], family: str = OUTCOME) -> Result:
    """Return one result of those of several outcomes, outcome after outcome; `chosen` is its inverse."""
    first = next(iter(parts.values()))
    accounts = {name: plain(part.provenance) for name, part in parts.items()}
    labels = {name: str(account.pop(OUTCOME, None) or name) for name, account in accounts.items()}
    common, apart = _split(accounts)
    common["inference"] = {**section(common, "inference"), "family": family}
    known = {**common, OUTCOME: labels, **({_APART: apart} if any(apart.values()) else {})}
    table, units = (
        pd.concat([_labelled(frame, name) for name, frame in frames.items()], ignore_index=True)
        for frames in (
            {name: part.table for name, part in parts.items()},
            {name: part.units for name, part in parts.items()},
        )
    )
    return replace(first, table=table, units=units, provenance=known)


def over_all_outcomes(provenance: Mapping[str, Any], inference: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account in which all outcomes have in common what `inference` says."""
    apart = {}
    for name, own in section(provenance, _APART).items():
        kept = {key: value for key, value in section(own, "inference").items() if key not in inference}
        apart[name] = {**own, "inference": kept}
    common = {**section(provenance, "inference"), **inference}
    return {**provenance, "inference": common, **({_APART: apart} if apart else {})}


def need_same_units(parts: Mapping[str, pd.DataFrame], what: str) -> None:
    """Raise DesignError unless the units of all outcomes are the same, with the same clusters and weights."""
    columns = ["unit", "cluster", "weight"]
    whose, first = next(iter((name, frame[columns].drop_duplicates("unit")) for name, frame in parts.items()))
    for name, frame in parts.items():
        if not frame[columns].drop_duplicates("unit").reset_index(drop=True).equals(first.reset_index(drop=True)):
            raise DesignError(
                f"{what} need the same units in each, and those of {whose!r} and {name!r} differ in ids, clusters or "
                "weights. Drop units that lack an outcome, or ask outcome by outcome: family='outcome'."
            )


def _labelled(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    found = frame.copy(deep=False)
    found.insert(0, OUTCOME, pd.Series(name, index=frame.index, dtype="str"))
    return found


def _split(accounts: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what several accounts have in common, section by section, and what each has of its own."""
    common: dict[str, Any] = {}
    apart: dict[str, dict[str, Any]] = {name: {} for name in accounts}
    for key in dict.fromkeys(key for account in accounts.values() for key in account):
        values = {name: account[key] for name, account in accounts.items() if key in account}
        first = next(iter(values.values()))
        if len(values) == len(accounts) and all(value == first for value in values.values()):
            common[key] = first
        elif len(values) == len(accounts) and all(isinstance(value, dict) for value in values.values()):
            common[key], own = _split(values)
            for name, rest in own.items():
                apart[name] |= {key: rest} if rest else {}
        else:
            for name, value in values.items():
                apart[name][key] = value
    return common, apart


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account from its two parts."""
    found = dict(common)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found
