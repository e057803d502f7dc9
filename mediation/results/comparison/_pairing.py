"""Whether two results are of the same units, told by the ids of the units, wherever their rows stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._checks import listed
from ...errors import DataError, DesignError
from ...estimate import SECOND
from ..account import section

_NAMED = 3
_CLOSE = 1e-9  # weights that differ by less, relative to their size, are the same


def are_paired(
    units: tuple[pd.DataFrame, pd.DataFrame],
    provenance: tuple[Mapping[str, Any], Mapping[str, Any]],
    labels: tuple[str, str],
    asked: bool | None,
    *,
    what: str = "compare",
) -> tuple[bool, dict[str, Any]]:
    """Return whether units are subtracted one by one, and what provenance says of why; `what` asks.

    Raises
    ------
    DataError
        If paired units are asked for and differ; or, with nothing asked, if some ids are in both results and others in
        one alone: then the results are neither of the same units nor independent.
    DesignError
        If units are alike by their numbers only, and the inputs that they were run on differ.
    """
    differ = disagreement(*units, labels)
    shared = _shared(*units)
    account: dict[str, Any] = {"decided": "by the units" if asked is None else "asked", "differ": differ}
    if asked and differ:
        raise DataError(f"{what}: paired units are needed, and {differ}. {_instead(shared)}")
    given = [section(one, "pairs").get("ids") == "given" for one in provenance]
    if asked is None:
        if not differ:
            _check_inputs(provenance, labels, what)
        elif any(given):
            _check_apart(units, labels, differ, (shared, given), what)
    if asked is False and all(given) and shared:
        account["shared_units"] = len(shared)
    return (not differ if asked is None else asked), account


def disagreement(first: pd.DataFrame, second: pd.DataFrame, labels: tuple[str, str]) -> str:
    """Return in what the units of two results differ, in words; nothing when they are the same units.

    The same units have the same ids, clusters and weights in both; the order of rows says nothing.

    Examples
    --------
    >>> one = pd.DataFrame({"unit": ["p1", "p2"], "cluster": ["a", "b"], "weight": 1.0})
    >>> disagreement(one, one[::-1], ("x", "y"))
    ''
    >>> disagreement(one, one.assign(cluster=["a", "a"]), ("x", "y"))
    "the cluster of unit 'p2' is 'b' in 'x' and 'a' in 'y'"
    >>> disagreement(one, one.assign(unit=["p1", "p3"]), ("x", "y")).split(";")[0]
    "unit 'p2' is in 'x' and not in 'y' (1 such unit"
    """
    kinds = [SECOND in units for units in (first, second)]
    if kinds[0] != kinds[1]:
        two_kinds, one_kind = labels if kinds[0] else labels[::-1]
        return f"units belong to clusters of two kinds in {two_kinds!r} and of one in {one_kind!r}"
    one, two = (_by_id(units) for units in (first, second))
    if kinds[0] and _swapped(one, two):
        return disagreement(first, second.rename(columns={"cluster": SECOND, SECOND: "cluster"}), labels)
    alone = [
        _alone(here, there, label, other)
        for here, there, label, other in ((one, two, *labels), (two, one, *labels[::-1]))
    ]
    if any(alone):
        return "; ".join(text for text in alone if text)
    for unit, (cluster, weight) in one.items():
        other_cluster, other_weight = two[unit]
        if cluster != other_cluster:
            return (
                f"the cluster of unit {unit!r} is {cluster!r} in {labels[0]!r} and {other_cluster!r} in {labels[1]!r}"
            )
        if not np.isclose(weight, other_weight, rtol=_CLOSE, atol=0):
            return f"the weight of unit {unit!r} is {weight!r} in {labels[0]!r} and {other_weight!r} in {labels[1]!r}"
    return ""


def _by_id(units: pd.DataFrame) -> dict[Any, tuple[Any, Any]]:
    """Return cluster and weight of each unit by its id."""
    once = units.drop_duplicates("unit")
    clusters: list[Any] = once["cluster"].tolist()
    if SECOND in once:
        clusters = list(zip(clusters, once[SECOND].tolist(), strict=True))
    return dict(zip(once["unit"].tolist(), zip(clusters, once["weight"].tolist(), strict=True), strict=True))


def _swapped(one: Mapping[Any, Any], two: Mapping[Any, Any]) -> bool:
    """Return whether two results name the two kinds of clusters in other orders."""
    pairs = [(clusters, two[unit][0]) for unit, (clusters, _) in one.items() if unit in two]
    return any(a != b for a, b in pairs) and all(a == b[::-1] for a, b in pairs)


def _shared(first: pd.DataFrame, second: pd.DataFrame) -> list[Any]:
    there = set(second["unit"].tolist())
    return [unit for unit in first["unit"].drop_duplicates().tolist() if unit in there]


def _alone(here: Mapping[Any, Any], there: Mapping[Any, Any], label: str, other: str) -> str:
    alone = [unit for unit in here if unit not in there]
    if not alone:
        return ""
    more = f" ({len(alone)} such unit{'s' if len(alone) > 1 else ''}; {len(here)} and {len(there)} in all)"
    return f"{_units(alone)} in {label!r} and not in {other!r}{more}"


def _units(some: Sequence[Any]) -> str:
    if len(some) == 1:
        return f"unit {some[0]!r} is"
    return f"units {listed(some, most=_NAMED)} are"


def _instead(shared: Sequence[Any]) -> str:
    if not shared:
        return "Run both on the same units, or give paired=False for two independent groups of units."
    return (
        f"Give both the same units, say the {len(shared)} that both have, with the same clusters and weights. "
        "paired=False takes them as independent, which holds only if equal ids are of different units."
    )


def _check_apart(
    units: tuple[pd.DataFrame, pd.DataFrame],
    labels: tuple[str, str],
    differ: str,
    ids: tuple[Sequence[Any], Sequence[bool]],
    what: str,
) -> None:
    """Refuse to take as independent what has ids in common, or ids that cannot be told from each other."""
    shared, given = ids
    if shared:
        raise DataError(
            f"{what}: {len(shared)} units are in both results, such as {shared[0]!r}, and {differ}. So they are "
            f"neither the same units nor two independent groups. {_instead(shared)}"
        )
    first, second = ({str(unit): unit for unit in frame["unit"].tolist()} for frame in units)
    alike = [text for text in first if text in second]
    if alike:
        one, two = first[alike[0]], second[alike[0]]
        raise DataError(
            f"{what}: unit {one!r} of {labels[0]!r} is of type {type(one).__name__} and unit {two!r} of {labels[1]!r} "
            f"of type {type(two).__name__}, so ids do not match. Give both the same type of ids, such as text."
        )
    if given[0] != given[1]:
        with_ids, without = labels if given[0] else labels[::-1]
        raise DataError(
            f"{what}: {with_ids!r} has ids of its units, and {without!r} has numbers of rows alone, so units cannot "
            "be matched. Give it a column 'unit', or paired=False for two independent groups of units."
        )


def _check_inputs(provenance: tuple[Mapping[str, Any], Mapping[str, Any]], labels: tuple[str, str], what: str) -> None:
    """Refuse to take units of one number for one unit when what they were run on is known to differ."""
    one, two = (section(known, "pairs").get("inputs") for known in provenance)
    if one and two and one != two:
        raise DesignError(
            f"{what}: {labels[0]!r} and {labels[1]!r} have as many units, numbered alike, and were run on different "
            "inputs. Give paired=True if unit i is the same in both (such as two corruptions of one prompt), or "
            "paired=False for two independent groups of units."
        )
