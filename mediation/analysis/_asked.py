"""What both questions check before a run, and the frame that they make after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .._checks import called, positive_int, shown
from ..engine import Finished, World, expand_world
from ..engine.binding import inside
from ..errors import DataError, DesignError, DonorsWarning, warn
from ..estimate import Precision
from ..inference import Inference
from ..inference.crossed import two_way_settings
from ..interventions import Donor
from ..models import Model
from ..outcomes import AbstractOutcome
from ..rollouts import at_step
from ..units import Pairs


def check_question(
    pairs: object, outcome: object, n_draws: int, settings: Inference | None = None, *, several: bool = True
) -> None:
    """Raise DataError or DesignError if pairs, outcome or draws are something else.

    With `settings`, of intervals, also if these are not made for the clusters of the pairs. `several` says whether
    there may be several outcomes.
    """
    if not isinstance(pairs, Pairs):
        frame = isinstance(pairs, pd.DataFrame)
        hint = "Pairs.from_frame(frame, base='...', source='...')" if frame else "Pairs(base=..., source=...)"
        raise DataError(f"pairs is {called(pairs)}; units are given as med.{hint}.")
    if not isinstance(outcome, (AbstractOutcome, list, tuple, Mapping)):
        raise DesignError(
            f"outcome is {called(outcome)}; one such as med.LogitDiff('answer', 'foil') is needed, or a function "
            f"decorated with @med.outcome{'; or several, in a list or by name in a mapping' if several else ''}."
        )
    positive_int(n_draws, what="n_draws")
    if settings is not None and pairs.crossed:
        two_way_settings(settings)


def name_of(key: object, what: str) -> str:
    """Return the name that a key of a mapping stands for: a text, or ``(name, dose)``."""
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], Real) and not isinstance(key[1], bool):
        return f"{name_of(key[0], what)} {float(key[1]):g}"
    if not isinstance(key, str) or not key:
        raise DesignError(f"The name of {what} {shown(key)} is none; a text is needed, such as 'first'.")
    return key


def need_one_kind_of_cluster(pairs: Pairs, what: str) -> None:
    """Raise DesignError, before anything runs, if units belong to clusters of two kinds."""
    if pairs.crossed:
        raise DesignError(
            f"{what} takes clusters of one kind, and these pairs have two ({' x '.join(map(str, pairs.crossed))} "
            "clusters). Give the kind that matters most, cluster='item'; med.mediate and med.ablate take both."
        )


def precision_in(model: Model) -> Precision:
    """Return in which precision outcomes of a model are computed."""
    return "float64" if str(model.dtype) == "torch.float64" else "float32"


def inference_account(settings: Inference, model: Model) -> dict[str, Any]:
    """Return what provenance says of the inference."""
    told = {name: getattr(settings, name) for name in ("method", "confidence_level", "n_resamples", "seed")}
    return {**told, "precision": precision_in(model)}


def units_frame(
    finished: Finished | Mapping[str, Finished],
    labels: Mapping[Any, Mapping[str, Any]],
    worlds: Mapping[Any, Mapping[str, World]],
    *,
    same_units: bool = False,
) -> pd.DataFrame:
    """Return the unit-level frame: one row a site (or arm), unit and draw.

    Outcomes by name, of the same worlds, have a row each, and a column ``outcome``: of the units that each has by
    itself, or, with `same_units`, of those that all have.
    """
    each = {None: finished} if isinstance(finished, Finished) else finished
    study = next(iter(each.values())).study
    pairs, common = study.pairs, kept_in(each.values())
    index = {world: i for i, world in enumerate(study.worlds)}
    weights = np.ones(len(pairs)) if pairs.weight is None else pairs.weight
    frames = []
    for key, named in worlds.items():
        expanded = {
            name: world if world in index else expand_world(world, study.model, study.encoding)
            for name, world in named.items()
        }
        donors = _random_donors(expanded.values())
        for outcome, one in each.items():
            kept = common if same_units else list(one.kept)
            draws = max(one.study.draws_of(world) for world in expanded.values())  # of generations, samples are draws
            columns: dict[str, Any] = dict(labels[key]) or {"site": key}
            columns["unit"] = np.repeat(kept, draws)
            columns |= {name: np.repeat(label[kept], draws) for name, label in pairs.cluster_columns.items()}
            columns["weight"] = np.repeat(weights[kept], draws)
            columns["draw"] = np.tile(np.arange(draws), len(kept))
            if donors is not None:
                who = np.stack([study.donors(donors, draw) for draw in range(draws)], axis=1)[kept]
                columns["donor"] = np.where(np.isin(who, kept), who, -1).reshape(-1)
            columns |= {} if outcome is None else {"outcome": outcome}
            values = {name: one.values[index[world], kept, :draws].reshape(-1) for name, world in expanded.items()}
            frames.append(pd.DataFrame(columns | values))
    units = pd.concat(frames, ignore_index=True)
    if "donor" in units:
        units["donor"] = units["donor"].fillna(-1).astype(np.int64)
    return units


def kept_in(each: Iterable[Finished]) -> list[int]:
    """Return the units that can be compared in every study."""
    studies = list(each)
    return [unit for unit in studies[0].kept if not any(unit in one.left_out for one in studies)]


def one_a_step(named: Mapping[Any, Any], finished: Finished) -> dict[Any, Any]:
    """Return what is named after a thought with an entry for each of its steps, where the run swept over them.

    Parameters
    ----------
    named
        Places or worlds of mediators, by the site's name or by tuples that begin with it.
    finished
        The run: only its plain generations tell how many steps there are.
    """
    steps = finished.report.get("rollout", {}).get("steps")
    if steps is None:
        return dict(named)
    return {_renamed(name, step): at_step(one, step) for step in range(steps) for name, one in named.items()}


def _renamed(name: Any, step: int) -> Any:
    if isinstance(name, tuple):
        return (_renamed(name[0], step), *name[1:])
    return name.replace("@each", f"@{step}")


def _random_donors(worlds: Iterable[World]) -> Donor | None:
    """Return what says which other unit was the donor, there or in a donor world; None where none was."""
    worlds = list(worlds)
    entries = [entry for world in (*worlds, *inside(worlds)) if world.assignment for entry in world.assignment.entries]
    return one_donor(need for _, what in entries for need in what.needs() if isinstance(need, Donor))


def one_donor(needs: Iterable[Donor]) -> Donor | None:
    """Return the donor of another unit among `needs`; None where there is none.

    Warns
    -----
    DonorsWarning
        If donors are of several kinds: a row has one donor, so that None is returned.
    """
    others = {(need.unit, need.column, need.index): need for need in needs if need.unit != "own"}
    if len(others) > 1:
        kinds = ", ".join(sorted({one[0] for one in others}))
        warn(
            f"Mediators come from {len(others)} kinds of donors at once ({kinds}), and a row names one donor. "
            "Intervals count units as receivers only, and are too narrow where donors differ. Use the same Swap at all "
            "sites of an arm, or ask about each kind in a call of its own.",
            DonorsWarning,
        )
    return next(iter(others.values())) if len(others) == 1 else None
