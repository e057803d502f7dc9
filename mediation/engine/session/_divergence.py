"""Where a causal model cannot know yet which of the two inputs it reads."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from ...sites import Site
from ..passes import RUNS
from ..study import Study, Table

Mask = NDArray[np.bool_]


@final
class Divergence:
    """The token at which base and source inputs part, by unit.

    Parameters
    ----------
    study
        The study.
    """

    __slots__ = ("_known", "_study", "agree")

    def __init__(self, study: Study) -> None:
        self._study = study
        paired = study.model.is_causal and set(RUNS) <= set(study.encoding.runs)
        self.agree = np.array([self._common(unit) if paired else 0 for unit in range(len(study.pairs))])
        self._known: dict[tuple[int, int], Mask] = {}

    def before(self, site: Site) -> Mask:
        """Return for each unit whether a site's positions are the same in both inputs, and all before they part."""
        if not self.agree.any():
            return np.zeros(len(self.agree), dtype=bool)
        base, source = (self._study.table(site, run) for run in RUNS)
        key = (id(base), id(source))
        if key not in self._known:
            self._known[key] = self._before(base, source)
        return self._known[key]

    def same_tokens(self, site: Site) -> Mask:
        """Return for each unit whether the tokens at a site's positions are the same, or all of those up to there."""
        if site.kind != "embedding" or not self.agree.any():
            return self.before(site)
        return np.array([self._same_words(site, unit) for unit in range(len(self.agree))])

    def _before(self, base: Table, source: Table) -> Mask:
        return np.array(
            [
                bool(one) and one == other and max(one or ()) < agree
                for one, other, agree in zip(base, source, self.agree.tolist(), strict=True)
            ]
        )

    def _common(self, unit: int) -> int:
        """Return how many tokens at the beginning are the same; 0 where the same tokens may be read otherwise."""
        base, source = (self._study.encoding.of(run, unit) for run in RUNS)
        if base.ids is None or source.ids is None or not (base.tokens_only and source.tokens_only):
            return 0
        n = min(len(base.ids), len(source.ids))
        apart = torch.nonzero(base.ids[:n] != source.ids[:n])
        return int(apart[0]) if len(apart) else n

    def _same_words(self, site: Site, unit: int) -> bool:
        base, source = (self._study.encoding.of(run, unit) for run in RUNS)
        here, there = (self._study.positions(site, run, unit) for run in RUNS)
        if base.ids is None or source.ids is None or not here or not there:
            return False
        return base.tokens_only and source.tokens_only and torch.equal(base.ids[list(here)], source.ids[list(there)])
