"""Passes as data, and what they leave for each other."""

from ._divergence import Divergence as Divergence
from ._pass import Check as Check, Pass as Pass
from ._session import Session as Session
