"""Gates: why one direction of patching is not enough, and why single sites do not add up.

Two bits, each carried by a site of its own, switch from 0 to 1 together. Denoising one site shows nothing in an AND,
noising one site shows nothing in an OR. Only both directions, and the joint effect of both sites, tell the gates apart.

Usage: python examples/03_designs/01_interaction_and_gates.py
"""

from __future__ import annotations

import warnings

import pandas as pd
import torch

import mediation as med

BOTH = med.Site("first") | med.Site("second")


def effects_of(kind: str) -> dict[str, float]:
    """Return PNIE and TNIE of each site alone and of both together."""
    pairs = med.Pairs(base=torch.zeros(4, 2), source=torch.ones(4, 2))
    gate, outcome, keys = med.testing.Gate(kind), med.testing.first_output, ["pnie", "tnie"]
    found = {}
    for mediator in (BOTH, BOTH.jointly()):
        table = med.mediate(gate, pairs, mediator, outcome, estimands=keys, rng=0).tidy()
        for row in table.itertuples():
            found[f"{row.site}: {row.estimand}"] = row.estimate
    return found


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # all units are alike, so there are no intervals
        table = pd.DataFrame({kind.upper(): effects_of(kind) for kind in ("and", "or", "xor")})
    print(table.to_string())

    assert table.loc["first: pnie"].tolist() == [0, 1, 1]
    assert table.loc["first: tnie"].tolist() == [1, 0, -1]
    assert table.loc["first & second: pnie"].tolist() == [1, 1, 0]


if __name__ == "__main__":
    main()
