"""How a study is run: worlds, backends, batches, checks. Backends are the only code that opens a model."""

from ._attribution import Direction as Direction, Scores as Scores, attribution_scores as attribution_scores
from ._backend import (
    AbstractBackend as AbstractBackend,
    Visit as Visit,
    main_tensor as main_tensor,
    with_main_tensor as with_main_tensor,
)
from ._choose import backend_for as backend_for
from ._execution import Execution as Execution
from ._hooks import HookBackend as HookBackend
from ._make import expand_world as expand_world, make_study as make_study
from ._naive import ReferenceBackend as ReferenceBackend
from ._plan import plan_study as plan_study
from ._progress import Progress as Progress, progress_for as progress_for
from ._reference import Reference as Reference
from ._run import Finished as Finished, run_study as run_study
from ._study import Study as Study
from ._sweep_plan import PassCount as PassCount, SweepPlan as SweepPlan
from ._trace import NnsightBackend as NnsightBackend
from ._world import World as World
