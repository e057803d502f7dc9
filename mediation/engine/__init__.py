"""How a study is run: worlds, backends, batches, checks. Backends are the only code that opens a model."""

from ._attribution import Direction as Direction, Scores as Scores, attribution_scores as attribution_scores
from ._backend import (
    AbstractBackend as AbstractBackend,
    Visit as Visit,
    main_tensor as main_tensor,
    with_main_tensor as with_main_tensor,
)
from ._choose import backend_for as backend_for
from ._hooks import HookBackend as HookBackend
from ._plan import PassCount as PassCount, SweepPlan as SweepPlan, plan_study as plan_study
from ._progress import Progress as Progress, progress_for as progress_for
from ._reference import Reference as Reference, ReferenceBackend as ReferenceBackend
from ._run import Execution as Execution, Finished as Finished, run_study as run_study
from ._study import Study as Study, expand_world as expand_world, make_study as make_study
from ._trace import NnsightBackend as NnsightBackend
from ._world import World as World
