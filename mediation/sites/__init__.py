"""Where: places in a computation, as data, and how they are found in a model."""

from ._axis import (
    CHANNELS as CHANNELS,
    ELEMENTWISE as ELEMENTWISE,
    LAST as LAST,
    axis_of as axis_of,
    declared_width as declared_width,
)
from ._build import (
    attention as attention,
    embedding as embedding,
    mlp as mlp,
    neurons as neurons,
    pattern as pattern,
    residual as residual,
)
from ._difference import leaves as leaves
from ._input import (
    InputSite as InputSite,
    check_box as check_box,
    image as image,
    prompt as prompt,
    question as question,
)
from ._parts import side_of as side_of
from ._positions import (
    Position as Position,
    at_text as at_text,
    check_position as check_position,
    may_overlap as may_overlap,
    positions_of as positions_of,
)
from ._resolve import Place as Place, resolve as resolve
from ._set import Joint as Joint, SiteSet as SiteSet, check_disjoint as check_disjoint
from ._site import Site as Site, overlap as overlap
from ._thought import ThoughtSite as ThoughtSite, When as When, imagination as imagination, latents as latents
