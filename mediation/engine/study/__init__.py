"""What is asked: worlds of units, bound to a model, and how they are run."""

from ._draws import cycle as cycle, donor_units as donor_units, noise as noise
from ._execution import Execution as Execution, Layout as Layout, Side as Side
from ._remembers import remembers as remembers
from ._study import Placed as Placed, Study as Study, Table as Table, Unembedding as Unembedding
from ._tolerance import tolerance as tolerance
from ._world import Run as Run, World as World, donor_run as donor_run, run_of as run_of
