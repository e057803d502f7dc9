"""Sweeps of which only the sites that a screen chose are reported: bands that hold for all, and what is said of it.

The K reported sites were chosen because their scores are large in the units at hand, and units with large scores tend
to have large effects. Bands for K sites that were named in advance would then exclude 0 too often. Those made here hold
for all N sites of the sweep at once, and so for any K of them, however they were chosen. For skewed effects Student's t
is wrong far out in its tails, where N sites put the end of a band, and K sites do not show how far; the scores of all
sites do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ...errors import DesignError
from ..text import print_row
from ._provenance import section
from ._settings import settings_of

UNCHOSEN = ("te",)  # the same at every site, whichever are chosen


def screened_tests(provenance: Mapping[str, Any]) -> int:
    """Return how many sites that can matter the reported ones were chosen among by the same units; 0 where none were.

    Examples
    --------
    >>> screened_tests({"screen": {"units": "the same", "sites": 90}}), screened_tests({})
    (90, 0)
    """
    screen = section(provenance, "screen")
    return int(screen["sites"]) - int(screen.get("null", 0)) if screen.get("units") == "the same" else 0


def for_all_sites(table: pd.DataFrame, provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table with bands and adjusted p-values that hold for all sites of a screened sweep.

    Each band becomes the widest, at each end, of what it was (max-t over the reported sites), of the reach over all N
    sites that the provenance holds (`family_reach`: max-t, and Bonferroni's with the skewness of the sites that were
    run), and of Bonferroni's for N sites with Student's t. Each `p_adjusted` becomes the largest of them as well. Sites
    that cannot matter do not count in N. Nothing changes where other units screened, and for the total effect.
    """
    tests = screened_tests(provenance)
    if not tests:
        return table
    new, reach = table.copy(), section(section(provenance, "screen"), "reach")
    alpha = settings_of(provenance).alpha
    rows = new["band_low"].notna() & ~new["estimand"].isin(UNCHOSEN)
    for key, index in new[rows].groupby("estimand", sort=False).groups.items():
        part = new.loc[index]
        freedom = part["n_clusters"].to_numpy(dtype=float) - 1
        estimate, error = (part[name].to_numpy(dtype=float) for name in ("estimate", "std_error"))
        critical = stats.t.isf(alpha / (2 * tests), freedom)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.abs(estimate) / error
        p_values = np.minimum(1.0, 2 * tests * stats.t.sf(size, freedom))
        if key in reach:
            levels, far = (np.asarray(one, dtype=float) for one in reach[key])
            critical = np.maximum(critical, far[np.argmin(np.abs(levels - alpha))])
            p_values = np.fmax(p_values, _at_least(size, levels, far))
        new.loc[index, "band_low"] = np.fmin(part["band_low"], estimate - critical * error)
        new.loc[index, "band_high"] = np.fmax(part["band_high"], estimate + critical * error)
        new.loc[index, "p_adjusted"] = np.fmax(part["p_adjusted"], p_values)
    return new


def _at_least(size: np.ndarray[Any, Any], levels: np.ndarray[Any, Any], far: np.ndarray[Any, Any]) -> Any:
    """Return the smallest of the levels (decreasing) at which bands reach no further than each |t|; 1 below all."""
    reached = size[:, None] >= far[None, :]
    return np.where(reached, levels, 1.0).min(axis=1)


def need_all_sites(provenance: Mapping[str, Any], what: str) -> None:
    """Raise DesignError if sites were chosen by the units that report them."""
    if screened_tests(provenance):
        raise DesignError(
            f"{what} was asked of a screened sweep: its sites were chosen by the same units, which these tests do not "
            "allow for. Screen on other units, screen=med.Screen(k, split=0.5), or run the sweep without a screen."
        )


def screen_notes(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a summary says of a screen: how sites were chosen, and what that may have missed."""
    screen = section(provenance, "screen")
    if not screen:
        return ()
    k, sites = int(screen["k"]), int(screen["sites"])
    how = f"integrated gradients in {screen['steps']} steps" if screen.get("steps") else "first order"
    who = "by these same units" if screened_tests(provenance) else f"by {int(screen['n_units']):,} other units"
    first = f"Screened: {k:,} of {sites:,} sites were patched, those of the largest |attribution score| ({how}), {who}."
    null = int(screen.get("null", 0))
    if null:
        first += f" {null:,} others lie before the first token that differs: their effects are 0."
    return (first, _missed(screen, k)) if screen["rest"] else (first,)


def _missed(screen: Mapping[str, Any], k: int) -> str:
    drawn, rest, level = len(screen["sample"]["site"]), int(screen["rest"]), 100 * float(screen["confidence_level"])
    if not drawn:
        return f"None of the {rest:,} left was patched: what the screen missed is not known."
    stronger, most = int(screen["stronger"]), int(screen["at_most"])
    weakest = print_row(float(screen["weakest"]), np.nan, np.nan, np.nan).estimate
    who = (
        f"Of the {rest:,} left, {drawn} drawn at random were patched too"
        if drawn < rest
        else (f"All {rest:,} left were patched too, for comparison")
    )
    exceed = f"{stronger} of them exceed{'s' if stronger == 1 else ''} the weakest of the {k:,} ({weakest})"
    bound = f", so at most {most:,} of the {rest:,} do ({level:g}%)" if drawn < rest else ""
    return f"{who}: {exceed}{bound}; {_rank(screen, level)}."


def _rank(screen: Mapping[str, Any], level: float) -> str:
    correlation, low, high = (screen[name] for name in ("spearman", "spearman_low", "spearman_high"))
    if correlation is None:
        return "their effects or scores are all alike, so there is no rank correlation"
    interval = f" ({level:g}% {low:.2f} to {high:.2f})" if low is not None and low != high else ""
    return f"rank correlation of |score| and |effect| among them {correlation:.2f}{interval}"
