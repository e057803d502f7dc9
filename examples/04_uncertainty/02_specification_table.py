"""Does the conclusion hang on a choice? One effect under three outcomes, three corruptions and four ablation values.

The model is linear with an interaction, M(x) = 2x and Y(x, m) = 3x + 4m + 5xm, so the truth is known: the pure indirect
effect is (4 + 5 x0) 2 (x1 - x0), which is positive at the base x0 = 0 and negative at x0 = -1.4. A study of the first
corruption alone, on any outcome, would say "this mediator helps"; the table says that the sign hangs on the base.

Usage: python examples/04_uncertainty/02_specification_table.py [picture.png]
"""

from __future__ import annotations

import sys
import warnings

import torch

import mediation as med
from mediation.results import agreement


@med.outcome
def score(output: torch.Tensor) -> torch.Tensor:
    return output[:, 0]


@med.outcome
def squashed(output: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(output[:, 0] / 10)


@med.outcome
def positive(output: torch.Tensor) -> torch.Tensor:
    return (output[:, 0] > 10).double()


def main() -> None:
    noise = 0.3 * torch.randn(3, 60, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    source = 1 + noise[0]
    bases = {"near": noise[1], "nearer": 0.2 + noise[1], "far": -1.4 + noise[2]}
    pairs = {name: med.Pairs(base=base, source=source, columns=(name, "source")) for name, base in bases.items()}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", med.MediationWarning
        )  # weak totals and cells without an interval are in the table
        effects = med.specification(
            med.testing.LinearInteraction().double(),
            pairs["near"],
            med.Site("mediator"),
            {"score": score, "squashed": squashed, "above 10": positive},
            corruptions={name: pairs[name] for name in ("nearer", "far")},
            arms={"zero": med.Zero(), "mean": med.Mean(), **{("noise", s): med.GaussianNoise(s) for s in (0.5, 2.0)}},
            n_draws=5,
            rng=0,
        )
    print(effects.summary())
    with med.plot.theme():
        ax = med.plot.specification(effects)
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    counts = agreement(effects, "pnie").set_index(["choice", "level"])
    print(f"\n{counts.to_string()}")
    assert counts.loc[("corruption", "near"), "same side"] == 3, "on the first corruption all outcomes agree"
    assert counts.loc[("corruption", "far"), "other side"] >= 2, "the sign hangs on the base"


if __name__ == "__main__":
    main()
