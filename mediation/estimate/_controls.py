"""From the units of null controls to their table: the effect, each control, and the effect beyond each control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..estimands import AbstractEstimand, contrast
from ..inference import Inference, mean_intervals
from ..inference.sample import quiet
from .frame import POTENTIAL_OUTCOMES
from .table import (
    Array,
    DonorDesign,
    Precision,
    donor_values,
    limits,
    numbers_of,
    resolved,
    span_of,
    warn_degenerate,
    width_of,
)

REAL = "none"
CONTROLS = (
    "self-patch",
    "unrelated unit",
    "random direction",
    "shuffled pairs",
    "shuffled answers",
    "re-initialised model",
)
RANDOM = ("unrelated unit", "random direction", "shuffled pairs", "shuffled answers")
"""Controls that are drawn at random, and that the effect is compared with, unit by unit."""

BEYOND = "beyond "
"""Before the name of a control: the effect minus that control."""


class _Block(NamedTuple):
    """Outcomes of one control: arrays (units, draws, sites), the units, and the donor of each draw (-1: none)."""

    outcomes: dict[str, Array]
    who: NDArray[np.int64]
    donors: NDArray[np.int64]
    clusters: NDArray[Any]
    weights: Array


def tabulate_controls(
    units: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    precision: Precision = "float32",
) -> pd.DataFrame:
    """Return the table of kind 'controls' of a units frame.

    Parameters
    ----------
    units
        One row a site, control ('none' for the effect itself), unit and draw, with ``donor``: the unit whose
        activation, source input or answers were used, -1 where it is the unit itself. A control may lack units.
    estimands
        Means, such as pnie and tnie.
    settings
        Of the intervals.
    precision
        In which the outcomes were computed.

    Returns
    -------
    DataFrame
        For each estimand and site a row for the effect, for each control, and for the effect beyond each random
        control, which is the difference unit by unit, over the units that the control has.

    Warns
    -----
    DegenerateWarning
        Once, if rows other than self-patches have no interval.

    Notes
    -----
    Draws are averaged within the unit that *received*. Where others *gave*, the variance counts that a unit gives to
    several; see `donor_values`.
    """
    sites = list(dict.fromkeys(units["site"]))
    blocks = {str(name): block_of(rows, sites) for name, rows in units.groupby("control", sort=False)}
    names, width = [name for name in (REAL, *CONTROLS) if name in blocks], width_of(units)
    rows: dict[str, pd.DataFrame] = {}
    for name in names:
        block = blocks[name]
        effects = [by_unit_and_site(block, one) for one in estimands]
        unsure = limits_by_site(block, estimands, precision)
        rows[name] = _lines(effects, unsure, block, (estimands, sites, width), settings)
        if name in RANDOM:
            real = of_these_units(blocks[REAL], block.who)
            differences = [by_unit_and_site(block, one, beyond=real) for one in estimands]
            unsure = unsure + limits_by_site(real, estimands, precision)
            rows[BEYOND + name] = _lines(differences, unsure, block, (estimands, sites, 2.0 * width), settings)
    order = [*names, *(BEYOND + name for name in names if name in RANDOM)]
    table = pd.concat([rows[name].assign(control=name) for name in order], ignore_index=True)
    table["n_draws"] = table["control"].map({name: _draws(blocks, name) for name in order})
    ranks = {"estimand": [one.key for one in estimands], "site": sites, "control": order}
    table = table.sort_values(list(ranks), key=lambda column: column.map(ranks[str(column.name)].index))
    table = table.reset_index(drop=True)
    said = table[table["control"] != CONTROLS[0]]
    named = said["site"].where(said["control"] == REAL, said["site"] + ", " + said["control"])
    warn_degenerate(said.assign(site=named), list(said["reason"]))
    return table.drop(columns="reason")


def _draws(blocks: dict[str, _Block], name: str) -> int:
    return int(blocks[name.removeprefix(BEYOND)].donors.shape[1])


def block_of(rows: pd.DataFrame, sites: Sequence[str]) -> _Block:
    """Return the outcomes and donors of one control's rows by unit, draw and site."""
    first = rows[rows["site"] == sites[0]]
    who = first["unit"].unique()
    draws = int(first["draw"].nunique())
    at = (
        pd.Index(who).get_indexer(pd.Index(rows["unit"])),
        rows["draw"].to_numpy(dtype=int),
        pd.Index(sites).get_indexer(pd.Index(rows["site"])),
    )
    shape = (len(who), draws, len(sites))
    outcomes = {}
    for name in (name for name in POTENTIAL_OUTCOMES if name in rows.columns):
        outcomes[name] = np.full(shape, np.nan)
        outcomes[name][at] = rows[name].to_numpy(dtype=float)
    donors = np.full(shape, -1, dtype=np.int64)
    donors[at] = rows["donor"].to_numpy(dtype=np.int64)
    once = first.drop_duplicates("unit")
    return _Block(
        outcomes,
        who.astype(np.int64),
        donors[:, :, 0],
        once["cluster"].to_numpy(),
        once["weight"].to_numpy(dtype=float),
    )


def of_these_units(block: _Block, who: NDArray[np.int64]) -> _Block:
    """Return the block of `who` only, in that order."""
    keep = pd.Index(block.who).get_indexer(pd.Index(who))
    outcomes = {name: values[keep] for name, values in block.outcomes.items()}
    return _Block(outcomes, who, block.donors[keep], block.clusters[keep], block.weights[keep])


def by_unit_and_site(block: _Block, estimand: AbstractEstimand, *, beyond: _Block | None = None) -> Array:
    """Return one number a unit and site, (n, sites), with the mean of the effect, or of `beyond` minus it."""
    values = contrast(estimand.weights, block.outcomes)
    if beyond is not None:
        values = contrast(estimand.weights, beyond.outcomes).mean(axis=1, keepdims=True) - values
    donor = pd.Index(block.who).get_indexer(pd.Index(block.donors.ravel())).astype(np.int64)
    if (donor < 0).all():
        return np.asarray(values.mean(axis=1))
    n, draws, sites = values.shape
    clusters = pd.factorize(block.clusters)[0]
    design = DonorDesign(np.repeat(np.arange(n), draws), donor, block.weights, clusters)
    return donor_values(values.reshape(n * draws, sites), design)


def limits_by_site(block: _Block, estimands: Sequence[AbstractEstimand], precision: Precision) -> Array:
    """Return how far the numbers of `by_unit_and_site` may be from exact, the estimands one after the other, (n, k)."""
    sizes = {name: np.abs(values).max(axis=1) for name, values in block.outcomes.items()}
    return np.concatenate([limits(one.weights, sizes, precision) for one in estimands], axis=1)


def _lines(
    effects: Sequence[Array],
    unsure: Array,
    block: _Block,
    what: tuple[Sequence[AbstractEstimand], Sequence[str], float],
    settings: Inference,
) -> pd.DataFrame:
    """Return rows of estimands and sites; `what` ends with the range of an outcome that is an answer, or 0."""
    estimands, sites, width = what
    values = resolved(np.concatenate(effects, axis=1), unsure)
    span = np.repeat([span_of(one, width) for one in estimands], len(sites)) if width else None
    with quiet():  # said once, with the names of rows
        found = mean_intervals(values, clusters=block.clusters, weights=block.weights, settings=settings, span=span)
    return pd.DataFrame(
        {
            "estimand": [one.key for one in estimands for _ in sites],
            "site": [site for _ in estimands for site in sites],
            **numbers_of(found),
            "reason": list(found.reason),
        }
    )
