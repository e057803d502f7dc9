"""Positions along a sequence: as the user writes them, and as token indices of one unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, final

from .._checks import listed, shown, suggestion
from ..errors import SiteError
from ..units import RESERVED

_POSITIONS = "positions are 'all', 'last', 'each', 'spans', an index, a slice, a list of indices, or a named span"


@final
@dataclass(frozen=True, slots=True, repr=False)
class _Slice:
    """A slice that hashes (Python's own does not before 3.12)."""

    start: int | None
    stop: int | None
    step: int | None

    def indices(self, length: int) -> tuple[int, int, int]:
        return slice(self.start, self.stop, self.step).indices(length)

    def __repr__(self) -> str:
        return f"slice({self.start}, {self.stop}, {self.step})"


Position = int | str | _Slice | tuple[int, ...]


def check_position(at: object) -> Position:
    """Return `at` in its hashable form, or raise SiteError.

    Examples
    --------
    >>> check_position([0, 2])
    (0, 2)
    """
    at = plain(at)
    if isinstance(at, _Slice) or (isinstance(at, str) and at):
        return at
    if _is_index(at):
        return int(at)  # type: ignore[call-overload, no-any-return]
    if isinstance(at, slice):
        parts = (at.start, at.stop, at.step)
        if not all(part is None or _is_index(part) for part in parts) or at.step == 0:
            raise SiteError(f"at = {at!r}: a slice of token indices is needed, such as slice(2, 5).")
        return _Slice(*(None if part is None else int(part) for part in parts))
    if isinstance(at, str) or not isinstance(at, Iterable):
        raise SiteError(f"at = {shown(at)}: {_POSITIONS}.")
    found = tuple(at)
    if not all(map(_is_index, found)):
        raise SiteError(f"at = {shown(at)}: {_POSITIONS}.")
    if not found or len(set(found)) != len(found):
        raise SiteError(f"at = {shown(at)}: distinct indices are needed, and at least one.")
    return tuple(map(int, found))


def plain(value: Any) -> Any:
    """Return arrays and tensors as numbers or lists of them, everything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_index(part: object) -> bool:
    return isinstance(part, Integral) and not isinstance(part, bool)


def at_text(at: Position) -> str:
    """Return a short text for tables, such as ``2:5``."""
    if isinstance(at, _Slice):
        text = ":".join("" if part is None else str(part) for part in (at.start, at.stop))
        return text if at.step is None else f"{text}:{at.step}"
    return ",".join(map(str, at)) if isinstance(at, tuple) else str(at)


def may_overlap(a: Position, b: Position) -> bool:
    """Return True if two positions surely share a token whatever the unit."""
    if a == b or "all" in (a, b):
        return True
    first, second = _as_indices(a), _as_indices(b)
    if first is None or second is None:
        return False
    return bool(first & second)


def _as_indices(at: Position) -> set[int] | None:
    if at == "last":
        return {-1}
    if isinstance(at, int):
        return {at}
    if isinstance(at, tuple):
        return set(at)
    return None


def positions_of(at: Position, length: int, spans: Mapping[str, tuple[int, ...]], where: str) -> tuple[int, ...]:
    """Return the token indices that `at` means in one unit.

    Parameters
    ----------
    at
        A position other than "each" and "spans".
    length
        Number of tokens of the unit.
    spans
        Token indices of its named spans.
    where
        How errors call the unit, such as ``"base input of unit 3"``.

    Raises
    ------
    SiteError
        If an index is out of range or a span is unknown.

    Examples
    --------
    >>> positions_of("last", 5, {}, "unit 0"), positions_of((0, -1), 5, {}, "unit 0")
    ((4,), (0, 4))
    """
    if at == "all":
        return tuple(range(length))
    if at == "last":
        return (length - 1,)
    if isinstance(at, str):
        return _of_span(at, spans, where)
    if isinstance(at, _Slice):
        found = tuple(range(*at.indices(length)))
        if not found:
            raise SiteError(
                f"at = {at_text(at)}: holds no token of the {where}, which has {length} tokens (0 to {length - 1})."
            )
        return found
    indices = (at,) if isinstance(at, int) else at
    out = [i for i in indices if not -length <= i < length]
    if out:
        raise SiteError(
            f"at = {out[0]}: out of range for the {where}, which has {length} tokens ({-length} to {length - 1})."
        )
    return tuple(sorted({i % length for i in indices}))


def _of_span(at: str, spans: Mapping[str, tuple[int, ...]], where: str) -> tuple[int, ...]:
    if at in spans:
        return spans[at]
    name, _, end = at.rpartition(".")
    if name in spans and end in ("first", "last"):
        return (spans[name][0],) if end == "first" else (spans[name][-1],)
    choices = [*RESERVED, *spans]
    known = (
        f"Named spans of these units: {listed(spans)}."
        if spans
        else "These units have no named spans: Pairs(..., spans={...})."
    )
    raise SiteError(f"at = {at!r}: no such position in the {where}. {suggestion(at, choices)} {known}")
