"""Models that think before they answer: one decode loop, whose thoughts are read, changed and put elsewhere."""

from __future__ import annotations

from ._repetition import repeats as repeats
from ._roller import Settings as Settings
from ._rollout import rollout as rollout, settings_from as settings_from
from ._sampling import Sampling as Sampling
from ._trajectory import Trajectory as Trajectory
from .generated import Generated as Generated, GenerationReader as GenerationReader
from .inputs import do as do
from .study import (
    Rolling as Rolling,
    Rollouts as Rollouts,
    at_step as at_step,
    make_rollouts as make_rollouts,
    plan_rollouts as plan_rollouts,
    run_rollouts as run_rollouts,
)
