"""Models that think before they answer: one decode loop, and specs that say where the thought is."""

from __future__ import annotations

from ._rollout import rollout as rollout
from ._trajectory import Trajectory as Trajectory
