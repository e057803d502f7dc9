"""The sweep by `mediation`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

import mediation as med

from .case import Case, Site
from .watch import Arm, Timed, Watch

_FEW = 99  # resamples: the statistics are timed apart
_OF = {1: ["pnie"], 2: ["pnie", "pnde"]}


def ours(case: Case, units: Sequence[int], *, bfloat16: bool) -> list[Arm]:
    """Return the arms of `mediation`: few and many units, one and two directions, with and without its self-check.

    Two directions and half precision are timed for the second number of units.
    """
    model = loaded(case)
    few, some = sorted(units)[:2]
    arms = [one_arm(case, model, f"mediation, {_units(n)}", n) for n in units]
    arms.append(one_arm(case, model, f"mediation, {_units(few)}, no self-check", few, checks=0))
    arms.append(one_arm(case, model, f"mediation, {_units(some)}, both directions", some, directions=2))
    if bfloat16 and model.dtype == torch.float32:
        half = f"mediation, {_units(some)}, bfloat16"
        arms.append(one_arm(case, model, half, some, exact=False, precision="bfloat16"))
        arms.append(one_arm(case, model, f"{half}, no re-check", some, exact=False, precision="bfloat16", recheck=0))
    return arms


def loaded(case: Case) -> med.Model:
    """Return the model of a case as `mediation` takes it."""
    return med.load(case.bare(), tokenizer=case.tokenizer)


def statistics(frame: Any, clock: Callable[[], float]) -> float:
    """Return the seconds of bootstrap-t intervals and bands, by default settings, from the outcomes of a sweep."""
    watch = Watch(clock)
    with watch("statistics"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        med.effects(frame, estimands=["pnie"], rng=0)
    return watch.spent["statistics"]


def _units(n: int) -> str:
    return "1 unit" if n == 1 else f"{n} units"


def one_arm(
    case: Case, model: med.Model, name: str, units: int, *, directions: int = 1, exact: bool = True, **options: Any
) -> Arm:
    """Return the arm that sweeps some units, in one direction or both."""
    places = {str(position): position for position in case.positions}

    def run(sites: Sequence[Site], watch: Watch) -> Timed:
        with watch("mediate"):
            found = _mediate(case, model, units, directions, options)
        with watch("statistics"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            med.effects(found.units, estimands=_OF[directions], method="t", n_resamples=_FEW, rng=0)
        values = {}
        table = found.tidy().drop_duplicates("site").set_index("site")
        for site, unit, value in found.units[["site", "unit", "y01"]].itertuples(index=False):
            place = places[str(table.loc[site, "position"])]
            values[(unit, int(table.loc[site, "layer"]), place)] = float(value)
        took = max(0.0, watch.spent["mediate"] - watch.spent["statistics"])
        kept = {
            "statistics": watch.spent["statistics"],
            "passes": found.provenance["plan"].get("passes"),
            "units": found.units,
            "effects": found.tidy().query("estimand == 'pnie'").set_index("site"),
        }
        return Timed(values, 0.0, took, len(case.sites()) * units * directions, kept)

    return Arm(name, run, units, directions, exact)


def _mediate(case: Case, model: med.Model, units: int, directions: int, options: dict[str, Any]) -> Any:
    pairs = med.Pairs(base=case.base[:units].tolist(), source=case.source[:units].tolist())
    mediator = med.residual(at=case.positions[0])
    for position in case.positions[1:]:
        mediator = mediator | med.residual(at=position)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few units and half precision, both as asked
        return med.mediate(
            model,
            pairs,
            mediator,
            med.LogitDiff(case.answer, case.foil),
            estimands=_OF[directions],
            method="t",
            n_resamples=_FEW,
            rng=0,
            progress=False,
            **options,
        )
