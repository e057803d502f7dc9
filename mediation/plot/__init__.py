"""Pictures: each function draws a result (`Effects`, or what `probing` returns) on one `Axes`, and returns the axes."""

from __future__ import annotations

from ._compare import compare as compare
from ._decay import decay as decay
from ._decomposition import decomposition as decomposition
from ._dose import dose as dose
from ._draw import draw as draw
from ._equivalence import equivalence as equivalence
from ._forest import forest as forest
from ._heatmap import heatmap as heatmap
from ._interaction import interaction as interaction
from ._power import power as power
from ._probe import probe as probe
from ._similarity import similarity as similarity
from ._specification import specification as specification
from .drawing import theme as theme
