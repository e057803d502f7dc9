"""What a result keeps of its screen: what was run, what it may have missed, and how far bands over all sites reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine import Direction, Execution, Finished, World, expand_world
from ..engine.study import tolerance
from ..errors import BackendError
from ..estimands import AbstractEstimand, contrast
from ..inference import Inference, family_reach, screening_report
from ._screen import INDIRECT, Picked, _run

_LEVELS = 60  # at which adjusted p-values are known


def screening(
    picked: Picked, finished: Finished, settings: Inference, wanted: Sequence[AbstractEstimand], how: Execution
) -> dict[str, Any]:
    """Return what a result keeps of its screen, as plain data.

    `reach` holds, for every estimand whose outcomes the scores stand for, how many standard errors bands over all sites
    reach at each of `LEVELS`.

    Raises
    ------
    BackendError
        If the pass with gradients gave other outcomes than the run.
    """
    screen, names = picked.screen, picked.names
    patched = (*picked.chosen, *picked.sample)
    exact = {index: _exact(picked, finished, picked.everything[names[index]]) for index in patched}
    half = how.precision is not None  # then scores are of the model as it was loaded
    if picked.report is None and not half:
        _check_plain(picked, finished)
    told = screening_report(
        np.array([exact[index] for index in picked.chosen]),
        picked.strength[list(picked.sample)],
        np.array([exact[index] for index in picked.sample]),
        rest=len(names) - len(picked.chosen) - picked.null,
        confidence_level=settings.confidence_level,
        seed=finished.study.seed,
    )

    def kept(sites: Sequence[int]) -> dict[str, Any]:
        """Scores and exact strengths of some sites."""
        return {
            "site": [names[index] for index in sites],
            "score": [float(picked.strength[index]) for index in sites],
            "strength": [exact[index] for index in sites],
        }

    return {
        "k": screen.k,
        "sites": len(names),
        "null": picked.null,
        "steps": screen.steps,
        "by": [INDIRECT[one] for one in picked.scores.values],
        "passes": picked.scores.passes,
        "units": "the same" if picked.report is None else "others",
        "n_units": len(picked.screened),
        "reported_units": None if picked.report is None else list(picked.report),
        "confidence_level": settings.confidence_level,
        **({} if picked.report is not None else {"reach": _reach(picked, finished, settings, wanted)}),
        **told,
        "chosen": kept(picked.chosen),
        "sample": kept(picked.sample),
    }


def _reach(
    picked: Picked, finished: Finished, settings: Inference, wanted: Sequence[AbstractEstimand]
) -> dict[str, list[list[float]]]:
    """Return levels, and the reach of bands over all sites at each, of estimands that scores stand for."""
    values, plain, pairs = picked.scores.values, picked.scores.plain, finished.study.pairs
    stand: dict[str, NDArray[np.float64]] = {}
    for run, name in (("base", "y00"), ("source", "y11")):
        if run in plain:
            stand[name] = np.repeat(plain[run][:, None], len(picked.names), axis=1)
    stand |= {"y01": stand["y00"] + values["y01"].T} if "y01" in values else {}
    stand |= {"y10": stand["y11"] - values["y10"].T} if "y10" in values else {}
    ran = [*picked.chosen, *picked.sample]
    for name in values:  # what was run is known exactly
        stand[name][:, ran] = np.stack([_patched(picked, finished, site, name) for site in ran], axis=1)
    levels = sorted({*np.geomspace(1 / (settings.n_resamples + 1), 0.9, _LEVELS), settings.alpha}, reverse=True)
    found = {}
    for one in wanted:
        if one.denominator is None and one.needs <= stand.keys() and one.needs & values.keys():
            effects = contrast(one.weights, stand)
            reach = family_reach(
                effects, levels, exact=effects[:, ran], clusters=pairs.cluster, weights=pairs.weight, settings=settings
            )
            found[one.key] = [levels, reach]
    return found


def _patched(picked: Picked, finished: Finished, site: int, name: Direction) -> NDArray[np.float64]:
    """Return the outcomes of the units, (n,), with the mediator of one site put in."""
    world = picked.everything[picked.names[site]][name]
    return np.asarray(finished.of(expand_world(world, finished.study.model, finished.study.encoding))[:, 0])


def _exact(picked: Picked, finished: Finished, named: Mapping[str, World]) -> float:
    """Return the largest |mean indirect effect| of one site, over the directions that were screened."""
    study, means = finished.study, []
    for one in picked.scores.values:
        there = finished.of(expand_world(named[one], study.model, study.encoding))[:, 0]
        means.append(np.average(there - finished.of(World(_run(one)))[:, 0], weights=study.pairs.weight))
    return float(np.max(np.abs(means)))


def _check_plain(picked: Picked, finished: Finished) -> None:
    """Check that the pass with gradients computed what the run computed."""
    for one in picked.scores.values:
        expected, found = finished.of(World(_run(one)))[:, 0], picked.scores.plain[_run(one)]
        off = np.abs(found - expected) > tolerance(finished.study.model) * (1 + np.abs(expected))
        if off.any():
            unit = int(np.flatnonzero(off)[0])
            raise BackendError(
                f"The {_run(one)} input of unit {unit} gave {expected[unit]:.6g} in the run and {found[unit]:.6g} in "
                "the pass with gradients, so its scores are those of another computation. Patch without screen=, and "
                "please report the model."
            )
