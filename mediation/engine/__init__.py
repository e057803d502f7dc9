"""How a study is run: worlds, backends, batches, checks. Backends are the only code that opens a model."""

from ._progress import Progress as Progress, progress_for as progress_for
from .attribution import Direction as Direction, Scores as Scores, attribution_scores as attribution_scores
from .backends import (
    AbstractBackend as AbstractBackend,
    HookBackend as HookBackend,
    NnsightBackend as NnsightBackend,
    ReferenceBackend as ReferenceBackend,
    Visit as Visit,
    backend_for as backend_for,
    main_tensor as main_tensor,
    with_main_tensor as with_main_tensor,
)
from .binding import expand_world as expand_world, make_study as make_study
from .oracle import Reference as Reference
from .plan import (
    PassCount as PassCount,
    SweepPlan as SweepPlan,
    plan_studies as plan_studies,
    plan_study as plan_study,
)
from .running import AbstractExecutor as AbstractExecutor, Finished as Finished, run_study as run_study
from .session import Pass as Pass
from .study import Execution as Execution, Study as Study, World as World
