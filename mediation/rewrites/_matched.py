"""Arms that do the same to a latent and to a written thought, so that the two can be compared."""

from __future__ import annotations

from .._checks import called, positive_int
from ..errors import DesignError
from ..interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Assignment,
    FirstRepeat,
    GaussianNoise,
    ShuffleSteps,
    Skip,
    Swap,
    Zero,
)
from ..sites import ThoughtSite
from ._text import Blank, RandomWords, RepeatFirst, ShuffleWords


def matched(site: ThoughtSite, *, n: int | None = None, filler: str = "...") -> dict[str, Assignment]:
    """Return arms for `ablate` that have the same names, and the same meaning, at latents and at a written thought.

    ================ ============================================== ==========================
    name             at latents                                     at a written thought
    ================ ============================================== ==========================
    blank            ``Zero()``                                     ``Blank()``
    noise            ``GaussianNoise(replace, norm_matched)``       ``RandomWords()``
    other unit       ``Swap()``                                     ``Swap()``
    one for all      the first unit's                               the first unit's
    shuffled         ``ShuffleSteps()``                             ``ShuffleWords()``
    first repeated   ``FirstRepeat()``                              ``RepeatFirst()``
    skipped          ``Skip()``                                     ``Skip()``
    ================ ============================================== ==========================

    All are uninformative in the same sense. A rewrite that argues for a wrong answer is no match for noise: it puts
    in information. Latents are changed after the fact, as a written thought is.

    Parameters
    ----------
    site
        `latents` or `imagination`, all of it.
    n
        Number of units; with it there is the arm "one for all".
    filler
        The word that `Blank` puts in.

    Returns
    -------
    dict of Assignment

    Raises
    ------
    DesignError
        If `site` is no whole thought.

    Examples
    --------
    >>> from mediation import imagination, latents
    >>> list(matched(latents())) == list(matched(imagination()))
    True
    """
    if not isinstance(site, ThoughtSite) or site.step != "all":
        found = str(site) if isinstance(site, ThoughtSite) else called(site)
        raise DesignError(f"matched: {found}: a whole thought is needed, med.latents() or med.imagination().")
    latent = site.kind == "latents"
    arms: dict[str, tuple[AbstractIntervention, AbstractIntervention | AbstractRewrite]] = {
        "blank": (Zero(), Blank(filler)),
        "noise": (GaussianNoise(1.0, replace=True, norm_matched=True), RandomWords()),
        "other unit": (Swap(), Swap()),
        "shuffled": (ShuffleSteps(), ShuffleWords()),
        "first repeated": (FirstRepeat(), RepeatFirst()),
        "skipped": (Skip(), Skip()),
    }
    if n is not None:
        first = Swap("index", index=(0,) * positive_int(n, what="matched: n"))
        arms["one for all"] = (first, first)
    where = site.with_(when="after-the-fact")
    return {name: (one if latent else other).at(where) for name, (one, other) in arms.items()}
