"""Where the rows of a growing pass begin."""

from __future__ import annotations

from ...sites import Site
from ..study import Study

# Kinds of sites whose first effect is at the end of a block, or whose block can be run again from its input.
KINDS = ("embedding", "residual", "attention", "mlp", "neurons")


def born(site: Site) -> int:
    """Return the block at whose output rows begin to differ, or must be there to be changed next; -1 for the input."""
    if site.kind == "embedding":
        return -1
    assert site.layer is not None
    return site.layer if site.kind == "residual" else site.layer - 1


def births(study: Study) -> list[int]:
    """Return the blocks at whose outputs rows of a study begin."""
    return sorted({born(site) for site in study.places if site.kind in KINDS} - {-1})
