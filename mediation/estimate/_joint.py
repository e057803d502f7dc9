"""Joint bands over rows of several kinds: controls of an effect, or one question under many specifications."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..estimands import AbstractEstimand
from ..inference import Inference, mean_intervals
from ..inference.sample import quiet
from ._controls import BEYOND, REAL, block_of, by_unit_and_site, limits_by_site, of_these_units
from ._specification import CHOICES
from .frame import by_unit
from .table import Array, Precision, resolved, span_of, unit_values, width_of


class JointColumn(NamedTuple):
    """One row of a table as a column of numbers, one a unit."""

    key: tuple[Any, ...]
    units: tuple[int, ...]
    values: Array
    clusters: NDArray[Any]
    weights: Array
    span: float


def control_columns(
    units: pd.DataFrame, estimands: Sequence[AbstractEstimand], precision: Precision
) -> Iterator[JointColumn]:
    """Return the columns of a table of controls; keys are estimand, site and control."""
    sites = list(dict.fromkeys(units["site"]))
    blocks = {str(name): block_of(rows, sites) for name, rows in units.groupby("control", sort=False)}
    width = width_of(units)
    for one in estimands:
        span = span_of(one, width) if width else math.nan
        for name, block in blocks.items():
            limit = limits_by_site(block, [one], precision)
            rows = {name: (resolved(by_unit_and_site(block, one), limit), span)}
            if name != REAL:
                real = of_these_units(blocks[REAL], block.who)
                both = limit + limits_by_site(real, [one], precision)
                rows[BEYOND + name] = resolved(by_unit_and_site(block, one, beyond=real), both), 2.0 * span
            for called, (values, most) in rows.items():
                for at, site in enumerate(sites):
                    who = tuple(block.who.tolist())
                    yield JointColumn((one.key, site, called), who, values[:, at], block.clusters, block.weights, most)


def specification_columns(
    units: pd.DataFrame, estimands: Sequence[AbstractEstimand], precision: Precision
) -> Iterator[JointColumn]:
    """Return the columns of a table of specifications; keys are estimand, site and the choices."""
    for _, group in units.groupby(list(CHOICES), sort=False, dropna=False):
        named = tuple(group[name].iloc[0] for name in CHOICES)
        part = group.drop(columns=list(CHOICES)).dropna(axis=1, how="all").reset_index(drop=True)
        part = by_unit(part, ["site"])
        wanted = [one for one in estimands if one.needs <= set(part.columns)]
        if not wanted:
            continue
        found = unit_values(part, wanted, precision)
        who = tuple(part["unit"].unique().tolist())
        for key, values in found.values.items():
            for at, site in enumerate(found.groups["site"]):
                label = (key, site, *named)
                yield JointColumn(label, who, values[:, at], found.clusters, found.weights, found.spans[key])


def joint_bands(
    columns: Mapping[int, JointColumn], p_values: Mapping[int, float], settings: Inference
) -> dict[int, tuple[float, float, float]]:
    """Return band ends and adjusted p-values of the rows of one family.

    Rows on the same units are resampled together: max-t bands and step-down p-values. Rows on other units (a control
    that some units lack) make a block of their own, and the level is split between blocks (Bonferroni), whatever the
    dependence between them. A row that the resamples give no band (but that has a p-value) is a block by itself,
    without a band.
    """
    if not columns:
        return {}
    blocks: dict[tuple[int, ...], list[int]] = {}
    for row, column in columns.items():
        blocks.setdefault(column.units, []).append(row)
    alone = [row for row, p in p_values.items() if not math.isnan(p)]
    found: dict[int, tuple[float, float, float]] = {}
    for _ in range(2):  # the second time with the rows that the first left without a band as blocks
        lacking = [row for row in alone if row not in found or math.isnan(found[row][2])] if found else []
        if found and not lacking:
            break
        found = _bands(columns, list(blocks.values()), len(blocks) + len(lacking), settings)
        for row in lacking:
            found[row] = (math.nan, math.nan, min(1.0, (len(blocks) + len(lacking)) * p_values[row]))
    return found


def _bands(
    columns: Mapping[int, JointColumn], blocks: Sequence[Sequence[int]], count: int, settings: Inference
) -> dict[int, tuple[float, float, float]]:
    level = 1 - settings.alpha / count
    least = math.ceil(2 / (1 - level) - 1e-9) - 1
    joint = replace(settings, confidence_level=level, n_resamples=max(settings.n_resamples, least))
    found: dict[int, tuple[float, float, float]] = {}
    for rows in blocks:
        first, spans = columns[rows[0]], np.array([columns[row].span for row in rows])
        with quiet():  # those rows have no interval either
            told = mean_intervals(
                np.column_stack([columns[row].values for row in rows]),
                clusters=first.clusters, weights=first.weights, settings=joint, bands=True,
                span=None if np.isnan(spans).all() else spans,
            )  # fmt: skip
        assert told.band_low is not None
        assert told.band_high is not None
        assert told.p_adjusted is not None
        p_adjusted = np.minimum(1.0, count * told.p_adjusted)
        found |= dict(zip(rows, zip(told.band_low, told.band_high, p_adjusted, strict=True), strict=True))
    return found
