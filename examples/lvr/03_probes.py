"""What does a thought hold? Probes of latents, and questions that are answered from the latents alone.

Experiment 3 of arXiv:2602.22766. Linear and small nonlinear probes read the attributes of the region of interest from
each latent, out of sample and against shuffled labels, beside the question alone, random latents and the image. Then
the model itself is asked a *derived* question (same object, another attribute) with its latents and without the image.

Usage: python examples/lvr/03_probes.py [--n 240] [--out DIR]
       python examples/lvr/03_probes.py --model mirage
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.datasets import synthetic
from mediation.demo import Worked, worked
from mediation.probing import capture, probe_steps, random_like


def probed(case: Worked, estimator: str) -> med.probing.Probes:
    """Return how well the attributes of the object can be read from each latent."""
    latents = capture(case.model, case.own, med.latents(), max_new_tokens=case.max_new_tokens)
    baselines = {
        "text only": capture(case.model, case.own, med.question(), layer="input").mean(),
        "random Z": random_like(latents, rng=1),
        "image": capture(case.model, case.own, med.image(box="box"), layer="input").mean(),
    }
    labels = case.frame[["colour", "ground"]]
    return probe_steps(latents, labels, baselines=baselines, estimator=estimator, n_controls=2, rng=0)


def derived(case: Worked) -> pd.DataFrame:
    """Return how often a question about the object's ground is answered from latents that were made for its colour."""
    latents = capture(case.model, case.own, med.latents(), max_new_tokens=case.max_new_tokens)
    asked = [synthetic.QUESTIONS["ground"].format(shape=shape) for shape in case.frame["shape"]]
    answers = pd.DataFrame({"answer": case.frame["ground"], "options": [synthetic.GROUNDS] * len(asked)})
    blind = med.Pairs(base=med.prompts(case.model, asked), frame=answers)
    seeing = med.Pairs(base=med.prompts(case.model, asked, [one.images for one in case.own]), frame=answers)
    put = {
        "Z": med.Oracle(latents.values),
        "random Z": med.Oracle(random_like(latents, rng=1).values),
        "no Z": med.Skip(),
    }
    arms = {name: one.at(med.latents()) for name, one in put.items()}
    how = {"max_new_tokens": case.max_new_tokens, "rng": 0}
    correct = med.AnswerCorrect("answer", options="options")
    units = med.ablate(case.model, blind, arms, correct, **how).units
    found = {name: rows["ym"] for name, rows in units.groupby("arm", sort=False)}
    found["image"] = med.ablate(case.model, seeing, {"own": med.Scale(1.0).at(med.latents())}, correct, **how).units[
        "y"
    ]
    return pd.DataFrame(
        {name: (values.mean(), *med.inference.wilson_interval(values.to_numpy())) for name, values in found.items()},
        index=["accuracy", "low", "high"],
    ).T


def main() -> None:
    case = worked("lvr", n=240)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for ax, estimator in zip(axes, ("linear", "mlp"), strict=True):
        found = probed(case, estimator)
        print(found.tidy().round(3).to_string())
        med.plot.probe(found, ax=ax)
        ax.set_title(f"{case.name}: {estimator} probe")
    table = derived(case)
    print(table.round(3).to_string())
    case.save(table.reset_index(names="condition"), "lvr-3-derived-questions.csv")
    case.save(figure, "lvr-3-probes.png")
    assert table.loc["image", "low"] > 1 / 4, "with the image, the derived question can be answered"


if __name__ == "__main__":
    main()
