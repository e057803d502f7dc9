"""Layers, then sites: one estimand of a sweep, tested down the tree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..estimands import AbstractEstimand
from ..inference import HierarchicalTests, Inference, Intervals, hierarchical_max_t
from ..inference.sample import quiet
from .table import Precision, unit_values

_TOLD = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


def tabulate_hierarchy(
    units: pd.DataFrame,
    estimand: AbstractEstimand,
    settings: Inference,
    layers: Mapping[str, int],
    alpha: float,
    precision: Precision = "float64",
) -> pd.DataFrame:
    """Return the tests of layers and of the sites in `layers` (by name): each layer's row, then those of its sites.

    The estimate of a layer is the mean of its sites' effects. Columns are those of the tidy table with `layer, level,
    p_adjusted, rejected`; sites without an interval are 'not tested'.
    """
    found = unit_values(units, [estimand], precision)
    inside = found.groups["site"].isin(layers).to_numpy()
    sites = found.groups["site"][inside].tolist()
    of = [layers[site] for site in sites]
    with quiet():  # told with the sweep, with the names of the sites
        tests = hierarchical_max_t(
            found.values[estimand.key][:, inside],
            of,
            clusters=found.clusters,
            weights=found.weights,
            settings=settings,
        )
    places = {site: place for place, site in enumerate(layers)}
    by_site = _site_rows(tests, sites, of, alpha).sort_values("site", key=lambda names: names.map(places))
    rows = pd.concat([_layer_rows(tests, alpha), by_site], ignore_index=True)
    rows = rows.sort_values("layer", kind="stable", ignore_index=True)
    return rows.assign(estimand=estimand.key, n=tests.columns.n, n_clusters=tests.columns.n_clusters)


def _told(found: Intervals) -> dict[str, object]:
    return {**{name: getattr(found, name) for name in _TOLD}, "method": list(found.method)}


def _layer_rows(tests: HierarchicalTests, alpha: float) -> pd.DataFrame:
    p_adjusted = tests.group_p_adjusted
    rejected = np.where(np.isnan(p_adjusted), "not tested", np.where(p_adjusted <= alpha, "yes", "no"))
    names = [f"layer {layer}" for layer in tests.groups]
    return pd.DataFrame(
        {"site": names, "layer": tests.groups, "level": "layer", **_told(tests.means)}
        | {"p_adjusted": p_adjusted, "rejected": rejected}
    )


def _site_rows(tests: HierarchicalTests, sites: list[str], of: list[int], alpha: float) -> pd.DataFrame:
    p_adjusted = tests.column_p_adjusted
    by_layer = dict(zip(tests.groups, tests.group_p_adjusted <= alpha, strict=True))
    open_to_test = np.array([by_layer[layer] for layer in of]) & ~np.isnan(p_adjusted)
    rejected = np.where(open_to_test, np.where(p_adjusted <= alpha, "yes", "no"), "not tested")
    return pd.DataFrame(
        {"site": sites, "layer": of, "level": "site", **_told(tests.columns)}
        | {"p_adjusted": p_adjusted, "rejected": rejected}
    )
