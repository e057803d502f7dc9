"""Which site or arm of one result is compared with which of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..._checks import suggestion
from ...errors import DesignError
from ...estimate import Match

_ARMS = ("site", "arm", "dose")


def matched(first: pd.DataFrame, second: pd.DataFrame, labels: tuple[str, str], *, ablation: bool) -> Match:
    """Return the pairs of groups that are compared, in the order of the first table.

    One site is compared with one site, whichever they are. Several are matched by name, arms by name and dose, and at
    one site each by these alone.

    Raises
    ------
    DesignError
        If a site or an arm is in one result and not in the other; the first is named.
    """
    if ablation:
        return _arms(first, second, labels)
    one, two = (list(dict.fromkeys(map(str, table["site"]))) for table in (first, second))
    if len(one) == len(two) == 1:
        name = one[0] if one == two or not two[0] else f"{one[0]} - {two[0]}" if one[0] else two[0]
        names = pd.DataFrame({"site": [name], "arm": "", "dose": np.nan})
        return Match([(one[0],)], [(two[0],)], names)
    for here, there, label, other in ((one, two, *labels), (two, one, *labels[::-1])):
        alone = [site for site in here if site not in set(there)]
        if alone:
            hint = f" {suggestion(alone[0], there)}" if len(there) > 1 else ""
            raise DesignError(
                f"compare: the site {alone[0]!r} is in {label!r} ({_count(here)}) and not in {other!r} "
                f"({_count(there)}).{hint} Sweep the same sites in both, or compare one mediator with one."
            )
    groups: list[tuple[Any, ...]] = [(site,) for site in one]
    return Match(groups, groups, pd.DataFrame({"site": one, "arm": "", "dose": np.nan}))


def _count(sites: list[str]) -> str:
    return f"{len(sites)} sites" if len(sites) > 1 else "one site"


def _arms(first: pd.DataFrame, second: pd.DataFrame, labels: tuple[str, str]) -> Match:
    one, two = (_rows(table) for table in (first, second))
    by_site = {site for site, _, _ in one} == {site for site, _, _ in two}
    keys = [{_key(row, by_site=by_site): row for row in rows} for rows in (one, two)]
    for rows, label in ((one, labels[0]), (two, labels[1])):
        twice = {_key(row, by_site=by_site) for row in rows}
        if len(twice) < len(rows):
            raise DesignError(
                f"compare: {label!r} has one arm at several sites, and the sites of the two results differ, so arms "
                "cannot be matched by name and dose. Ablate the same sites in both."
            )
    for here, there, label, other in ((keys[0], keys[1], *labels), (keys[1], keys[0], *labels[::-1])):
        alone = [key for key in here if key not in there]
        if alone:
            raise DesignError(
                f"compare: {_called(alone[0])} is in {label!r} and not in {other!r}. "
                f"{suggestion(_called(alone[0]), [_called(key) for key in there])} Give both the same arms and doses, "
                "by name: {'zero': med.Zero().at(site)}."
            )
    names = []
    for key, row in keys[0].items():
        site, other = row[0], keys[1][key][0]
        names.append((site if site == other else f"{site} - {other}", row[1], np.nan if row[2] is None else row[2]))
    return Match(one, [keys[1][key] for key in keys[0]], pd.DataFrame(names, columns=list(_ARMS)))


def _rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return site, arm and dose of each row; None for no dose."""
    rows = table[list(_ARMS)].itertuples(index=False, name=None)
    return [(str(site), str(arm), None if np.isnan(dose) else float(dose)) for site, arm, dose in rows]


def _key(row: tuple[Any, ...], *, by_site: bool) -> tuple[Any, ...]:
    return row if by_site else row[1:]


def _called(key: tuple[Any, ...]) -> str:
    """Return the name of an arm in errors."""
    *where, arm, dose = key
    said = f"the arm {arm!r}" if dose is None else f"the arm {arm!r} at dose {dose:g}"
    return f"{said} of {where[0]!r}" if where and where[0] else said
