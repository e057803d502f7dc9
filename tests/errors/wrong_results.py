"""Wrong frames, files and pictures, and data from which no interval can be formed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import mediation as med
from tests.errors.bench import IDS, Bench, Call

FRAMES: dict[str, Call] = {
    "not a frame": lambda b: med.effects([[0.0, 1.0]]),
    "no rows": lambda b: med.effects(b.outcomes[:0]),
    "no potential outcome": lambda b: med.effects(b.outcomes.add_prefix("Y_")),
    "one potential outcome": lambda b: med.effects(b.outcomes[["y00"]]),
    "missing potential outcome": lambda b: med.effects(b.outcomes[["y00", "y01"]], estimands="te"),
    "NaN": lambda b: med.effects(b.outcomes.assign(y01=[0.0, 1.0, np.nan, 1.0, np.nan, 1.0])),
    "strings": lambda b: med.effects(b.outcomes.assign(y01="high")),
    "one string": lambda b: med.effects(b.outcomes.assign(y01=[0.1, 0.2, "n/a", 0.4, 0.5, 0.6])),
    "repeated column": lambda b: med.effects(b.outcomes[["y00", "y00", "y11"]]),
    "repeated rows": lambda b: med.effects(b.outcomes.assign(unit=[0, 1, 2, 3, 4, 4])),
    "draws without units": lambda b: med.effects(b.outcomes.assign(draw=0)),
    "unit missing": lambda b: med.effects(b.outcomes.assign(unit=["a", "b", "c", "d", "e", None])),
    "unit without a site": lambda b: med.effects(b.outcomes.assign(unit=[0, 1, 2, 0, 1, 3], site=list("aaabbb"))),
    "cluster missing": lambda b: med.effects(b.outcomes.assign(cluster=["a", "a", "b", None, "c", "c"])),
    "cluster that changes": lambda b: med.effects(b.drawn.assign(cluster=range(6))),
    "weight negative": lambda b: med.effects(b.outcomes.assign(weight=[1, 1, 1, -1, 1, 1])),
    "weight text": lambda b: med.effects(b.outcomes.assign(weight="heavy")),
    "dose text": lambda b: med.effects(b.ablations.assign(dose="low")),
    "unknown estimand": lambda b: med.effects(b.outcomes, estimands=["pm", "pnde2"]),
    "method": lambda b: med.effects(b.outcomes, method="bc_a"),
    "provenance": lambda b: med.effects(b.outcomes, provenance="my run"),
    "infinite": lambda b: med.effects(b.outcomes.assign(y10=[0.0, 1.0, np.inf, 1.0, 1.0, 1.0])),
    "draws that are fractions": lambda b: med.effects(b.outcomes.assign(unit=range(6), draw=0.5)),
    "estimands is empty": lambda b: med.effects(b.outcomes, estimands=[]),
    "rng": lambda b: med.effects(b.outcomes, rng="0"),
}


RESULTS: dict[str, Call] = {
    "file that is not there": lambda b: med.read(b.folder / "nothing.parquet"),
    "file of another kind": lambda b: med.read(b.folder / "table.csv"),
    "path that is none": lambda b: med.read(3),
    "corrupt account": lambda b: med.read(spoilt(b, "x.json", b"{")),
    "corrupt table": lambda b: med.read(spoilt(b, "x.parquet", b"PAR1")),
    "saved as csv": lambda b: b.effects.save(b.folder / "table.csv"),
    "summary of an unknown estimand": lambda b: b.effects.summary("pnei"),
    "summary of no rows": lambda b: b.sweep.summary(most=0),
    "table made by hand": lambda b: med.Effects(pd.DataFrame({"estimand": ["te"]}), b.effects.units, {}),
    "no file name": lambda b: b.effects.save(b.folder / ".."),
    "units half missing": lambda b: med.read(without(b, "x.units.parquet")),
}


PLOTS: dict[str, Call] = {
    "not effects": lambda b: med.plot.forest(b.effects.tidy()),
    "decomposition of a sweep": lambda b: med.plot.decomposition(b.sweep),
    "heatmap of one site": lambda b: med.plot.heatmap(b.effects),
    "heatmap of an unknown estimand": lambda b: med.plot.heatmap(b.sweep, "pni"),
    "heatmap at an unknown position": lambda b: med.plot.heatmap(b.sweep, position="first"),
    "heatmap limit": lambda b: med.plot.heatmap(b.sweep, limit=-1.0),
    "heatmap colours": lambda b: med.plot.heatmap(b.sweep, cmap="RdBu_rr"),
    "dose without doses": lambda b: med.plot.dose(b.arms),
    "dose of effects": lambda b: med.plot.dose(b.effects),
    "several axes": lambda b: med.plot.forest(b.effects, ax=[1, 2]),
    "parts missing": lambda b: med.plot.decomposition(med.effects(b.outcomes[["y00", "y11"]], rng=0, n_resamples=99)),
}


WARNINGS: dict[str, Call] = {
    "one cluster": lambda b: med.effects(b.outcomes.assign(cluster="a"), rng=0, n_resamples=99),
    "one unit": lambda b: med.effects(b.outcomes[:1], rng=0, n_resamples=99),
    "one unit, run": lambda b: b.lm(med.residual(1, at="last"), pairs=b.pairs.subset([0])),
    "same value": lambda b: med.effects(
        b.outcomes.assign(y01=0.0, y00=0.0), estimands=["te", "pnie", "tnie"], rng=0, n_resamples=99
    ),
    "share of a weak total effect": lambda b: med.effects(
        b.outcomes.assign(y11=b.outcomes["y00"].to_numpy()[::-1] + 0.1), rng=0, n_resamples=99
    ),
    "positions of unequal inputs": lambda b: b.on(IDS, [[3, 6, 8], [3, 6, 8, 9]], med.residual(1, at="each")),
}


def spoilt(b: Bench, name: str, content: bytes) -> Any:
    path = b.effects.save(b.folder / "x.parquet")
    (b.folder / name).write_bytes(content)
    return path


def without(b: Bench, name: str) -> Any:
    path = b.effects.save(b.folder / "x.parquet")
    (b.folder / name).unlink()
    return path
