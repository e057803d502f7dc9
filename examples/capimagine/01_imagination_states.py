"""Does the input reach the imagined text? The states of imagined words beside those of latents.

The first experiment of arXiv:2602.22766 for CapImagine, which imagines in words: how alike the hidden states of its
imagined tokens are, between inputs and between steps, beside the latents of three models that imagine in vectors, and
beside question and image tokens of the same run. At a fixed step the words of two thoughts often have the same role
("row", "column"), so even the text is not free of common structure; the centred cosine and the effective rank say more.

Usage: python examples/capimagine/01_imagination_states.py [--n 100] [--out DIR]
       python examples/capimagine/01_imagination_states.py --checkpoint PATH --spec capimagine --data vstar.parquet
"""

from __future__ import annotations

import matplotlib.pyplot as plt

import mediation as med
from mediation.demo import Worked, each_worked
from mediation.probing import Similarity, capture, similarity


def thought(case: Worked, steps: int | None = None) -> Similarity:
    """Return how alike the states of a thought are."""
    found = capture(case.model, case.own, case.thought, max_new_tokens=case.max_new_tokens)
    some = found if steps is None else found.take(steps=range(min(steps, found.shape[1])))
    return similarity(some, name=case.name, rng=0)


def main() -> None:
    cases = each_worked("capimagine", "lvr", "mirage", "monet", n=100)
    own = cases[0]
    found = [thought(own, 11), *map(thought, cases[1:])]
    for name, site in {"question tokens": med.question(), "image tokens": med.image()}.items():
        some = capture(own.model, own.own, site).take(steps=range(6))
        found.append(similarity(some, name=name, rng=0))
    table = found[0].compare(*found[1:])
    measures = ("inter cosine", "inter centred cosine", "effective rank")
    means = table[table["measure"].isin(measures)].groupby(["states", "measure"], sort=False)["estimate"].mean()
    print(means.unstack().round(3).to_string())
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for ax, measure in zip(axes, ("inter cosine", "inter centred cosine", "intra cosine"), strict=True):
        med.plot.decay(found, measure, ax=ax)
    own.save(table, "capimagine-1-states.csv")
    own.save(figure, "capimagine-1-states.png")
    assert table["conf_low"].notna().any(), "similarities come with intervals"


if __name__ == "__main__":
    main()
