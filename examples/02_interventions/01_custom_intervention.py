"""An intervention of your own: a decorated function, its laws, and a dose-response curve.

`shrink` keeps only part of each unit's deviation from the mean activation of the site. Arguments after the star are
filled in by the run. `check_laws` tests what every run relies on before the function is let near a model.

Usage: python examples/02_interventions/01_custom_intervention.py [picture.png]
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

import mediation as med


@med.intervention
def shrink(hidden: Tensor, keep: float = 1.0, *, mean: Tensor) -> Tensor:
    return mean + keep * (hidden - mean)


def main() -> None:
    med.testing.check_laws(shrink(keep=0.5), torch.randn(5, 3, 8, generator=torch.Generator().manual_seed(0)))

    model = med.testing.ParallelMediators(gains=(1.0, -2.0), weights=(3.0, 4.0), direct=5.0)
    x = torch.randn(80, 1, generator=torch.Generator().manual_seed(1)) ** 2  # a skewed input
    pairs = med.Pairs(base=x)
    site = med.Site("mediators.1")
    arms = {
        **med.doses(lambda keep: shrink(keep=keep).at(site), [0.0, 0.25, 0.5, 0.75], name="shrink"),
        "zero": med.Zero().at(site),
        "zero, then shifted back": (med.Zero() >> med.Add(float(-2 * x.mean()))).at(site),
    }
    ablation = med.ablate(model, pairs, arms, med.testing.first_output, rng=0)
    print(ablation.summary())
    with med.plot.theme():
        ax = med.plot.dose(ablation)
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    found = ablation.tidy().set_index(["arm", "dose"])["estimate"]
    assert abs(found["zero"].item() - float(4 * -2 * x.mean())) < 1e-4, "zero ablation takes away 4 * (-2 x)"
    assert found["shrink"].abs().max() < 1e-4, "shrinking towards the mean moves no average of a linear model"


if __name__ == "__main__":
    main()
