"""Clusters of one kind or of two: the columns that say so, and who can work with two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from ..._checks import called, shown, suggestion
from ...errors import DataError, DesignError

SECOND = "cluster_2"  # labels of the second kind of cluster, where units belong to clusters of two kinds
Labels = NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]


def named_clusters(frame: pd.DataFrame, cluster: str | Sequence[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with the columns that `cluster` names as `cluster` (and `cluster_2`), and their names.

    Raises
    ------
    DataError
        If a column does not exist, or is named twice.
    DesignError
        If `cluster` is no name, or names more than two columns.

    Examples
    --------
    >>> frame = pd.DataFrame({"item": [1, 1, 2, 2], "template": ["a", "b", "a", "b"]})
    >>> list(named_clusters(frame, ["item", "template"])[0].columns)
    ['item', 'template', 'cluster', 'cluster_2']
    """
    if cluster is None:
        if isinstance(frame, pd.DataFrame) and SECOND in frame.columns and "cluster" not in frame.columns:
            raise DataError(
                f"effects: the frame has a column {SECOND!r} and no column 'cluster'; a second kind of cluster needs a "
                "first. Rename it to 'cluster', or name both columns: cluster=['item', 'template']."
            )
        return frame, []
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"effects: {called(frame)} was given; a pandas DataFrame is needed.")
    names = [cluster] if isinstance(cluster, str) else cluster
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise DesignError(
            f"effects: cluster = {shown(cluster)}; the name of a column, or two names such as ['item', 'template'], "
            "are needed. Labels that are no column yet: frame.assign(cluster=labels)."
        )
    check_kinds(names, "effects")
    for name in names:
        if name not in frame.columns:
            raise DataError(
                f"effects: cluster = {name!r}: no such column. {suggestion(name, list(map(str, frame.columns)))}"
            )
        if isinstance(frame[name], pd.DataFrame):
            raise DataError(f"effects: the frame has several columns {name!r}; keep one.")
    put: dict[str, Any] = dict(zip(("cluster", SECOND), (frame[name] for name in names), strict=False))
    attrs = frame.attrs
    used = [name for name in names if name != "cluster" and name.casefold().startswith("cluster")]  # known by now
    new = frame.drop(columns=[SECOND, *used], errors="ignore").assign(**put)
    new.attrs.update(attrs)
    return new, list(names)


def check_kinds(names: Sequence[str], what: str) -> None:
    """Raise an error if `names` are more than two kinds of clusters, or one of them twice."""
    if len(names) > 2:
        raise DesignError(
            f"{what}: cluster = {list(names)!r} names {len(names)} kinds of clusters; at most two can cross. Name the "
            "two that matter most, and treat the levels of the others as given."
        )
    if len(set(names)) < len(names):
        raise DataError(f"{what}: cluster = {list(names)!r} names one column twice. Name each once.")


def labels_of(units: pd.DataFrame) -> Labels:
    """Return the label of each unit's cluster, (n,), or the labels of either kind, (n,) each."""
    once = units.drop_duplicates("unit")
    first = once["cluster"].to_numpy()
    return (first, once[SECOND].to_numpy()) if SECOND in units.columns else first


def crossing(units: pd.DataFrame) -> list[int]:
    """Return how many clusters of either kind there are; nothing where clusters are of one kind."""
    return [int(units[name].nunique()) for name in ("cluster", SECOND)] if SECOND in units.columns else []


def need_one_kind(units: pd.DataFrame, what: str, instead: str = "") -> None:
    """Raise DesignError if units belong to clusters of two kinds.

    Examples
    --------
    >>> need_one_kind(pd.DataFrame({"unit": [0], "cluster": [0]}), "test")
    """
    if SECOND in units.columns:
        raise DesignError(
            f"{what} takes clusters of one kind, and here units belong to clusters of two "
            f"({' x '.join(map(str, crossing(units)))}), as items and templates. "
            f"{instead or 'The intervals of this result hold as they are.'} To use one kind alone, name it: "
            "med.effects(frame, cluster='item')."
        )


def check_crossed(units: pd.DataFrame, *, shared: bool) -> None:
    """Raise DesignError if units in clusters of two kinds depend on each other in a third way."""
    if shared:
        need_one_kind(units, "draws='shared'", "Give each unit draws of its own.")
    if "donor" in units.columns and bool(units["donor"].isin(units["unit"]).any()):
        need_one_kind(
            units,
            "A random donor makes units dependent by who gave, which",
            "Drop the column 'donor' only if donors were not drawn from the units; otherwise interchange with the "
            "unit's own source, or ablate.",
        )
