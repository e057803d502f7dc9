"""An intervention of your own: a decorated function, its laws, and a dose-response curve.

`shrink` keeps a part of each unit's deviation from the mean activation of the site. Arguments after the star are
filled in by the run. `check_laws` tests what every run relies on, before the function is let near a model. The outcome
here is the square of the mediator, so keeping a part k of the deviation takes away (1 - k^2) of its variance.

Usage: python examples/02_interventions/01_custom_intervention.py [picture.png]
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

import mediation as med


@med.intervention
def shrink(hidden: Tensor, keep: float = 1.0, *, mean: Tensor) -> Tensor:
    return mean + keep * (hidden - mean)


class Square(nn.Module):
    """The square of a mediator."""

    def __init__(self) -> None:
        super().__init__()
        self.mediator = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.mediator.weight, 3.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return m^2."""
        return self.mediator(x) ** 2


def main() -> None:
    med.testing.check_laws(shrink(keep=0.5), torch.randn(5, 3, 8, generator=torch.Generator().manual_seed(0)))

    x = torch.randn(80, 1, generator=torch.Generator().manual_seed(1))
    site = med.Site("mediator")
    arms = {
        **med.doses(lambda keep: shrink(keep=keep).at(site), [0.0, 0.25, 0.5, 0.75], name="shrink to keep"),
        "zero": med.Zero().at(site),
    }
    ablation = med.ablate(Square(), med.Pairs(base=x), arms, med.testing.first_output, rng=0)
    print(ablation.summary())
    with med.plot.theme():
        ax = med.plot.dose(ablation)
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    found = ablation.tidy().set_index("dose")["estimate"]
    variance = float((3 * x).var(unbiased=False))
    for keep in (0.0, 0.25, 0.5, 0.75):
        assert abs(found[keep] - (1 - keep**2) * variance) < 1e-3, "(1 - k^2) times the variance"


if __name__ == "__main__":
    main()
