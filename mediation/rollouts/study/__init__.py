"""Studies whose worlds are generations: another executor of what `engine` runs in single passes."""

from ._plan import plan_rollouts as plan_rollouts
from ._rollouts import Rolling as Rolling, Rollouts as Rollouts, at_step as at_step, make_rollouts as make_rollouts
from ._run import run_rollouts as run_rollouts
from ._session import Session as Session
