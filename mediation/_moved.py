"""Names that moved: for one release they are found where they were, with a warning that says where they are now."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

GONE_IN = "0.3"


def moved(package: str, homes: Mapping[str, str], *, level: int = 2) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose names have other homes.

    Parameters
    ----------
    package
        Its name.
    homes
        Names, with blanks between them, by the package that has them now.
    level
        Calls from the warning up to the line that it is about.

    Examples
    --------
    >>> find = moved("mediation.results", {"mediation.units": "Pairs Prompt"})
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as seen:
    ...     warnings.simplefilter("always")
    ...     kind = find("Pairs")
    >>> print(seen[0].message)
    mediation.results.Pairs is now mediation.units.Pairs; the old name goes in version 0.3.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        warnings.warn(
            f"{package}.{name} is now {home_of[name]}.{name}; the old name goes in version {GONE_IN}.",
            DeprecationWarning,
            stacklevel=level,
        )
        return getattr(import_module(home_of[name]), name)

    return find
