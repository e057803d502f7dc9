"""What a site says: its fields, checked, and its name. How sites combine is in `_site`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, Self

from .._checks import one_of, shown
from .._printable import printable
from ..errors import SiteError
from ._positions import Position, at_text, check_position, plain

Kind = Literal["module", "residual", "mlp", "attention", "pattern", "neurons", "embedding"]
KINDS: tuple[Kind, ...] = ("module", "residual", "mlp", "attention", "pattern", "neurons", "embedding")
_MOST_INDEX = 10**9
LAYERED: tuple[Kind, ...] = ("residual", "mlp", "attention", "pattern", "neurons")


@dataclass(frozen=True, slots=True, repr=False)
class AbstractSite(ABC):
    """The fields of a `Site`, which are described there: enough to find it in a model."""

    module: str = ""
    at: Position = "all"
    io: Literal["output", "input"] = "output"
    kind: Kind = "module"
    layer: int | None = None
    head: int | Literal["each"] | None = None
    units: tuple[int, ...] | Literal["each"] | None = None
    stack: Literal["encoder", "decoder"] | None = None

    def __post_init__(self) -> None:
        one_of(self.io, ("output", "input"), what="Site io", error=SiteError)
        one_of(self.kind, KINDS, what="Site kind", error=SiteError)
        object.__setattr__(self, "at", check_position(self.at))
        if self.kind == "module" and (not isinstance(self.module, str) or not self.module):
            raise SiteError(
                f"Site({shown(self.module)}): the dotted path of a module is needed, such as 'encoder.fc1'; "
                "model.named_modules() lists them."
            )
        one_of(self.stack, (None, "encoder", "decoder"), what="Site stack", error=SiteError)
        if self.stack is not None and self.kind == "module":
            raise SiteError(f"Site(stack={self.stack!r}): the path {self.module!r} says where the module is already.")
        object.__setattr__(self, "layer", _index(self.layer, "layer", "or None for all layers"))
        if not _is_each(self.head):
            wanted = "'each' for one site a head, or None for all heads together"
            object.__setattr__(self, "head", _index(self.head, "head", wanted))
        if self.head is not None and self.kind not in ("attention", "pattern"):
            raise SiteError(
                f"head = {shown(self.head)}: only attention and pattern sites have heads, this is {self.kind}."
            )
        if self.units is not None and not _is_each(self.units):
            object.__setattr__(self, "units", _check_units(self.units))

    @property
    def is_concrete(self) -> bool:
        """True if nothing is left to expand (layer, head, positions, units)."""
        return (
            (self.kind not in LAYERED or self.layer is not None)
            and self.at not in ("each", "spans")
            and self.head != "each"
            and self.units != "each"
        )

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    @abstractmethod
    def __or__(self, other: Any) -> Any: ...

    @abstractmethod
    def __sub__(self, other: Any) -> Any: ...

    def __str__(self) -> str:
        name = self.module if self.kind == "module" else self.kind
        name = f"{self.stack}.{name}" if self.stack is not None else name
        if self.kind in LAYERED:
            name += f"[{'*' if self.layer is None else self.layer}]"
        if self.io == "input" and self.kind == "module":
            name += ".input"
        if self.head is not None:
            name += f".head[{'*' if self.head == 'each' else self.head}]"
        if self.units is not None:
            name += f".units[{_units_text(self.units)}]"
        return printable(name if self.at == "all" else f"{name}@{at_text(self.at)}", one_line=True)

    def __repr__(self) -> str:
        parts = [] if self.kind == "module" else [str(self.layer)] if self.kind in LAYERED else []
        if self.kind == "module":
            parts = [repr(self.module)]
        for name, default in (("head", None), ("units", None), ("at", "all"), ("io", "output"), ("stack", None)):
            value = getattr(self, name)
            if value != default:
                parts.append(f"{name}={value!r}")
        return f"{'Site' if self.kind == 'module' else self.kind}({', '.join(parts)})"


def _is_each(value: object) -> bool:
    return isinstance(value, str) and value == "each"


def _index(value: object, what: str, otherwise: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or abs(int(value)) > _MOST_INDEX:
        raise SiteError(
            f"{what} = {shown(value)}: a whole number is needed (negative counts from the end), {otherwise}."
        )
    return int(value)


def _check_units(units: Any) -> tuple[int, ...]:
    units = plain(units)
    found = tuple(units) if isinstance(units, Iterable) and not isinstance(units, str) else None
    if found is None or any(isinstance(unit, bool) or not isinstance(unit, Integral) for unit in found):
        raise SiteError(
            f"units = {shown(units)}: a list of feature indices is needed, 'each' for one site a feature, or None for "
            "all."
        )
    found = tuple(map(int, found))
    if not found or len(set(found)) != len(found) or min(found) < 0:
        raise SiteError(f"units = {found!r}: distinct indices of at least 0 are needed, and at least one.")
    return found


def _units_text(units: tuple[int, ...] | str) -> str:
    if isinstance(units, str):
        return "*"
    run = units == tuple(range(units[0], units[-1] + 1))
    return f"{units[0]}:{units[-1] + 1}" if run and len(units) > 2 else ",".join(map(str, units))
