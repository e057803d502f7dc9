"""Realistic results, made from synthetic units without a model: 'effects', a sweep, an ablation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mediation.results import Effects

MEANS = {
    "te": {"y11": 1, "y00": -1},
    "pnde": {"y10": 1, "y00": -1},
    "tnde": {"y11": 1, "y01": -1},
    "pnie": {"y01": 1, "y00": -1},
    "tnie": {"y11": 1, "y10": -1},
    "int_med": {"y11": 1, "y10": -1, "y01": -1, "y00": 1},
}
TOKENS = ("The", " Eiffel", " Tower", " is", " located", " in", " the", " city", " of")


def provenance(**more: Any) -> dict[str, Any]:
    return {
        "model": {
            "id": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "architecture": "LlamaForCausalLM",
            "dtype": "float32",
            "device": "cpu",
            "n_layers": 30,
        },
        "outcome": "LogitDiff('answer', 'foil')",
        "pairs": {"n": 200, "n_clusters": 20, "base": "corrupted", "source": "clean", "cluster": "template"},
        "seed": 0,
        "inference": {"method": "bootstrap-t", "confidence_level": 0.95, "n_resamples": 9999},
        **more,
    }


def _cluster_mean(values: np.ndarray, cluster: np.ndarray) -> tuple[float, float, float, float, float]:
    """Mean, cluster-robust standard error, t interval, p."""
    mean = float(values.mean())
    sums = np.array([np.sum(values[cluster == c] - mean) for c in np.unique(cluster)])
    j = len(sums)
    error = math.sqrt(j / (j - 1) * float((sums**2).sum())) / len(values)
    if error == 0:
        return mean, math.nan, math.nan, math.nan, math.nan
    half = float(stats.t.ppf(0.975, j - 1)) * error
    return mean, error, mean - half, mean + half, float(max(2 * stats.t.sf(abs(mean) / error, j - 1), 1e-4))


def make_units(*, n: int = 200, n_clusters: int = 20, te: float = 2.4, seed: int = 0, site: str = "") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) % n_clusters
    shift = rng.normal(scale=0.3, size=n_clusters)[cluster]
    noise = rng.normal(scale=0.8, size=(n, 4))
    base = -1.2 + rng.normal(scale=0.5, size=n)
    return pd.DataFrame(
        {
            "site": site,
            "unit": np.arange(n),
            "cluster": [f"template {c}" for c in cluster],
            "weight": 1.0,
            "draw": 0,
            "y00": base,
            "y01": base + 0.45 * te + 0.6 * shift + 0.6 * noise[:, 0],
            "y10": base + 0.30 * te + 0.4 * shift + 0.6 * noise[:, 1],
            "y11": base + te + shift + noise[:, 2],
        }
    )


def make_effects(*, te: float = 2.4, n: int = 200, n_clusters: int = 20, seed: int = 0, pm: bool = True) -> Effects:
    site = "residual[12]@last"
    units = make_units(n=n, n_clusters=n_clusters, te=te, seed=seed, site=site)
    cluster = units["cluster"].to_numpy()
    rows = []
    for key, signs in MEANS.items():
        values = sum(sign * units[column].to_numpy() for column, sign in signs.items())
        rows.append((key, *_cluster_mean(np.asarray(values), cluster), "bootstrap-t"))
    if pm:
        rows.append(("pm", *_fieller(units, cluster)))
    table = pd.DataFrame(
        rows, columns=["estimand", "estimate", "std_error", "conf_low", "conf_high", "p_value", "method"]
    ).assign(site=site, n=n, n_clusters=n_clusters)
    return Effects(table, units, provenance(mediator=site))


def _fieller(units: pd.DataFrame, cluster: np.ndarray) -> tuple[float, float, float, float, float, str]:
    top, bottom = (units["y11"] - units["y10"]).to_numpy(), (units["y11"] - units["y00"]).to_numpy()
    ratio = float(top.mean() / bottom.mean())
    error = _cluster_mean(top - ratio * bottom, cluster)[1] / abs(float(bottom.mean()))
    j = len(np.unique(cluster))
    t2 = float(stats.t.ppf(0.975, j - 1)) ** 2
    var_bottom, var_top = _cluster_mean(bottom, cluster)[1] ** 2, _cluster_mean(top, cluster)[1] ** 2
    cov = (_cluster_mean(top + bottom, cluster)[1] ** 2 - var_bottom - var_top) / 2
    a = float(bottom.mean()) ** 2 - t2 * var_bottom
    if a <= 0:
        return ratio, math.nan, -math.inf, math.inf, math.nan, "fieller (unbounded)"
    b = float(top.mean() * bottom.mean()) - t2 * cov
    c = float(top.mean()) ** 2 - t2 * var_top
    root = math.sqrt(b * b - a * c)
    return ratio, error, (b - root) / a, (b + root) / a, math.nan, "fieller"


def make_sweep(
    *,
    layers: Sequence[int] = tuple(range(30)),
    positions: Sequence[int] = tuple(range(9)),
    heads: Sequence[int] | None = None,
    tokens: Sequence[str] = TOKENS,
    estimands: Sequence[str] = ("te", "pnie", "tnie"),
    n: int = 200,
    seed: int = 0,
    shuffle: bool = False,
) -> Effects:
    """Make a residual sweep: the subject matters early, the last position late, position 0 and dead ends never."""
    rng = np.random.default_rng(seed)
    deepest = max(layers)
    rows = []
    units = make_units(n=n)
    for layer in layers:
        for position in positions:
            for head in heads if heads is not None else [None]:
                site = (
                    f"residual[{layer}]@{position}" if head is None else f"attention[{layer}].head[{head}]@{position}"
                )
                depth = layer / max(deepest, 1)
                subject = 1.9 * math.exp(-(((depth - 0.2) / 0.28) ** 2)) * (position == 2)
                late = 2.4 / (1 + math.exp(-14 * (depth - 0.62))) * (position == max(positions))
                against = -0.8 * math.exp(-(((depth - 0.45) / 0.12) ** 2)) * (position == 5)
                dead = position == 0 or (depth == 1 and position != max(positions))
                scale = 0.25 if head is not None else 1.0
                for key in estimands:
                    value = 2.4 if key == "te" else scale * (subject + late + against) * (0.8 if key == "tnie" else 1.0)
                    value += 0 if key == "te" else rng.normal(scale=0.06)
                    error = 0.12 + 0.05 * abs(value)
                    numbers = (
                        value,
                        error,
                        value - 2.1 * error,
                        value + 2.1 * error,
                        value - 3.7 * error,
                        value + 3.7 * error,
                    )
                    p = float(max(2 * stats.norm.sf(abs(value) / error), 1e-4))
                    p_values = (p, min(1.0, 40 * p))
                    if dead and key != "te":
                        numbers, p_values = (0.0, *[math.nan] * 5), (math.nan, math.nan)
                    rows.append((key, site, *numbers, *p_values, layer, position, head))
    names = ["estimand", "site", "estimate", "std_error", "conf_low", "conf_high", "band_low", "band_high"]
    table = pd.DataFrame(rows, columns=[*names, "p_value", "p_adjusted", "layer", "position", "head"])
    table = table.assign(
        feature=pd.array([pd.NA] * len(table), dtype="Int64"), method="bootstrap-t", n=n, n_clusters=20
    )
    if shuffle:
        table = table.sample(frac=1, random_state=1)
    labels = {str(position): f"{position} {token!r}" for position, token in zip(positions, tokens, strict=False)}
    return Effects(table, units, provenance(kind="sweep", mediator="residual(at='each')", position_labels=labels))


ABLATED = (("mlp(8)", "mlp[8]", 1.6), ("attention(9, head=3)", "attention[9].head[3]", 0.5))


def make_ablation(
    *,
    doses: Sequence[float] = (0.1, 0.25, 0.5, 1.0, 2.0),
    zero: bool = True,
    sites: Sequence[tuple[str, str, float]] = ABLATED,
    noise: str | None = None,
    seed: int = 0,
) -> Effects:
    """Make doses of noise at some sites (code, name, largest effect); `noise` is what the arm is called."""
    rng = np.random.default_rng(seed)
    rows = []
    for code, site, top in sites:
        for dose in doses:
            value = top * (1 - math.exp(-1.4 * dose)) + rng.normal(scale=0.03)
            error = 0.06 + 0.05 * dose
            rows.append((noise or f"GaussianNoise({dose!r}).at({code})", site, dose, value, error, 10))
        if zero:
            rows.append((f"Zero().at({code})", site, math.nan, 1.1 * top, 0.11, 1))
    table = pd.DataFrame(rows, columns=["arm", "site", "dose", "estimate", "std_error", "n_draws"])
    table = table.assign(
        estimand="ablation",
        conf_low=table["estimate"] - 2.1 * table["std_error"],
        conf_high=table["estimate"] + 2.1 * table["std_error"],
        p_value=[
            max(2 * stats.norm.sf(abs(a / b)), 1e-4) for a, b in zip(table["estimate"], table["std_error"], strict=True)
        ],
        method="bootstrap-t",
        n=200,
        n_clusters=200,
    )
    units = (
        make_units(n=50)
        .drop(columns=["y00", "y01", "y10", "y11"])
        .assign(arm="Zero().at(mlp(8))", dose=math.nan, y=1.0, ym=0.5)
    )
    return Effects(table, units, provenance(kind="ablation"))


CONTROL_MEANS = {
    "none": 1.0,
    "self-patch": 0.0,
    "unrelated unit": 0.5,
    "random direction": 0.03,
    "shuffled pairs": 0.5,
    "shuffled answers": 0.01,
    "re-initialised model": 0.0002,
}


def make_controls(
    *, estimands: Sequence[str] = ("pnie",), sites: Sequence[str] = ("residual[12]@last",), seed: int = 0
) -> Effects:
    """Make an effect with all its controls: half of it is what any unit's activation does."""
    rng = np.random.default_rng(seed)
    rows, frames = [], []
    for key in estimands:
        for place, site in enumerate(sites):
            size = 2.4 / (1 + place) * (1.1 if key == "tnie" else 1.0)
            spread = 0.4 * rng.normal(size=60)
            values = {
                name: size * mean * (1 + spread) + 0.1 * abs(mean) * rng.normal(size=60)
                for name, mean in CONTROL_MEANS.items()
            }
            drawn = [name for name in CONTROL_MEANS if name.startswith(("unrelated", "random", "shuffled"))]
            values |= {f"beyond {name}": values["none"] - values[name] for name in drawn}
            for name, numbers in values.items():
                row = (*_cluster_mean(numbers, np.arange(60)), "bootstrap-t (B=9999)")
                if name == "self-patch":
                    row = (0.0, *[math.nan] * 4, "degenerate")
                rows.append((key, site, name, 10 if name.removeprefix("beyond ") in drawn else 1, *row))
                if name in CONTROL_MEANS:
                    frames.append(pd.DataFrame({"site": site, "control": name, "unit": np.arange(60), "y01": numbers}))
    names = ["estimand", "site", "control", "n_draws", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    table = pd.DataFrame(rows, columns=[*names, "method"]).assign(n=60, n_clusters=60)
    units = pd.concat(frames, ignore_index=True).drop_duplicates(["site", "control", "unit"])
    units = units.assign(cluster=units["unit"], weight=1.0, draw=0, donor=-1, y00=0.0)
    account = {"self_patch": {"cells": 60, "max_abs_difference": 2.4e-6}, "left_out": {}}
    return Effects(table, units, provenance(kind="controls", controls=account))


def change(effects: Effects, row: int, **values: Any) -> Effects:
    """Return the effects with some values of one row replaced."""
    table = effects.tidy()
    for name, value in values.items():
        table.loc[row, name] = value
    return Effects(table, effects.units, effects.provenance)
