"""How much of the input's effect goes through the latent thought? What the paper could not say.

The total effect of the image on the answer, split into what goes through the latents (natural indirect effect) and
what goes past them (natural direct effect), with intervals; and the verdict whether the indirect effect is negligible,
by an equivalence test against a margin of 10% of the total effect: not "no difference was found", but a test of "there
is none".

Usage: python examples/lvr/04_direct_and_indirect.py [--n 100] [--out DIR]
       python examples/lvr/04_direct_and_indirect.py --checkpoint PATH --spec mirage --data vsp.jsonl --device cuda
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

import mediation as med
from mediation.demo import each_worked

MARGIN = 0.1
KEYS = ("te", "pnde", "tnde", "pnie", "tnie", "pm")


def main() -> None:
    cases = each_worked("lvr", "mirage", "monet", "ignored-latent", n=100)
    figure, axes = plt.subplots(1, len(cases), figsize=(4 * len(cases), 3.6), layout="constrained", squeeze=False)
    rows, verdicts = {}, {}
    for ax, case in zip(axes[0], cases, strict=True):
        effects = case.mediate(KEYS)
        print(f"{case.name}\n{effects.summary()}\n")
        rows[case.name] = effects.tidy()
        equal = effects.equivalence(MARGIN, estimands=["pnie", "tnie"], relative_to="te").tidy()
        verdicts[case.name] = dict(zip(equal["estimand"], equal["verdict"], strict=True))
        med.plot.forest(effects, ax=ax)
        ax.set_title(case.name)
    table = pd.concat(rows, names=["model"]).reset_index(level=0)
    print(pd.DataFrame(verdicts).T.to_string())
    cases[0].save(table, "lvr-4-effects.csv")
    cases[0].save(figure, "lvr-4-effects.png")
    assert table.query("estimand == 'te'")["conf_low"].min() > 0, "the image changes the answer"


if __name__ == "__main__":
    main()
