"""From a sweep to tests of its layers and, within the rejected ones, of its sites."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..._checks import instance, one_of, positive_int, shown
from ...errors import DataError, DesignError
from ...estimate import need_one_kind, tabulate_hierarchy
from .._result import Result
from ..account import need_all_sites, need_own_draws
from ..kinds import HierarchyKind, SweepKind

_OF_A_SITE = ("site", "position", "head", "feature")


def hierarchy_of(sweep: Result, *, estimand: str, alpha: float | None, layers: Mapping[str, int] | None) -> Result:
    """Return the result of kind 'hierarchy' of one estimand of a sweep."""
    if not isinstance(sweep.kind, SweepKind):
        raise DesignError(
            f"hierarchy was asked of a result of kind {sweep.kind.name!r}; it tests the layers of a sweep, such as "
            "med.mediate(..., mediator=med.attention(head='each'), ...)."
        )
    one_of(estimand, sweep.estimands, what="hierarchy: estimand")
    settings, units, provenance = sweep.settings, sweep.units, sweep.provenance
    level = settings.alpha if alpha is None else alpha
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise DesignError(
            f"hierarchy: alpha = {shown(level)}: a number strictly between 0 and 1 is needed, such as 0.05."
        )
    need_own_draws(provenance, "hierarchy")
    need_one_kind(units, "hierarchy", "Use the sweep's own p_adjusted (Holm over its sites).")
    need_all_sites(provenance, "hierarchy")
    rows = sweep.table[sweep.table["estimand"] == estimand]
    (one,) = sweep.wanted([estimand])
    if one.denominator is not None:
        raise DesignError(
            f"hierarchy: estimand {estimand!r} is a ratio, and these tests are of means. Test its numerator, such as "
            "'tnie': the ratio is 0 when that is."
        )
    if layers is not None:
        instance(layers, Mapping, what="hierarchy: layers", needed="a mapping from sites to layers", error=DesignError)
        known = {
            site: positive_int(layer, what=f"hierarchy: layers[{shown(site)}]", least=0)
            for site, layer in layers.items()
        }
        rows = rows.assign(layer=pd.array([known.get(site) for site in rows["site"]], dtype="Int64"))
    _check_layers(rows)
    of = dict(zip(rows["site"], rows["layer"].astype(int), strict=True))
    unknown = set(of) - set(units["site"])
    if unknown:
        raise DataError(
            f"hierarchy is made from the units, and site {min(unknown)!r} has no units in this result. Use a result as "
            "med.mediate or med.effects returned it."
        )
    found = tabulate_hierarchy(units, one, settings, of, level, sweep.precision)
    where = rows[list(_OF_A_SITE)].set_index("site")
    for name in _OF_A_SITE[1:]:
        found[name] = found["site"].map(where[name]).where(found["level"] == "site")
    kind = HierarchyKind()
    about = {"kind": kind.name, kind.name: {"estimand": estimand, "alpha": level}}
    return Result(kind, found, units, {**provenance, **about})


def _check_layers(rows: pd.DataFrame) -> None:
    lacking = rows["layer"].isna()
    if lacking.any():
        raise DesignError(
            f"hierarchy tests layers, then sites, and site {rows.loc[lacking, 'site'].iloc[0]!r} belongs to no layer. "
            "Give layers={site: layer} for all sites; p_adjusted of the sweep is adjusted over all its sites."
        )
    if not rows["layer"].duplicated().any():
        raise DesignError(
            f"hierarchy tests layers, then the sites within them, and each of the {len(rows)} layers has one site. "
            "p_adjusted of the sweep is what is asked for; or run a sweep over heads or positions."
        )
