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
from ._comparison import overlap as overlap
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
from ._site import (
    Joint as Joint,
    Site as Site,
    SiteSet as SiteSet,
    check_disjoint as check_disjoint,
    leaves as leaves,
)
from ._thought import ThoughtSite as ThoughtSite, When as When, imagination as imagination, latents as latents
