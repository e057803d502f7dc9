"""Backends by name."""

from __future__ import annotations

from ..._checks import called, listed, suggestion
from ...errors import DesignError
from ._backend import AbstractBackend
from ._hooks import HookBackend
from ._naive import ReferenceBackend
from ._trace import NnsightBackend


def backend_for(asked: str | AbstractBackend) -> AbstractBackend:
    """Return the backend of a name, or the object itself.

    Examples
    --------
    >>> backend_for("hooks")
    HookBackend()
    """
    if isinstance(asked, AbstractBackend):
        return asked
    known: dict[str, AbstractBackend] = {
        "nnsight": NnsightBackend(),
        "hooks": HookBackend(),
        "reference": ReferenceBackend(),
    }
    if not isinstance(asked, str):
        raise DesignError(f"backend is {called(asked)}; {listed(known)}, or an AbstractBackend object, is needed.")
    if asked not in known:
        raise DesignError(f"backend = {asked!r} is not known. {suggestion(asked, list(known))}")
    return known[asked]
