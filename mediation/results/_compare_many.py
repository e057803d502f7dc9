"""Several models, checkpoints or seeds: all differences with joint bands, and what holds for models like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..inference import Method
from ._effects import Effects
from .comparison import Asked, Asking, compared_many


def compare_many(
    results: Sequence[Effects] | Mapping[str, Effects],
    *,
    labels: Sequence[str] | None = None,
    reference: str | None = None,
    paired: bool | None = None,
    estimands: Asked = None,
    method: Method | None = None,
    confidence_level: float | None = None,
    n_resamples: int | None = None,
    rng: int | np.random.Generator | None = None,
) -> Effects:
    """Return the differences between several results with joint bands, and the mean over models like them.

    Parameters
    ----------
    results
        Two or more, of models, checkpoints or seeds that are asked the same question; a dict names them. Sweeps need
        the same sites, ablations the same arms and doses.
    labels
        What each is called; None: the keys of the dict, or "1", "2", ...
    reference
        The label that all others are compared with; None: all pairs, the earlier minus the later.
    paired
        Whether all are of the same units, by number, cluster and weight; False: independent groups; None: what the
        units say.
    estimands
        Keys or estimands, none of them a ratio; None: those of all tables in units of the outcome.
    method, confidence_level, n_resamples, rng
        None: as in the first result.

    Returns
    -------
    Effects
        Of kind 'models'. `part` says what a row is: a 'model' (its own effect), a 'contrast', or a 'mean'. There are
        three means: that of these models, as they are, over new units; that of such models, of which these are taken
        as a random sample; and, with the prediction interval, the effect of one new such model. `tau` is the standard
        deviation between models, and `p_heterogeneity` tests that all have the same effect.

    Raises
    ------
    DesignError, DataError
        If there are fewer than two results, labels repeat, sites or estimands do not match, units share their draws, or
        paired units differ.

    Notes
    -----
    Results on the same units have correlated errors. Contrasts are therefore taken unit by unit, with max-t bands over
    all contrasts (and sites) of an estimand; the mean of these models is that of each unit's mean over models; and the
    mean of such models has the two-way variance over units and models, whose shared part does not shrink with more
    models. Independent results have studentised intervals with Bonferroni bands, and the interval of Hartung, Knapp,
    Sidik and Jonkman for the mean of such models. See `mediation.estimate.tabulate_models`.

    Examples
    --------
    >>> import pandas as pd
    >>> from mediation import effects
    >>> noise = np.random.default_rng(0).normal(0.0, 0.1, size=(3, 12))
    >>> seeds = [effects(pd.DataFrame({"y00": 0.0, "y11": 1 + seed + noise[seed]}), rng=0) for seed in range(3)]
    >>> found = compare_many(seeds, labels=["a", "b", "c"]).tidy()
    >>> found[["part", "result", "estimate"]].round(1).head(6).values.tolist()
    [['model', 'a', 1.0], ['model', 'b', 2.0], ['model', 'c', 3.0],
     ['contrast', 'a - b', -1.0], ['contrast', 'a - c', -2.0], ['contrast', 'b - c', -1.0]]
    """
    asked = Asking(paired, ("first", "second"), estimands, method, confidence_level, n_resamples, rng)
    return Effects._of(compared_many(results, labels, reference, asked))
