"""Kept runs: what they are the run of, and their finished pieces."""

from ._pieces import Pieces as Pieces
from ._store import folder_from as folder_from
