"""The kinds that are known, by their names and by the columns of their tables."""

from __future__ import annotations

from collections.abc import Collection

from ..._checks import one_of, shown
from ...errors import DataError
from ._ablation import AblationKind
from ._abstract import AbstractKind
from ._comparison import ComparisonKind
from ._controls import ControlsKind
from ._effects import EffectsKind
from ._equivalence import EquivalenceKind
from ._hierarchy import HierarchyKind
from ._interactions import InteractionsKind
from ._models import ModelsKind
from ._specification import SpecificationKind
from ._subgroups import SubgroupsKind
from ._sweep import SweepKind

Kind = str  # the name of a kind

_KNOWN: tuple[AbstractKind, ...] = (
    EffectsKind(), SweepKind(), AblationKind(),
    ComparisonKind(), ControlsKind(), SpecificationKind(), EquivalenceKind(), InteractionsKind(), HierarchyKind(),
    SubgroupsKind(), ModelsKind(),
)  # fmt: skip
KINDS: tuple[Kind, ...] = tuple(kind.name for kind in _KNOWN)
OF_UNITS: tuple[Kind, ...] = tuple(kind.name for kind in _KNOWN if kind.of_units)
BY_MAX_T: tuple[Kind, ...] = tuple(kind.name for kind in _KNOWN if kind.by_max_t)


def known_kinds() -> tuple[AbstractKind, ...]:
    """Return the kinds of the package, then those that are defined elsewhere and imported."""
    own = {type(kind) for kind in _KNOWN}
    return (*_KNOWN, *(kind() for kind in AbstractKind.__subclasses__() if kind not in own))


def _find(name: object) -> AbstractKind | None:
    return next((kind for kind in known_kinds() if isinstance(name, str) and kind.name == name), None)


def kind_named(name: Kind) -> AbstractKind:
    """Return the kind of this name; DataError where none has it.

    Examples
    --------
    >>> kind_named("sweep").key
    ('estimand', 'site')
    """
    return _find(name) or _KNOWN[KINDS.index(one_of(name, KINDS, what="kind", error=DataError))]


def kind_from(names: Collection[str]) -> AbstractKind:
    """Return the kind that a table with the columns `names` belongs to, where nothing states one.

    Examples
    --------
    >>> kind_from({"estimand", "arm", "dose"}).name, kind_from({"estimand", "control"}).name
    ('ablation', 'controls')
    """
    return next((kind for kind in reversed(known_kinds()) if kind.marks & set(names)), _KNOWN[0])


def kind_stated(stated: object, names: Collection[str]) -> AbstractKind:
    """Return the kind that is stated of a table with the columns `names`; None for what the columns tell.

    Raises
    ------
    DataError
        If the columns are those of another kind, or the kind is not known.
    """
    kind = _find(stated)
    if kind is not None and {column.name for column in kind.columns_of(names)} == set(names):
        return kind
    if kind is None and isinstance(stated, str):
        raise DataError(
            f"The table's kind is {shown(stated)}, which is not known here. Import the file that defines it, then read "
            "again."
        )
    found = kind_from(names)
    if stated is not None and (not isinstance(stated, str) or stated != found.name):
        raise DataError(
            f"provenance['kind'] = {shown(stated)}, but the columns are those of {found.name!r}; drop it or correct "
            "one."
        )
    return found
