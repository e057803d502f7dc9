"""Attribution scores: which sites of a sweep may matter, from a handful of passes."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from .._checks import one_of, positive_int
from ..engine import Progress, World, attribution_scores, expand_world, make_study, progress_for
from ..inference.sample import linearise, sampling
from ..interventions import AbstractIntervention, Interchange
from ..models import Model, load, runs
from ..outcomes import AbstractOutcome
from ..sites import Site, SiteSet
from ..units import Pairs, encode
from ._asked import check_question, need_one_kind_of_cluster
from ._mediate import _assign, _check_contrast, _mediators, _site_info
from ._outcomes import one_outcome
from ._screen import INDIRECT, check_scored

_INFO = ("layer", "position", "head", "feature")


@runs
def attribution(
    model: Any,
    pairs: Pairs,
    mediator: Site | SiteSet,
    outcome: AbstractOutcome,
    *,
    donor: AbstractIntervention | None = None,
    steps: int | None = None,
    padding_side: Literal["left", "right"] = "left",
    batch_size: int | None = None,
    progress: bool | Progress | None = None,
) -> pd.DataFrame:
    """Return the attribution scores of a sweep: estimates of first order, from a handful of passes.

    Attribution patching multiplies the gradient of the outcome with the change that patching would make. It takes one
    pass forward and backward over each base and each source input, whatever the number of sites. The scores rank
    sites; they are not effects, and can be far from them. ``mediate(..., screen=K)`` patches the best K.

    Parameters
    ----------
    model, pairs, outcome
        As in `mediate`. The outcome must have a gradient, which `Accuracy` has not.
    mediator
        A site or a set of sites, whose activations are no whole numbers.
    donor
        As in `mediate`: None is ``Interchange()``; or ``Subspace(basis, Interchange())``, ``Masked(...)``.
    steps
        None: gradients at the base input and at the source input. A number: gradients averaged over so many points
        on the straight line between the two embedded inputs (integrated gradients), which sees past flat places at
        the ends. Base and source must be equally long.
    padding_side, batch_size, progress
        How it is run, as in `mediate`; `batch_size` counts units.

    Returns
    -------
    pandas.DataFrame
        Columns ``estimand, site, layer, position, head, feature, score, std_error, n, n_clusters``: one row a site and
        direction. `score` is the mean over units of an estimate of first order, in units of the outcome, of the
        indirect effect named in `estimand`: "pnie" (in the base run) or "tnie" (in the source run). `std_error` is that
        of the mean score over units, robust to clusters; how far the score is from the effect it does not say.

    Raises
    ------
    SiteError, DataError, OutcomeError, DesignError
        For a question that cannot be asked, or an outcome or a site without a gradient.

    Notes
    -----
    With h(x) a site's activation on input x and I what is put in, the unit's scores are

        pnie: <dY/dh (x0), I(h(x0); h(x1)) - h(x0)>,  tnie: -<dY/dh (x1), I(h(x1); h(x0)) - h(x1)>

    (Nanda 2023; Syed et al. 2023, arXiv:2310.10348). With `steps`, both gradients are replaced by their mean along the
    line between the embedded inputs, at the nodes of Gauss and Legendre (EAP-IG on inputs: Hanna et al. 2024,
    arXiv:2403.17806). The mean gradient is that of no single site's path: a score with many steps is still no effect,
    except at the embedding of all tokens, where it is the total effect.

    Examples
    --------
    >>> import mediation as med, torch
    >>> parts = med.testing.ParallelMediators(gains=(1.0, 2.0), weights=(3.0, 0.5), direct=5.0)
    >>> pairs = med.Pairs(base=torch.zeros(3, 1), source=torch.ones(3, 1))
    >>> sites = med.Site("mediators.0") | med.Site("mediators.1")
    >>> found = med.attribution(med.load(parts), pairs, sites, med.testing.first_output)
    >>> found[["estimand", "site", "score"]]
      estimand         site  score
    0     pnie  mediators.0    3.0
    1     pnie  mediators.1    1.0
    2     tnie  mediators.0    3.0
    3     tnie  mediators.1    1.0
    """
    loaded = load(model) if not isinstance(model, Model) else model
    one_outcome(outcome, "attribution")
    check_question(pairs, outcome, 1, several=False)
    need_one_kind_of_cluster(pairs, "attribution")
    check_scored(mediator, donor, "attribution")
    _check_contrast(donor, None)
    one_of(padding_side, ("left", "right"), what="padding_side")
    if steps is not None:
        positive_int(steps, what="steps")
    if batch_size is not None:
        positive_int(batch_size, what="batch_size")
    bar, what = progress_for(progress), Interchange() if donor is None else donor
    encoding = encode(pairs, loaded)
    mediators = _mediators(mediator, loaded, encoding)
    worlds = [World("base", _assign(sites, what)) for sites in mediators.values()]
    study = make_study(loaded, pairs, worlds, outcome, seed=0, encoding=encoding)
    sites = [study.placed(expand_world(world, loaded, encoding))[0][0] for world in worlds]
    scores = attribution_scores(study, sites, what, steps=steps, side=padding_side, batch_size=batch_size, progress=bar)
    bar.close()
    info = pd.DataFrame([(name, *_site_info(one)) for name, one in mediators.items()], columns=["site", *_INFO])
    design = sampling(len(pairs), pairs.cluster, pairs.weight)
    frames = []
    for direction, values in scores.values.items():
        mean = linearise(values.T, design)
        frame = info.assign(score=mean.estimate, std_error=mean.std_error, n=len(pairs))
        frame["n_clusters"] = design.n_clusters
        frame.insert(0, "estimand", INDIRECT[direction])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).astype({"layer": "Int64", "head": "Int64", "feature": "Int64"})
