"""Units in clusters of two kinds: what a result says of them, and which questions it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._provenance import section


def is_two_way(provenance: Mapping[str, Any]) -> bool:
    """Return whether intervals are two-way: bands are then Bonferroni's and adjusted p-values Holm's.

    Examples
    --------
    >>> is_two_way({"inference": {"draws": "shared"}}), is_two_way({"pairs": {"crossed": [20, 8]}}), is_two_way({})
    (True, True, False)
    """
    shared = section(provenance, "inference").get("draws") == "shared"
    return shared or bool(section(provenance, "pairs").get("crossed"))


def in_crossed_clusters(provenance: Mapping[str, Any]) -> str:
    """Return in which clusters of two kinds units are, in words; nothing where clusters are of one kind.

    Examples
    --------
    >>> in_crossed_clusters({"pairs": {"crossed": [20, 8], "cluster": ["item", "template"]}})
    ' in 20 x 8 clusters (item x template)'
    """
    pairs = section(provenance, "pairs")
    counts, names = pairs.get("crossed"), pairs.get("cluster")
    if not counts:
        return ""
    named = " x ".join(map(str, names)) if isinstance(names, list) else "of two kinds"
    return f" in {' x '.join(f'{count:,}' for count in counts)} clusters ({named})"
