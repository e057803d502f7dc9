"""How much of the input's effect goes through the latent thought? What the paper could not say.

The total effect of the image on the answer (te), split into what goes past the latents (natural direct effects) and
what goes through them (natural indirect effects), with intervals; and an equivalence test of the indirect effects
against a margin of 10% of the total: not "no difference was found", but "there is none that matters". Pure effects
(pnde, pnie) hold the other way at the counterfactual image, total ones (tnde, tnie) at the unit's own; pm is tnie / te.
`ignored-latent` is a control: its answer cannot see the thought, so its indirect effects are 0 by construction.

Usage: python examples/lvr/04_direct_and_indirect.py [--n 100] [--out DIR]
       python examples/lvr/04_direct_and_indirect.py --checkpoint PATH --spec mirage --data vsp.jsonl --device cuda
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import each_worked, with_interval

MARGIN = 0.1
KEYS = ("te", "pnde", "tnde", "pnie", "tnie", "pm")


def verdicts(effects: med.Effects) -> dict[str, str]:
    """Return what the equivalence test says of each indirect effect."""
    y = effects.units
    if (y["y01"] == y["y00"]).all() and (y["y11"] == y["y10"]).all():
        return dict.fromkeys(("pnie", "tnie"), "0 in every unit")
    found = effects.equivalence(MARGIN, estimands=["pnie", "tnie"], relative_to="te").tidy()
    return dict(zip(found["estimand"], found["verdict"], strict=True))


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", "ignored-latent", n=100)
    figure, axes = plt.subplots(len(cases), 1, figsize=(8.5, 3.1 * len(cases)), layout="constrained", squeeze=False)
    tables, said = {}, {}
    for ax, case in zip(axes[:, 0], cases, strict=True):
        effects = case.mediate(KEYS)
        tables[case.name], said[case.name] = effects.tidy(), verdicts(effects)
        med.plot.forest(effects, ax=ax)
        ax.set_title(f"{case.name}. {ax.get_title(loc='left')}", loc="left", fontsize="medium")
    table = pd.concat(tables, names=["model"]).reset_index(level=0)
    cells = table.assign(cell=with_interval(table["estimate"], table["conf_low"], table["conf_high"]))
    print(f"Effects with 95% intervals, n = {table['n'].min()} to {table['n'].max()}")
    print(cells.pivot(index="estimand", columns="model", values="cell").loc[list(KEYS), list(tables)].to_string())
    print(f"\nIs the indirect effect negligible, that is, within {MARGIN:.0%} of the total effect?")
    print(pd.DataFrame(said).to_string())
    print(*(case.foot for case in cases if case.foot), sep="\n")
    cases[0].save(table, "lvr-4-effects.csv")
    cases[0].save(figure, "lvr-4-effects.png")
    assert said.get("ignored-latent", {}).get("tnie", "0 in every unit") == "0 in every unit", "by construction"


if __name__ == "__main__":
    main()
