"""Total, direct and indirect effects of a module with a known answer.

The mediator is M = 2x and the outcome Y = 3x + 4m + 5xm. A unit goes from x to x + d, so the truth can be worked out by
hand: denoising gives (4 + 5x) 2d, noising (4 + 5(x + d)) 2d, and their difference, the mediated interaction, is 10 d^2.
The two "pure" effects therefore do not add up to the total effect.

Usage: python examples/01_basics/01_total_effect.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mediation as med


class Net(nn.Module):
    """A mediator that interacts with the input."""

    def __init__(self) -> None:
        super().__init__()
        self.mediator = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.mediator.weight, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return Y(x, M(x))."""
        m = self.mediator(x)
        return 3 * x + 4 * m + 5 * x * m


@med.outcome
def first_column(output: Tensor) -> Tensor:
    return output[:, 0]


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    x, d = torch.randn(60, 1, generator=generator), torch.rand(60, 1, generator=generator)
    pairs = med.Pairs(base=x, source=x + d)
    effects = med.mediate(Net(), pairs, med.Site("mediator"), first_column, rng=0)
    print(effects.summary())

    found = effects.tidy().set_index("estimand")["estimate"]
    assert abs(found["pnie"] - float((2 * d * (4 + 5 * x)).mean())) < 1e-4, "denoising"
    assert abs(found["int_med"] - float((10 * d**2).mean())) < 1e-4, "the mediated interaction"
    assert abs(found["te"] - found["pnde"] - found["tnie"]) < 1e-4, "pure direct and total indirect add up"
    assert found["te"] - found["pnde"] - found["pnie"] > 1, "pure and pure fall short by the interaction"


if __name__ == "__main__":
    main()
