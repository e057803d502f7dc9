"""A sweep of every head, screened: gradients choose 12 sites of 252, patching has the last word.

The scores come from two passes with gradients. The sites that they put first are patched, and so is a random sample of
the others, which tells what the choice may have missed. Weights are random, so the effects mean nothing; what it shows
is the way.

Usage: python examples/03_designs/04_screened_sweep.py
"""

from __future__ import annotations

import itertools

import mediation as med

WHO = ("The cat", "The book", "The city", "The capital")
WHAT = (" went to", " is in", " gave to")


def main() -> None:
    model = med.load(med.testing.tiny_model("llama", layers=6), med.testing.tiny_tokenizer())
    heads = [who + what for who, what in itertools.product(WHO, WHAT)]
    pairs = med.Pairs(
        base=[f"{head} France and is" for head in heads], source=[f"{head} Italy and is" for head in heads]
    )
    outcome = med.LogitDiff(" city", " book")
    sites = med.residual(at="each") | med.mlp(at="each") | med.attention(head="each", at="each")

    scores = med.attribution(model, pairs, sites, outcome)
    print(scores.sort_values("score", key=abs, ascending=False).head(5).to_string(index=False))
    sweep = med.mediate(model, pairs, sites, outcome, screen=med.Screen(12, steps=5), rng=0)
    print(sweep.summary())

    screen = sweep.provenance["screen"]
    assert len(scores) == 2 * 252, "one score a site and direction"
    assert sweep.tidy()["site"].nunique() == 12, "only what was patched is reported"
    assert screen["null"] == 144, "positions before the country cannot matter"
    assert screen["spearman"] > 0.8, "among the others, scores and effects rank sites alike"
    assert screen["stronger"] <= 3, "few of the others are stronger than the weakest reported one"


if __name__ == "__main__":
    main()
