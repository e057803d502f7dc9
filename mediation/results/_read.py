"""Reading what was saved."""

from __future__ import annotations

from pathlib import Path

from .._reading import reading
from ._effects import Effects
from .files import read_parts


def read(path: str | Path, *, max_bytes: int = 2**32) -> Effects:
    """Return the effects that `Effects.save` wrote.

    Parameters
    ----------
    path
        Any one of the three files, or their common name without a suffix.
    max_bytes
        What each of the two tables may take once it is unpacked.

    Raises
    ------
    DataError
        If a file is missing, damaged, does not match the digest saved with it, was written by a newer version, or takes
        more than `max_bytes`.

    Notes
    -----
    Nothing in the files is executed: they are parquet and JSON.
    """
    parts = read_parts(path, max_bytes)
    with reading(f"{path}: the saved result", "Restore its three files, or run the study again."):
        effects = Effects(parts.table, parts.units, parts.provenance, kind=parts.kind)
        _ = repr(effects), effects.summary()  # the account of the run is free text until it is told
    return effects
