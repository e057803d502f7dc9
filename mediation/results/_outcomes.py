"""Several outcomes in one result: each is a result of its own, and all stand in one table with a column `outcome`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

import pandas as pd

from .._checks import listed, one_of, shown
from ..errors import DesignError, warn
from ._result import Result
from .account import TOGETHER, plain, section
from .text import Summary, named_labels, summary_of_outcomes

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
    """Return the result of one of several outcomes, to ask something of it alone."""
    known = account_of(result.provenance, name)
    inference = {key: value for key, value in section(known, "inference").items() if key != "family"}
    known |= {"inference": inference} if inference else {}
    return Result(result.kind, rows_of_outcome(result.table, name), rows_of_outcome(result.units, name), known)


def told_alone(result: Result, name: str) -> Result:
    """Return the result of one of several outcomes; its account says where bands or p-values are of all outcomes."""
    found, names = chosen(result, name), names_of(result)
    known = dict(found.provenance)
    banded = section(result.provenance, "inference").get("family") == "all"
    if banded:
        known["inference"] = {**section(known, "inference"), "family": "all"}
    stated = section(known, "adjustment")
    if stated.get("family") in ("outcomes", "all") or (banded and not stated):
        known[TOGETHER] = list(names)
    return replace(found, provenance=known)


def summarised(result: Result, estimand: str | None, most: int) -> Summary:
    """Return the summary of a result, of several outcomes one below the other."""
    names, summary = names_of(result), partial(result.kind.summary, estimand=estimand, most=most)
    if not names:
        return summary(result.table, result.provenance)
    each = {name: told_alone(result, name) for name in names}
    labels = {name: str(one.provenance[OUTCOME]) for name, one in each.items()}
    parts = {name: summary(one.table, {**one.provenance, OUTCOME: ""}) for name, one in each.items()}
    return summary_of_outcomes(parts, labels, joint=any(TOGETHER in one.provenance for one in each.values()))


def outcome_named(result: Result, name: str, what: str) -> Result:
    """Return the result of the outcome that is asked for; DesignError if it is not there."""
    names = names_of(result)
    if not names:
        raise DesignError(
            f"{what}: outcome {shown(name)} was asked of a result of one outcome (of kind {result.kind.name!r}), whose "
            "rows its columns name. Leave out outcome."
        )
    return told_alone(result, one_of(name, names, what=f"{what}: outcome"))


def of_one_outcome(result: Result, what: str) -> Result:
    """Return the result; DesignError if it is of several outcomes."""
    names = names_of(result)
    if names:
        raise DesignError(
            f"{what} is asked of one outcome, and this result has {listed(names)}. Choose one: "
            f"effects.outcome({names[0]!r})."
        )
    return result


def each_outcome(result: Result, ask: Callable[[Result], Result]) -> Result:
    """Return what a question answers of each outcome by itself, in one result."""
    names = names_of(result)
    if not names:
        return ask(result)
    return stacked(by_name(names, lambda name: ask(chosen(result, name))))


def rows_by_outcome(result: Result, ask: Callable[[Result], pd.DataFrame]) -> pd.DataFrame:
    """Return the rows that a question answers, of several outcomes with a column `outcome`."""
    names = names_of(result)
    if not names:
        return ask(result)
    return _in_one(by_name(names, lambda name: ask(chosen(result, name))))


def each_of_both(first: Result, second: Result, ask: Callable[[Result, Result], Result], what: str) -> Result:
    """Return what a question about two results answers of each outcome that both are of."""
    names = common_names([first, second], what)
    if not names:
        return ask(first, second)
    return stacked(by_name(names, lambda name: ask(chosen(first, name), chosen(second, name))))


def common_names(results: Sequence[Result], what: str) -> tuple[str, ...]:
    """Return the outcomes that several results are of; DesignError where they are of different ones."""
    each = [names_of(result) for result in results]
    if any(set(names) != set(each[0]) for names in each):
        said = " and ".join(listed(names) if names else "one without a name" for names in dict.fromkeys(each))
        raise DesignError(
            f"{what} takes results of the same outcomes, found {said}. Choose one of each: effects.outcome(name)."
        )
    return each[0]


def together(result: Result) -> Result:
    """Return a result whose account says in one text what its outcomes are."""
    labels = result.provenance.get(OUTCOME)
    if not isinstance(labels, Mapping):
        return result
    return replace(result, provenance={**result.provenance, OUTCOME: named_labels(labels)})


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
    known = {**common, OUTCOME: labels, _APART: apart}
    table = _in_one({name: part.table for name, part in parts.items()})
    units = _in_one({name: part.units for name, part in parts.items()})
    return Result(first.kind, table, units, known)


def over_all_outcomes(provenance: Mapping[str, Any], inference: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account in which all outcomes have in common what `inference` says."""
    apart = {}
    for name, own in section(provenance, _APART).items():
        kept = {key: value for key, value in section(own, "inference").items() if key not in inference}
        apart[name] = {**own, "inference": kept}
    common = {**section(provenance, "inference"), **inference}
    return {**provenance, "inference": common, _APART: apart}


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


def _in_one(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found = []
    for name, frame in frames.items():
        labelled = frame.copy(deep=False)
        labelled.insert(0, OUTCOME, pd.Series(name, index=frame.index, dtype="str"))
        found.append(labelled)
    return pd.concat(found, ignore_index=True)


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
