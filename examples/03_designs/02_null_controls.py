"""Null controls: is it this unit's activation that matters, or would any activation do?

Two models in which the mediator carries the whole effect. In the first it carries one bit, the same for all units. In
the second the bit is written in a code of the unit's own. Patching shows the same total indirect effect, 1, in both.
An unrelated unit's activation tells them apart: it does as much in the first, and half as much in the second.

Usage: python examples/03_designs/02_null_controls.py [PICTURE]
"""

from __future__ import annotations

import sys
import warnings

import torch

import mediation as med

N = 60


def controls_of(model: torch.nn.Module, *traits: torch.Tensor) -> med.Effects:
    """Return TNIE from x = 0 to x = 1, with its controls."""
    base, source = (torch.stack([torch.full((N,), x), *traits], dim=1) for x in (0.0, 1.0))
    pairs = med.Pairs(base=base, source=source)
    site, outcome = med.Site("mediator"), med.testing.first_output
    names = ["self-patch", "unrelated unit", "random direction"]
    return med.controls(model, pairs, site, outcome, controls=names, estimand="tnie", rng=0)


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # the effect itself is 1 in every unit
        shared = controls_of(med.testing.LinearInteraction(a=1, d=0, b=1, c=0))  # M = x, Y = m
        own = controls_of(med.testing.TraitGate(), torch.arange(N) % 2.0)  # M = x XOR c, Y = x AND (m XOR c)
    print("One code for all units\n", shared.summary(), "\n", sep="")
    print("Each unit has its own\n", own.summary(), sep="")
    with med.plot.theme():
        ax = med.plot.forest(own)
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    tables = [one.tidy().set_index("control") for one in (shared, own)]
    for table in tables:
        assert table.loc["none", "estimate"] == 1
        assert table.loc["self-patch", "estimate"] == 0
    assert tables[0].loc["unrelated unit", "estimate"] == 1
    row = tables[1].loc["beyond unrelated unit"]
    assert 0.4 < row["conf_low"] < row["estimate"] < row["conf_high"] < 0.6  # half of the donors have the other code


if __name__ == "__main__":
    main()
