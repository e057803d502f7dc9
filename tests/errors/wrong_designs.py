"""Wrong comparisons, and wrong words on random draws."""

from __future__ import annotations

import pandas as pd

import mediation as med
from tests.errors.bench import Bench, Call


def _some(b: Bench, units: int) -> med.Effects:
    return med.effects(b.outcomes.head(units), estimands=["te", "pnie"], rng=0, n_resamples=99)


def _sites(b: Bench, *sites: str) -> med.Effects:
    frame = b.outcomes.assign(unit=range(6))
    frames = pd.concat([frame.assign(site=site) for site in sites])
    return med.effects(frames, estimands=["te", "pnie"], rng=0, n_resamples=99)


DESIGNS: dict[str, Call] = {
    "draws in another word": lambda b: med.effects(b.drawn, draws="common"),
    "shared draws with a gap": lambda b: med.effects(b.drawn.drop(index=3), draws="shared"),
    "compared with a frame": lambda b: b.effects.compare(b.outcomes),
    "compared with an ablation": lambda b: b.effects.compare(b.arms),
    "compared with a comparison": lambda b: b.effects.compare(b.effects.compare(_some(b, 5), paired=False)),
    "one label": lambda b: b.effects.compare(b.effects, labels="small"),
    "the same label twice": lambda b: b.effects.compare(b.effects, labels=("a", "a")),
    "paired in words": lambda b: b.effects.compare(b.effects, paired="yes"),
    "pairs of other units": lambda b: b.effects.compare(_some(b, 5), paired=True),
    "sweeps of other sites": lambda b: _sites(b, "mlp[1]", "mlp[2]").compare(_sites(b, "mlp[1]", "mlp[3]")),
    "a sweep with one mediator": lambda b: _sites(b, "mlp[1]", "mlp[2]").compare(b.effects),
    "two groups by bca": lambda b: b.effects.compare(_some(b, 5), method="bca", paired=False),
    "an estimand of another donor": lambda b: b.effects.compare(b.effects, estimands="iie"),
    "drawn before it is compared": lambda b: med.plot.compare(b.effects),
}
