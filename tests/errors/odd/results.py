"""Valid calls of what is made from outcomes, and of what draws it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import mediation as med
from mediation import datasets, plot
from tests.datasets import files
from tests.errors.bench import Bench
from tests.errors.odd.recipe import Recipe, of

INFERENCE = {"method": "percentile", "confidence_level": 0.9, "n_resamples": 99, "rng": 0}


@cache
def outcomes() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 4)), columns=["y00", "y01", "y10", "y11"])
    frame["y11"] += 5.0
    return frame.assign(unit=range(12), cluster=list("abcdef") * 2, weight=1.0)


@cache
def covariates() -> pd.DataFrame:
    return pd.DataFrame({"unit": range(12), "kind": list("ab") * 6, "length": range(12)})


@cache
def effects(seed: int = 0) -> med.Effects:
    frame = outcomes().assign(cluster=range(12))
    return med.effects(frame.assign(y01=frame["y01"] + seed), n_resamples=99, rng=0, method="percentile")


@cache
def sweep() -> med.Effects:
    frame = outcomes().assign(cluster=range(12))
    parts = [frame.assign(site=f"s{i}", y01=frame["y01"] + i) for i in range(4)]
    return med.effects(pd.concat(parts), estimands="pnie", n_resamples=99, rng=0, method="percentile")


@cache
def read() -> pd.DataFrame:
    return datasets.read(pd.DataFrame(files.vstar(files.png(1))))


@cache
def regression() -> Any:
    return effects().regress("~ length", frame=covariates(), estimands="te")


def _results() -> list[Recipe]:
    return [
        of("effects", med.effects, frame=outcomes(), estimands=["te", "pnie"], provenance={"model": "mine"},
           draws="independent", cluster="cluster", **INFERENCE),
        of("Effects", med.Effects, table=effects().tidy(), units=effects().units, provenance={}, kind="effects"),
        of("AbstractTesting.adjust", sweep().adjust, method="bh", family="estimand"),
        of("AbstractModeration.by", effects().by, column="kind", frame=covariates(), estimands="te"),
        of("AbstractModeration.by", effects().by, column="kind", frame=covariates().set_index("unit")["kind"],
           estimands=["te"]),
        of("AbstractModeration.regress", effects().regress, formula="~ length", frame=covariates(), estimands="te",
           covariance="CR2", confidence_level=0.9),
        of("Effects.compare", effects().compare, other=effects(1), paired=True, labels=("one", "two"), estimands="te",
           **INFERENCE),
        of("Effects.confidence_set", effects().confidence_set, estimand="te", site=None),
        of("Effects.confidence_set", sweep().confidence_set, estimand="pnie", site="s1", outcome=None),
        of("AbstractTesting.equivalence", effects().equivalence, margin=0.5, alpha=0.05, estimands="pnie",
           relative_to=None),
        of("AbstractTesting.equivalence", effects().equivalence, margin=0.5, estimands=["pnie"], relative_to="te"),
        of("AbstractTesting.hierarchy", sweep().hierarchy, estimand="pnie", alpha=0.1,
           layers={"s0": 0, "s1": 0, "s2": 1, "s3": 1}),
        of("Effects.summary", effects().summary, estimand="te", most=3),
        of("Effects.summary", sweep().summary, estimand="pnie", most=3),
        of("AbstractTesting.test", effects().test, estimand=["te"], method="sign-flip", alternative="two-sided",
           n_flips=99),
        Recipe("Effects.save", lambda b: effects().save, lambda b: {"path": str(b.folder / "odd.parquet")}),
        Recipe("read", lambda b: med.read, lambda b: {
            "path": effects().save(b.folder / "odd.parquet"), "max_bytes": 2**20}),
        of("compare_many", med.compare_many, results=[effects(), effects(1)], labels=["a", "b"], reference="a",
           paired=True, estimands="te", **INFERENCE),
        of("compare_many", med.compare_many, results={"a": effects(), "b": effects(1)}, paired=True, estimands=["te"],
           n_resamples=99),
        of("power", med.power, pilot=effects(), estimand="te", site=None, arm=None, effect=1.0, margin=0.5, n=[20, 40],
           alpha=0.05, power=0.8, sd="estimate", simulate=0, rng=0),
        of("power", med.power, pilot=effects(), estimand="te", n=20, simulate=19, rng=0),
        of("power", med.power, pilot=sweep(), estimand="pnie", site="s1"),
        of("Power.summary", med.power(effects(), estimand="te").summary),
        of("Regression.summary", regression().summary, estimand="te"),
        of("IntervalSet.contains", effects().confidence_set("te").contains, value=0.5),
    ]  # fmt: skip


@cache
def compared() -> med.Effects:
    return effects().compare(effects(1), paired=True)


@cache
def similar() -> Any:
    states = med.probing.States(np.random.default_rng(0).normal(size=(12, 3, 4)), name="latents")
    return med.probing.similarity(states, n_resamples=99)


@cache
def probed() -> Any:
    states = med.probing.States(np.random.default_rng(0).normal(size=(20, 2, 4)), name="latents")
    return med.probing.probe_steps(states, {"colour": [0, 1] * 10}, n_splits=2, n_controls=1)


def plots(b: Bench) -> dict[str, dict[str, Any]]:
    arms = med.doses(lambda scale: med.GaussianNoise(scale).at(med.Site("fc1")), [0.5, 1.0])
    three = {name: med.Site(name) for name in ("fc1", "fc2")}
    how = {"n_resamples": 99, "rng": 0, "checks": 0, "progress": False}
    outcome = med.LogitDiff(0, 1)
    return {
        "compare": {"comparison": compared(), "ax": None, "estimand": "te", "most": 5},
        "decay": {"similarity": similar(), "measure": "intra cosine", "ax": None},
        "decomposition": {"effects": effects(), "ax": None},
        "dose": {"effects": med.ablate(b.plain, b.tensors, arms, outcome, run="base", **how), "ax": None},
        "equivalence": {"effects": effects().equivalence(0.5), "ax": None, "estimand": "te", "most": 5},
        "draw": {"effects": effects(), "ax": None},
        "forest": {"effects": effects(), "ax": None, "estimand": "te", "most": 5},
        "heatmap": {"effects": b.sweep, "estimand": "pnie", "ax": None, "position": "last", "head": None, "unit": None,
                    "feature": None, "limit": 1.0, "cmap": "RdBu_r"},
        "interaction": {"effects": med.interactions(b.plain, b.tensors, three, outcome, **how),
                        "estimand": "pair_interaction", "ax": None, "limit": 1.0, "cmap": "RdBu_r"},
        "power": {"power": med.power(effects(), estimand="te", margin=0.5), "ax": None, "show": "power"},
        "probe": {"probes": probed(), "ax": None, "attribute": "colour"},
        "similarity": {"matrix": np.eye(2), "measure": "intra cosine", "ax": None, "labels": ["a", "b"], "name": "m",
                       "low": 0.0, "cmap": "cividis", "colorbar": True},
        "specification": {"effects": med.specification(b.plain, b.tensors, med.Site("fc1"), {"logit": outcome},
                                                       arms={"zero": med.Zero()}, run="base", **how),
                          "ax": None, "estimand": None, "outcome": None},
    }  # fmt: skip


_DRAWN: dict[str, Any] = {}


def drawn(b: Bench, name: str) -> dict[str, Any]:
    if not _DRAWN:
        _DRAWN.update(plots(b))
    return dict(_DRAWN[name])


def themed(**settings: Any) -> None:
    with plot.theme(**settings):
        pass


def _plots() -> list[Recipe]:
    return [
        *[Recipe(f"plot.{name}", lambda b, n=name: getattr(plot, n), lambda b, n=name: drawn(b, n)) for name in (
            "compare", "decay", "decomposition", "dose", "draw", "equivalence", "forest", "heatmap", "interaction",
            "power", "probe", "similarity", "specification")],
        of("plot.theme", themed, font_size=8),
    ]  # fmt: skip


def _datasets() -> list[Recipe]:
    return [
        of("datasets.Picture", datasets.Picture, source="a.png", size=(1, 1), digest="0"),
        of("datasets.Protocol", datasets.Protocol, system=None, suffix="Think.", max_new_tokens=5, min_pixels=1,
           max_pixels=2, answer_prefix="A:"),
        of("datasets.Protocol.asked", datasets.Protocol(suffix="Think.").asked, question="Why?"),
        of("datasets.cyclic", datasets.cyclic, frame=read()),
        of("datasets.extract", datasets.extract, text="The answer is (A)", options={"A": "red", "B": "blue"},
           layout=None),
        of("datasets.needle", datasets.needle, n=2, kind="colour", rng=0),
        of("datasets.opened", datasets.opened, pictures=list(read()["images"].iloc[0])),
        of("datasets.planning", datasets.planning, n=2, rng=0),
        Recipe("datasets.read", lambda b: datasets.read, lambda b: {
            "path": pd.DataFrame(files.vstar(files.png(1))), "layout": None, "images": str(b.folder), "limit": 1,
            "max_bytes": 2**20}),
        of("datasets.scores", datasets.scores, frame=read(), said=["A"] * len(read()), layout=None, level=0.9),
        of("datasets.scores", datasets.scores, frame=read(), said={str(one): "A" for one in read()["id"]}),
        of("datasets.simulate", datasets.simulate, map=[[1, 2]], moves="R"),
    ]  # fmt: skip


@cache
def recipes() -> list[Recipe]:
    """Return every recipe."""
    return [*_results(), *_plots(), *_datasets()]
