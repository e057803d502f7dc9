"""Readers of public benchmarks, and synthetic tasks, as frames of one form."""

from __future__ import annotations

from ._cyclic import cyclic as cyclic
from ._extract import extract as extract
from ._needle import needle as needle
from ._pictures import Picture as Picture, opened as opened
from ._planning import planning as planning
from ._protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol
from ._read import read as read
from ._scores import scores as scores
from ._vsp import simulate as simulate
