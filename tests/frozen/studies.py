"""The frozen set: families x sites x interventions x estimands, thoughts included, each a frame of units and results.

Run as a script it writes every number that the studies give; `compare.py` does that with two versions of the package.
Only names of the contract are used, so that earlier and later versions understand it.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import mediation as med
from mediation.testing import first_output, tiny_model, tiny_tokenizer

PLACES = ["France", "Italy", "Germany", "Spain", "France", "Spain"]
CITIES = [" Paris", " Rome", " Berlin", " Madrid", " Paris", " Madrid"]
FAMILIES = ("llama", "gpt2", "gemma2", "opt", "gpt_neox", "qwen2_moe")
OUTCOME = med.LogitDiff(" Paris", " Rome")
FEW = {"n_resamples": 49, "rng": 7, "progress": False}

Study = Callable[[], Any]


def words(family: str, **more: Any) -> med.Model:
    return med.load(tiny_model(family, layers=3, **more), tiny_tokenizer())


def pairs(*, uneven: bool = True) -> med.Pairs:
    """Six pairs; the last two are longer than the others if `uneven`."""
    base = [f"The capital of {place} is the city" for place in PLACES]
    source = [f"The capital of {place} is the city" for place in PLACES[1:] + PLACES[:1]]
    if uneven:
        base[4:] = [f"When in Italy, {text}" for text in base[4:]]
        source[4:] = [f"When in Italy, {text}" for text in source[4:]]
    return med.Pairs(base=base, source=source, cluster=["a", "b", "c", "a", "b", "c"])


def sweeps(family: str) -> Iterator[tuple[str, Study]]:
    model, units = words(family), pairs()
    sites = {
        "every layer, last": med.residual(at="last"),
        "two positions": med.residual(at=[-3, -1]),
        "heads": med.attention(1, head="each", at="last"),
        "mlp": med.mlp(at="last"),
        "joint": (med.residual(0, at="last") | med.mlp(2, at="last")).jointly(),
        "everywhere": med.attention(1),
    }
    if family != "qwen2_moe":
        sites["neurons"] = med.neurons(1, units=[0, 5], at="last")
    for name, site in sites.items():
        if name != "everywhere":
            yield f"{family}, {name}", lambda site=site: med.mediate(model, units, site, OUTCOME, **FEW)
    even = pairs(uneven=False)
    yield f"{family}, everywhere", lambda: med.mediate(model, even, sites["everywhere"], OUTCOME, **FEW)
    yield f"{family}, each position", lambda: med.mediate(model, even, med.residual(1, at="each"), OUTCOME, **FEW)
    yield f"{family}, without fan-out", lambda: med.mediate(model, units, sites["mlp"], OUTCOME, fan_out=False, **FEW)
    for name, arm in arms().items():
        yield (
            f"{family}, {name}",
            lambda arm=arm: med.ablate(model, even, arm, OUTCOME, n_draws=3, **FEW),
        )


def arms() -> dict[str, Any]:
    layer, late = med.mlp(1, at="last"), med.residual(2, at="last")
    return {
        "zero": med.Zero().at(layer),
        "mean": med.Mean().at(layer),
        "noise": med.GaussianNoise(0.5).at(layer),
        "swap": med.Swap().at(late),
        "two sites": med.Zero().at(layer) | med.Scale(0.5).at(late),
        "then": (med.Add(1.0) >> med.Scale(0.5)).at(layer),
        "source's": med.Interchange("source").at(layer),
    }


def outcomes() -> Iterator[tuple[str, Study]]:
    model, units = words("llama"), pairs()
    for outcome in (
        med.LogProb(" Paris"),
        med.Probability(" Paris"),
        med.Accuracy(" Paris"),
        med.KL(),
        med.LogProb(" Paris in Italy"),
    ):
        site = med.residual(at="last")
        yield f"{outcome!r}", lambda outcome=outcome, site=site: med.mediate(model, units, site, outcome, **FEW)
    yield (
        "random donors",
        lambda: med.mediate(model, units, med.mlp(1, at="last"), OUTCOME, donor=med.Swap(), n_draws=4, **FEW),
    )
    yield (
        "ablation beside",
        lambda: med.mediate(model, units, med.mlp(at="last"), OUTCOME, ablation=med.Zero(), **FEW),
    )
    yield "reference", lambda: med.mediate(model, units, med.mlp(at="last"), OUTCOME, backend="reference", **FEW)
    yield "hooks", lambda: med.mediate(model, units, med.mlp(at="last"), OUTCOME, backend="hooks", **FEW)
    yield "one at a time", lambda: med.mediate(model, units, med.mlp(at="last"), OUTCOME, batch_size=1, **FEW)
    eager = words("gpt2", attention="eager")
    pattern = med.pattern(1, head=2, at="last")
    yield "pattern", lambda: med.mediate(eager, pairs(uneven=False), pattern, OUTCOME, **FEW)
    yield "encoder", lambda: med.mediate(words("bert"), pairs(uneven=False), med.residual(at=-2), OUTCOME, **FEW)
    yield "controls", lambda: med.controls(model, units, med.mlp(1, at="last"), OUTCOME, **FEW)
    both = med.mlp(1, at="last") | med.mlp(2, at="last")
    yield "interactions", lambda: med.interactions(model, units, both, OUTCOME, **FEW)


def plain() -> Iterator[tuple[str, Study]]:
    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    units = med.Pairs(base=torch.randn(40, 3).double(), source=torch.randn(40, 3).double())
    yield "module", lambda: med.mediate(module, units, med.Site("1"), first_output, **FEW)
    features = med.Site("1", units=[0, 2])
    yield "features", lambda: med.mediate(module, units, features, first_output, **FEW)
    yield "noise", lambda: med.ablate(module, units, med.GaussianNoise(1.0).at(med.Site("1")), first_output, **FEW)


def thoughts() -> Iterator[tuple[str, Study]]:
    from tests.rollouts.replay import BASE, OUTCOME as ANSWERS, SOURCE, SPEC, exact

    model, units = exact(), med.Pairs(base=BASE, source=SOURCE)
    more = {**FEW, "spec": SPEC, "max_new_tokens": 8}
    for name, site in {
        "latents": med.latents(),
        "a step": med.latents(step=1),
        "steps": med.latents(step="each"),
    }.items():
        yield f"{name}", lambda site=site: med.mediate(model, units, site, ANSWERS, **more)
    for name, what in {"zero": med.Zero(), "noise": med.GaussianNoise(0.3), "swap": med.Swap()}.items():
        arm = what.at(med.latents())
        yield f"thought, {name}", lambda arm=arm: med.ablate(model, units, arm, ANSWERS, n_draws=2, **more)


def all_studies() -> Iterator[tuple[str, Study]]:
    """Yield the studies by name."""
    for family in FAMILIES:
        yield from sweeps(family)
    for kind in (outcomes, plain, thoughts):
        for name, study in kind():
            yield f"{kind.__name__}: {name}", study


def numbers(found: Any) -> dict[str, np.ndarray]:
    """Return every number of a result: outcomes by unit, then estimates, errors and intervals."""
    frames = {"units": found.units, "tidy": found.tidy()}
    return {
        f"{name} / {column}": frame[column].to_numpy(dtype=float)
        for name, frame in frames.items()
        for column in frame.select_dtypes("number").columns
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="an .npz file")
    parser.add_argument("--only", default="", help="names that contain this")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, np.ndarray] = {}
    for name, study in all_studies():
        if asked.only in name:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found |= {f"{name} / {key}": value for key, value in numbers(study()).items()}
            print(name, file=sys.stderr)
    np.savez(asked.out, **found)


if __name__ == "__main__":
    main()
