"""Three mediators, two of which can stand in for each other: how they share their joint effect.

A head and its backup do the same work, and either is enough; a third site does work of its own. Patched alone, head and
backup each look as important as the third; left out of the joint patch, each looks useless. Shapley effects halve the
work between them and sum to the joint effect, and the interaction of the pair says why.

Usage: python examples/03_designs/03_several_mediators.py picture.png
"""

from __future__ import annotations

import sys
import warnings

import torch

import mediation as med

SITES = {"head": med.Site("players.0"), "backup": med.Site("players.1"), "other": med.Site("players.2")}
KEYS = ["alone", "shapley", "leave_one_out"]


def worth(sites: frozenset[int]) -> float:
    """Return the effect of patching these sites together: 1 for head or backup, 1 for the other."""
    return float(bool(sites & {0, 1})) + float(2 in sites)


def pairs(n: int = 60) -> med.Pairs:
    """Return units that differ in size, from no bit set to all of them."""
    size = 1 + torch.rand(n, 1, generator=torch.Generator().manual_seed(0))
    return med.Pairs(base=torch.cat([torch.zeros(n, 3), size], 1), source=torch.cat([torch.ones(n, 3), size], 1))


def main() -> None:
    model, units = med.testing.CooperativeGame(3, worth), pairs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.MediationWarning)  # read in the summary instead
        effects = med.interactions(model, units, SITES, med.testing.first_output, rng=0)
    print(effects.summary())
    ax = med.plot.interaction(effects)
    if len(sys.argv) > 1:
        ax.figure.savefig(sys.argv[1], bbox_inches="tight")

    size = float(units.base[:, -1].mean())
    table = effects.tidy()
    per_site = table[table["partner"] == ""].pivot(index="site", columns="estimand", values="estimate") / size
    print(per_site.loc[list(SITES), KEYS].round(2).to_string())
    assert per_site.loc["head", KEYS].round(3).tolist() == [1, 0.5, 0]
    assert per_site.loc["other", KEYS].round(3).tolist() == [1, 1, 1]
    by_key = table.set_index("estimand")
    assert by_key.loc["non_additivity", "conf_high"] < 0
    pair = by_key.loc["pair_interaction"].query("partner == 'backup'")
    assert round(pair["estimate"].item() / size, 3) == -1


if __name__ == "__main__":
    main()
