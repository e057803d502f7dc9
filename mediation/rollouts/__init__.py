"""Models that think before they answer: one decode loop, whose thoughts are read, changed and put elsewhere."""

from __future__ import annotations

from ._again import questions_of as questions_of
from ._entries import check_site as check_site, check_world as check_world
from ._repetition import repeats as repeats
from ._roller import (
    Roller as Roller,
    Settings as Settings,
    check_lengths as check_lengths,
    check_model as check_model,
    make_roller as make_roller,
)
from ._rollout import rollout as rollout, settings_from as settings_from
from ._row import Row as Row
from ._sampling import Sampling as Sampling
from ._thoughts import Thought as Thought
from ._told import told_of as told_of
from ._trajectory import Trajectory as Trajectory
from ._worlds import (
    Question as Question,
    Ran as Ran,
    job_of as job_of,
    plain_runs as plain_runs,
    run_plain as run_plain,
    run_worlds as run_worlds,
    thought_entries as thought_entries,
)
from .generated import Generated as Generated, GenerationReader as GenerationReader
from .inputs import do as do
