"""Statistics alone: intervals for potential outcomes that were computed elsewhere.

100 units come from 10 templates, and the units of a template share most of their luck. Taken as independent, they seem
to say much more than they do: the same estimates, with intervals that are far too narrow. Resampling whole clusters
says what 10 templates can tell.

Usage: python examples/04_uncertainty/01_bring_your_own_outcomes.py [picture.png]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import mediation as med


def outcomes(rng: np.random.Generator) -> pd.DataFrame:
    """Return potential outcomes: a direct effect of 0.5, an indirect one of 1, and luck by template."""
    template = np.repeat(np.arange(10), 10)
    luck = rng.normal(0, 1, 10)[template]
    noise = rng.normal(0, 0.5, (4, 100))
    return pd.DataFrame(
        {
            "y00": noise[0],
            "y01": 1.0 + luck + noise[1],
            "y10": 0.5 + noise[2],
            "y11": 1.5 + luck + noise[3],
            "cluster": template,
        }
    )


def main() -> None:
    frame = outcomes(np.random.default_rng(0))
    by_template = med.effects(frame, rng=0)
    as_if_independent = med.effects(frame.drop(columns="cluster"), rng=0)
    print(by_template.summary())
    with med.plot.theme():
        ax = med.plot.forest(by_template)
        if len(sys.argv) > 1:
            ax.figure.savefig(sys.argv[1])

    def width(effects: med.Effects) -> float:
        row = effects.tidy().set_index("estimand").loc["pnie"]
        return float(row["conf_high"] - row["conf_low"])

    ratio = width(by_template) / width(as_if_independent)
    print(f"\nThe interval of PNIE by template is {ratio:.1f} times as wide as without clusters.")
    assert ratio > 2


if __name__ == "__main__":
    main()
