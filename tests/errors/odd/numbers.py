"""Valid calls of statistics on arrays: inference and probing."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mediation import inference, probing
from tests.errors.odd.recipe import Recipe, of

N = 12
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(N, 2))
MORE = RNG.normal(size=(N, 2)) + 5.0
FLIPS = RNG.integers(-1, 2, size=(N, 2)).astype(float)
CLUSTERS = list("abcdef") * 2
WEIGHTS = [1.0, 2.0] * 6
TWO = (list("abcdef") * 2, list("uvwxyz") + list("vwxyzu"))
CUBE = RNG.normal(size=(N, 3, 2))
SETTINGS = inference.Inference(method="percentile", n_resamples=99)
STATES = probing.States(RNG.normal(size=(20, 3, 4)), name="latents")
FEATURES = RNG.normal(size=(20, 4))
LABELS = [0, 1] * 10
GROUPS = list(range(20))
INFERENCE = {"method": "bootstrap-t", "confidence_level": 0.9, "n_resamples": 99, "seed": 0, "floor": True}

_MEANS: dict[str, Any] = {
    "values": VALUES, "clusters": CLUSTERS, "weights": WEIGHTS, "confidence_level": 0.9, "n_resamples": 99, "seed": 0,
    "null": 0.0,
}  # fmt: skip
_DESIGN: dict[str, Any] = {"clusters": CLUSTERS, "weights": WEIGHTS, "settings": SETTINGS}
_RATIO: dict[str, Any] = {"numerator": VALUES, "denominator": MORE}
_PAIR = (VALUES, MORE)


def _numbers() -> list[Recipe]:
    return [
        of("inference.Inference", inference.Inference, **INFERENCE),
        of("inference.Inference.rank_of", SETTINGS.rank_of, tail=0.05),
        *[of(f"inference.{name}", getattr(inference, name), **_MEANS) for name in (
            "basic", "bca", "bootstrap_t", "expanded_percentile", "normal", "percentile", "t")],
        of("inference.bonett_price_interval", inference.bonett_price_interval, values=FLIPS, confidence_level=0.9),
        of("inference.wilson", inference.wilson, values=np.abs(FLIPS), confidence_level=0.9, null=0.5),
        of("inference.mcnemar", inference.mcnemar, values=FLIPS),
        of("inference.crossed_intervals", inference.crossed_intervals, values=CUBE, null=0.0, **_DESIGN),
        of("inference.crossed_ratio_intervals", inference.crossed_ratio_intervals, numerator=CUBE, denominator=CUBE + 5,
           **_DESIGN),
        of("inference.group_difference_intervals", inference.group_difference_intervals, first=VALUES, second=MORE,
           clusters_first=CLUSTERS, clusters_second=None, weights_first=None, weights_second=WEIGHTS,
           settings=SETTINGS, bands=True, null=0.0, span=None),
        of("inference.group_equivalence", inference.group_equivalence, first=VALUES, second=MORE, margin=0.5,
           alpha=0.05, clusters=(CLUSTERS, None), weights=(None, WEIGHTS), settings=SETTINGS, span=None),
        of("inference.hierarchical_max_t", inference.hierarchical_max_t, values=np.hstack([VALUES, MORE]),
           groups=[0, 0, 1, 1], **_DESIGN),
        of("inference.homogeneity", inference.homogeneity, values=VALUES, groups=list("aabbcc") * 2, clusters=None,
           weights=WEIGHTS, settings=SETTINGS),
        of("inference.kish", inference.kish, weights=np.array(WEIGHTS)),
        of("inference.least_squares", inference.least_squares, values=VALUES,
           design=np.column_stack([np.ones(N), np.arange(N)]), clusters=CLUSTERS, weights=WEIGHTS, covariance="CR2",
           confidence_level=0.9),
        of("inference.mean_equivalence", inference.mean_equivalence, values=VALUES, margin=0.5, alpha=0.05, span=None,
           **_DESIGN),
        of("inference.mean_intervals", inference.mean_intervals, values=VALUES, bands=True, null=0.0,
           families=["a", "b"], span=[2.0, 2.0], **_DESIGN),
        of("inference.ratio_difference_intervals", inference.ratio_difference_intervals, first=_PAIR,
           second=(VALUES + 1, MORE), paired=True, clusters=(CLUSTERS, CLUSTERS), weights=(WEIGHTS, WEIGHTS),
           settings=SETTINGS),
        of("inference.ratio_equivalence", inference.ratio_equivalence, margin=0.5, alpha=0.05, answers=None, **_RATIO,
           **_DESIGN),
        of("inference.ratio_intervals", inference.ratio_intervals, answers=([1.0, -1.0], [1.0, 1.0]), **_RATIO,
           **_DESIGN),
        of("inference.relative_equivalence", inference.relative_equivalence, values=VALUES, reference=MORE, margin=0.5,
           alpha=0.05, **_DESIGN),
        of("inference.sign_flip", inference.sign_flip, values=VALUES, clusters=CLUSTERS, weights=WEIGHTS, n_flips=99,
           seed=0, alternative="two-sided"),
        of("inference.two_way_intervals", inference.two_way_intervals, values=VALUES, clusters=TWO, weights=None,
           settings=inference.Inference(), bands=True, null=0.0, span=None),
        of("inference.two_way_ratio_intervals", inference.two_way_ratio_intervals, clusters=TWO, weights=None,
           settings=inference.Inference(), answers=None, **_RATIO),
        of("inference.family_reach", inference.family_reach, values=VALUES, levels=[0.9], exact=None, **_DESIGN),
        of("inference.screening_report", inference.screening_report, chosen=np.array([0, 1]),
           score=RNG.normal(size=6), effect=RNG.normal(size=6), rest=40, confidence_level=0.9, seed=0),
    ]  # fmt: skip


def _probing() -> list[Recipe]:
    return [
        of("probing.States", probing.States, values=RNG.normal(size=(4, 2, 3)), lengths=[1, 2, 2, 2], name="states"),
        of("probing.States.named", STATES.named, name="other"),
        of("probing.States.take", STATES.take, units=[0, 1], steps=[0]),
        of("probing.Similarity.compare", probing.similarity(STATES, n_resamples=99).compare,
           **{"*": (probing.similarity(STATES, n_resamples=99, name="other"),)}),
        of("probing.Similarity.matrix", probing.similarity(STATES, n_resamples=99).matrix, measure="intra cosine"),
        of("probing.Similarity.rows", probing.similarity(STATES, n_resamples=99).rows, measure="intra cosine"),
        of("probing.centred_cosine", probing.centred_cosine, features=FEATURES),
        of("probing.cosine_similarity_matrix", probing.cosine_similarity_matrix, features=FEATURES),
        of("probing.effective_rank", probing.effective_rank, features=FEATURES, centred=True),
        of("probing.linear_cka", probing.linear_cka, first=FEATURES, second=FEATURES + 1, debiased=False),
        of("probing.compare", probing.compare, **{"*": (
            probing.similarity(STATES, n_resamples=99), probing.similarity(STATES, n_resamples=99, name="other"))}),
        of("probing.probe", probing.probe, features=FEATURES, labels=LABELS, groups=GROUPS, estimator="linear",
           n_splits=2, n_controls=1, rng=0, confidence_level=0.9),
        of("probing.probe_steps", probing.probe_steps, states=STATES.take(steps=[0]), labels={"colour": LABELS},
           groups=GROUPS, baselines={"image": FEATURES}, estimator="linear", n_splits=2,
           n_controls=1, rng=0, confidence_level=0.9),
        of("probing.random_like", probing.random_like, states=STATES, rng=0),
        of("probing.retrieval", probing.retrieval, queries=FEATURES, keys=FEATURES + 1, k=1, centred=False,
           confidence_level=0.9),
        of("probing.similarity", probing.similarity, states=STATES, groups=GROUPS, centre=np.zeros(4),
           measures=["intra cosine"], name="latents", rng=0, confidence_level=0.9, n_resamples=99),
    ]  # fmt: skip


@cache
def recipes() -> list[Recipe]:
    """Return every recipe."""
    return [*_numbers(), *_probing()]
