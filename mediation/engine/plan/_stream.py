"""The stream of a study, opened: how its rows are laid out, whether they grow, and in which chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from ..backends import ReferenceBackend
from ..fanout import fan_out_reason
from ..passes import Row
from ..session import Pass
from ..study import Execution, Study
from ..verify import Laid, lay_out
from ._chunks import Split
from ._planner import Planner, Told
from ._sample import sample


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What is decided before the first pass.

    Attributes
    ----------
    execution
        How the study is run, with the layout that was found.
    laid
        What was found, and by which passes.
    planner
        Yields the passes.
    reason
        Why worlds do not share growing passes; None if they do.
    """

    execution: Execution
    laid: Laid[Row]
    planner: Planner
    reason: str | None

    @property
    def naive(self) -> bool:
        """True if every row is run by the naive path."""
        return isinstance(self.execution.backend, ReferenceBackend)

    def outcomes(self, told: Told) -> Iterator[Pass]:
        """Yield the passes up to the last outcome."""
        return self.planner.naive() if self.naive else self.planner.passes(told)

    def sample(self) -> Iterator[Pass]:
        """Yield the passes that compute some outcomes once more."""
        return iter(()) if self.naive else sample(self.planner, self.execution.checks)


def open_stream(study: Study, execution: Execution, split: Split) -> Stream:
    """Find out how rows may share passes, and return the stream.

    Parameters
    ----------
    split
        How it is split.
    """
    execution, laid = lay_out(study, execution)
    reason = "switched off" if not execution.fan_out else fan_out_reason(study, execution.backend)
    planner = Planner(study, execution, split, grows=reason is None)
    return Stream(execution, laid, planner, reason)
