"""What does a thought hold? Probes of latents, and questions that are answered from the latents alone.

Experiment 3 of arXiv:2602.22766. Linear and small nonlinear probes read attributes of the object from each latent, out
of sample and against shuffled labels, beside the question alone, random latents and the image. Then the model itself is
asked a *derived* question (same object, another attribute) with its latents and without the image, the thought opened
by hand. Baselines: no latents, random ones, the model's own ones of the question alone, the image.

Usage: python examples/lvr/03_probes.py [--model mirage] [--n 160] [--out DIR]
       python examples/lvr/03_probes.py --checkpoint PATH --spec monet --data vstar.parquet --derived derived.parquet
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import Worked, accuracy_of, with_interval, worked
from mediation.probing import Probes, States, probe_steps, random_like


def probed(case: Worked, latents: States, estimator: str) -> Probes:
    """Return how well attributes can be read from each latent."""
    baselines = {
        "text only": case.states(med.question(), layer="input", mean=True),
        "random Z": random_like(latents, rng=1),
        "image": case.states(med.image(box="box" if case.small else None), layer="input", mean=True),
    }
    # Few folds and one shuffle, to run in minutes on two cores; more of both make it sharper.
    labels = case.frame[["colour", "ground"] if case.small else ["answer"]]
    return probe_steps(latents, labels, baselines=baselines, estimator=estimator, n_splits=3, n_controls=1, rng=0)


def derived(case: Worked, latents: States) -> pd.DataFrame:
    """Return how often derived questions are answered rightly, from latents that were made for the unit's own one."""
    who = np.flatnonzero(latents.lengths > 0)
    asked, start = case.derived.iloc[who].reset_index(drop=True), case.model.spec.start
    blind = med.Pairs(base=case.prompts(asked["question"], answer=start), frame=asked)
    images = [case.own[unit].images for unit in who]
    seeing = med.Pairs(base=case.prompts(asked["question"], images, answer=start), frame=asked)

    def given(states: States) -> med.interventions.Oracle:
        return med.interventions.Oracle([states[unit, : states.lengths[unit]] for unit in who])

    put = {"Z": given(latents), "random Z": given(random_like(latents, rng=1)), "no Z": med.interventions.Skip()}
    arms = {name: one.at(med.latents()) for name, one in put.items()}
    correct = med.AnswerCorrect("answer", options="options")
    units = case.ablate(arms, correct, blind).units.pivot(index="unit", columns="arm", values=["y", "ym"])
    found = {name: units["ym"][name] for name in put} | {"Z of the question alone": units["y"]["Z"]}
    found["image"] = case.ablate({"no Z": arms["no Z"]}, correct, seeing).units["y"]
    return pd.DataFrame({name: accuracy_of(values) for name, values in found.items()}).T


def main() -> None:
    case = worked("lvr", n=160)
    latents = case.states()
    figure, axes = plt.subplots(2, 1, figsize=(9, 7.6), layout="constrained")
    for ax, estimator in zip(axes, ("linear", "mlp"), strict=True):
        found = probed(case, latents, estimator)
        med.plot.probe(found, ax=ax)
        ax.set_title(f"{case.name}, {estimator} probe, accuracy out of sample", loc="left", fontsize="medium", pad=20)
        table = found.tidy()
        cells = table.assign(cell=with_interval(table["accuracy"], table["conf_low"], table["conf_high"]))
        print(f"\n{case.name}: accuracy of {estimator} probes by step")
        print(cells.pivot(index=["attribute", "features"], columns="step", values="cell").to_string())
        case.save(table, f"lvr-3-probes-{estimator}.csv")
    case.save(figure, "lvr-3-probes.png")
    assert table["accuracy"].between(0, 1).all()
    if case.derived is not None:
        rows = derived(case, latents)
        print(f"\n{case.name}: derived questions\n{rows.round(3).to_string()}", case.foot, sep="\n")
        case.save(rows.reset_index(names="condition"), "lvr-3-derived-questions.csv")


if __name__ == "__main__":
    main()
