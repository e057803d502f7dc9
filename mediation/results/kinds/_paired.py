"""Which two results a difference is of, and on which units it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..account import in_crossed_clusters, section


def comparison_labels(provenance: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the two results are called.

    Examples
    --------
    >>> comparison_labels({"comparison": {"labels": ["small", "large"]}}), comparison_labels({})
    (('small', 'large'), ('first', 'second'))
    """
    labels = section(provenance, "comparison").get("labels")
    if isinstance(labels, list) and len(labels) == 2:
        return str(labels[0]), str(labels[1])
    return "first", "second"


def comparison_who(provenance: Mapping[str, Any]) -> str:
    """Return whose difference it is: the same units, or two groups."""
    known = section(provenance, "comparison")
    n, clusters = known.get("n"), known.get("n_clusters")
    if not (isinstance(n, list) and isinstance(clusters, list)):
        return ""
    name = section(provenance, "pairs").get("cluster")
    if known.get("paired"):
        where = in_crossed_clusters(provenance) or _in_clusters(n[0], clusters[0], name)
        units = f"n = {n[0]:,} units{where}, the same in both results"
        why = "" if known.get("decided") == "asked" else " (ids of units, clusters and weights agree)"
        return f"Paired: {units}{why}; outcomes are subtracted unit by unit."
    parts = " and ".join(
        f"n = {size:,} ({label}{_in_clusters(size, groups, name).replace(' in', ',', 1)})"
        for size, groups, label in zip(n, clusters, comparison_labels(provenance), strict=True)
    )
    said = f"Two independent groups of units: {parts}; each is resampled by itself."
    if known.get("decided") != "asked":
        return f"{said} Not paired, because {known.get('differ')}."
    if known.get("shared_units"):
        said += f" {known['shared_units']:,} ids are in both: if these are the same units, the interval is not theirs."
    return said


def _in_clusters(n: int, clusters: int, name: object) -> str:
    if clusters == n:
        return ""
    return f" in {clusters:,} clusters{f' ({name})' if name else ''}"
