"""Readers of public benchmarks, and synthetic tasks, as frames of one form."""

from __future__ import annotations

from ._vsp import simulate as simulate
