"""Pictures of results: each function takes an `Effects`, draws on one `Axes`, and returns it."""

from __future__ import annotations

from ._decomposition import decomposition as decomposition
from ._dose import dose as dose
from ._forest import forest as forest
from ._heatmap import heatmap as heatmap
from ._theme import theme as theme
