"""What benchmarks/sweep.py and benchmarks/sweep_scaling.py share: the sweep, its arms, and what is written down."""

from .case import (
    SHAPES as SHAPES,
    Case as Case,
    Site as Site,
    case as case,
    real_model as real_model,
    shaped_model as shaped_model,
)
from .ours import loaded as loaded, one_arm as one_arm, ours as ours, statistics as statistics
from .peers import nnsight_arms as nnsight_arms, peer_arms as peer_arms
from .report import machine as machine, one_line as one_line
from .watch import (
    CLOCKS as CLOCKS,
    Arm as Arm,
    Timed as Timed,
    Watch as Watch,
    bare_rate as bare_rate,
    model_rate as model_rate,
)
