"""Units and clusters that count unequally: Kish's effective numbers, in the summary and in a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...errors import FewEffectiveWarning, warn
from ...estimate import SECOND
from ...inference import kish
from ._provenance import section

_UNEQUAL = 0.8  # of the actual number: an effective number below it is told
_FEW = 5


def balance_of(units: pd.DataFrame) -> dict[str, Any]:
    """Return what provenance keeps of how unequally the units of a clean frame count; nothing where all count alike.

    Examples
    --------
    >>> units = pd.DataFrame({"unit": [0, 1, 2], "cluster": [0, 0, 1], "weight": 1.0})
    >>> balance_of(units)
    {'weighted': False, 'effective': {'units': 3.0, 'clusters': 1.8}}
    """
    once = units.drop_duplicates("unit")
    weights = once["weight"].to_numpy(dtype=float)
    clusters = np.bincount(pd.factorize(once["cluster"])[0], weights=weights).astype(np.float64)
    weighted = bool(weights.max() > weights.min())
    if SECOND in units:  # no one number of clusters: those of two kinds cross
        return {"weighted": True, "effective": {"units": kish(weights)}} if weighted else {}
    if not weighted and clusters.max() == clusters.min():
        return {}
    return {"weighted": weighted, "effective": {"units": kish(weights), "clusters": kish(clusters)}}


def balance_note(provenance: Mapping[str, Any]) -> str:
    """Return that units are weighted, and the effective numbers where they are below 0.8 of the actual ones.

    Examples
    --------
    >>> balance_note({"pairs": {"n": 40, "n_clusters": 10, "effective": {"units": 40.0, "clusters": 3.2}}})
    "Kish's effective number of clusters: 3.2 of 10."
    """
    pairs = section(provenance, "pairs")
    weighted = "Units are weighted. " if pairs.get("weighted") else ""
    unequal = _unequal(pairs)
    if not unequal:
        return weighted.rstrip()
    said = " and ".join(f"{what}: {effective:.1f} of {actual:,}" for what, effective, actual in unequal)
    return f"{weighted}Kish's effective number of {said}."


def warn_of_few(provenance: Mapping[str, Any]) -> None:
    """Warn if units or clusters count so unequally that fewer than five are effective."""
    few = [one for one in _unequal(section(provenance, "pairs")) if one[1] < _FEW]
    if not few:
        return
    what, effective, actual = few[-1]
    warn(
        f"{actual:,} {what} count so unequally that they are worth {effective:.1f} equal ones (Kish's effective "
        "number), so intervals have few degrees of freedom and are wide. Add "
        f"{'clusters' if what == 'clusters' else 'units'}, or report the dominant one by itself.",
        FewEffectiveWarning,
    )


def _unequal(pairs: Mapping[str, Any]) -> list[tuple[str, float, int]]:
    """Return the names, effective and actual numbers of units and clusters that count unequally."""
    effective = pairs.get("effective", {})
    counts = {"units": int(pairs.get("n", 0)), "clusters": int(pairs.get("n_clusters", 0))}
    if counts["units"] == counts["clusters"]:
        counts.pop("clusters")
    return [
        (what, float(effective[what]), actual)
        for what, actual in counts.items()
        if what in effective and effective[what] < _UNEQUAL * actual
    ]
