"""What is odd about the thoughts of a unit, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import Model
from ..specs import LatentSpec, Spec
from ._row import Row
from ._trajectory import Segment


def flags_of(row: Row, segments: Sequence[Segment], model: Model, spec: Spec | None) -> tuple[str, ...]:
    """Return the flags of a row that has been decoded."""
    found = list(row.flags)
    if spec is None:
        return tuple(dict.fromkeys(found))
    if not segments and "nan" not in found:
        found.append("never opened")
    if not isinstance(spec, LatentSpec) and segments:
        if any(start == stop for start, stop in segments):
            found.append("empty thought")
        said = str(model.tokenizer.decode(row.text_ids()))
        if said.rfind(spec.end) <= said.rfind(spec.start) and spec.end not in said[said.rfind(spec.start) + 1 :]:
            found.append("never closed")
    return tuple(dict.fromkeys(found))
