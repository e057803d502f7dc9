"""Activations of plain runs, as an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .._checks import listed
from .._errors import DataError, SiteError
from ..engine import AbstractBackend, World, make_study
from ..engine._activations import Activations
from ..engine._backend import main_tensor
from ..engine._batching import halving, split, tokens_per_pass
from ..engine._choose import backend_for
from ..engine._rows import Row, capture_rows
from ..interventions import Identity
from ..models import load
from ..outcomes import outcome
from ..sites import Site, SiteSet
from ..units import Pairs


def capture(
    model: Any,
    pairs: Pairs,
    site: Site | SiteSet,
    run: Literal["base", "source"] = "base",
    *,
    batch_size: int | None = None,
    backend: str | AbstractBackend = "nnsight",
) -> NDArray[np.floating]:
    """Return the activations at `site` in plain runs of the units.

    Parameters
    ----------
    model
        What `load` returns or takes.
    pairs
        The units.
    site
        One site, such as ``med.residual(12, at="last")``.
    run
        "base" or "source": the inputs that are run.
    batch_size, backend
        How it is run; see `mediate`.

    Returns
    -------
    ndarray
        ``(units, positions, features)``, float32 (float64 for models in double precision). At plain modules, an
        activation of one row of features a unit is one position; other shapes are kept as they are.

    Raises
    ------
    SiteError
        If the site does not exist or stands for several.
    DataError
        If units have different numbers of positions there.

    Examples
    --------
    >>> import torch
    >>> import mediation as med
    >>> model = med.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)))
    >>> capture(model, med.Pairs(base=torch.zeros(5, 3)), med.Site("0"), backend="hooks").shape
    (5, 1, 4)
    """
    study = make_study(load(model), pairs, [World(run, Identity().at(site))], _nothing(), seed=0)
    if len(study.places) != 1:
        raise SiteError(
            f"capture: {site} stands for {len(study.places)} sites here ({listed(map(str, study.places))}); one at a "
            "time is captured. Name one layer and one position, such as med.residual(12, at='last')."
        )
    runner, held = backend_for(backend), Activations(study)
    (where,) = study.places

    def keep(rows: Sequence[Row]) -> None:
        capture_rows(study, runner, rows, [where], held)

    rows = [Row(-1, run, unit, 0) for unit in range(len(pairs))]
    size = tokens_per_pass(study.model)
    for batch in split(rows, lambda row: study.encoding.of(run, row.unit).length or 1, tokens=size, rows=batch_size):
        halving(keep, batch, lambda first, second: None)
    found = [held.get(where, run, unit).cpu() for unit in range(len(pairs))]
    shapes = sorted({tuple(one.shape) for one in found})
    if len(shapes) > 1:
        raise DataError(
            f"capture: {where} has {shapes[0][0]} to {shapes[-1][0]} positions, depending on the unit, so they do not "
            "stack. Name a position that all have, such as at='last', or a span of equal length."
        )
    stacked = np.stack([(one if one.dtype == torch.float64 else one.float()).numpy() for one in found])
    return stacked[:, None] if stacked.ndim == 2 else stacked


def _nothing() -> Any:
    """Return an outcome that is 0: nothing but activations is asked for."""

    def nothing(output: Any) -> Any:
        tensor = main_tensor(output)
        assert tensor is not None
        return tensor.new_zeros(tensor.shape[0])

    return outcome(nothing)
