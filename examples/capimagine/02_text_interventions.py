"""Does the answer hang on the imagined text? The same arms for words and for latents; the adversarial rewrite apart.

The paper rewrites CapImagine's text so that it argues for a wrong answer, and sets latents to a constant: that puts
information into the one and takes it out of the other. Here both get the same arms (`matched`): blank, noise, another
unit's thought, shuffled, first repeated, none, one for all. The adversarial rewrite, a text that describes the scene
with another answer, has a table of its own.

Usage: python examples/capimagine/02_text_interventions.py [--n 100] [--out DIR]
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import mediation as med
from mediation.demo import Worked, each_worked


def arms(case: Worked) -> pd.DataFrame:
    """Return what every arm does to accuracy and to the answer's logit."""
    put, rows = med.matched(case.thought, n=len(case.frame)), {}
    for name, outcome in {"accuracy": case.correct, "logit": case.outcome}.items():
        found = case.ablate(put, outcome).tidy().set_index("arm")
        rows |= {name: found["estimate"], f"{name} low": found["conf_low"], f"{name} high": found["conf_high"]}
    return pd.DataFrame(rows)


def adversarial(case: Worked) -> dict[str, float]:
    """Return accuracy as it is, and with words that describe the scene with another answer."""
    told = med.ReplaceText(tuple(f" {text}" for text in case.frame["other_imagined"])).at(med.imagination())
    found = case.ablate({"adversarial": told}, case.correct)
    (row,) = found.tidy().to_dict("records")
    plain, changed = (float(found.units[name].mean()) for name in ("y", "ym"))
    change = (found.units["ym"] - found.units["y"]).to_numpy()
    p = float(np.squeeze(med.inference.mcnemar(change[:, None]).p_value))
    return {"plain": plain, "adversarial": changed, "low": row["conf_low"], "high": row["conf_high"], "McNemar p": p}


def main() -> None:
    cases = each_worked("capimagine", "lvr", "mirage", "monet", n=100)
    table = pd.concat({case.name: arms(case) for case in cases}, names=["model", "arm"])
    print(table[["accuracy", "logit"]].unstack("model").round(2).to_string())
    against = pd.DataFrame({case.name: adversarial(case) for case in cases if case.thought.kind == "imagination"}).T
    print(against.round(3).to_string())
    figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
    names = list(dict.fromkeys(table.index.get_level_values("arm")))
    for offset, case in enumerate(cases):
        own = table.loc[case.name].loc[names]
        low, high = own["logit"] - own["logit low"], own["logit high"] - own["logit"]
        at = np.arange(len(names)) + 0.16 * (offset - 1.5)
        ax.errorbar(own["logit"], at, xerr=[low, high], fmt="os^D"[offset], color=f"C{offset}", label=case.name)
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel="change of the answer's logit difference")
    ax.axvline(0, color="0.6", lw=0.8)
    ax.legend(frameon=False)
    cases[0].save(table.reset_index(), "capimagine-2-arms.csv")
    cases[0].save(against.reset_index(names="model"), "capimagine-2-adversarial.csv")
    cases[0].save(figure, "capimagine-2-arms.png")
    assert against["high"].max() < 0, "a text that argues for a wrong answer misleads"


if __name__ == "__main__":
    main()
