"""Questions about thoughts: rolled out instead of run in one pass."""

from ._questions import ablate_thought as ablate_thought, mediate_thought as mediate_thought
