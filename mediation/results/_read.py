"""Reading what was saved."""

from __future__ import annotations

from pathlib import Path

from ._effects import Effects
from ._io import read_parts


def read(path: str | Path) -> Effects:
    """Return the effects that `Effects.save` wrote.

    Parameters
    ----------
    path
        Any one of the three files, or their common name without a suffix.

    Raises
    ------
    DataError
        If a file is missing, does not match the digest saved with it, or was written by a newer version.

    Notes
    -----
    Nothing in the files is executed: they are parquet and JSON.
    """
    parts = read_parts(path)
    return Effects(parts.table, parts.units, parts.provenance)
