"""FLOPs of a row of a module whose blocks are not known: counted on one input."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..backends import call
from ..passes import make_batch
from ..study import Study


def flops_of_a_row(study: Study) -> int:
    """Return the FLOPs of one plain run of the first unit, as `torch.utils.flop_counter` counts them."""
    batch = make_batch(study.model, [study.encoding.of(study.worlds[0].run, 0)])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call(study.model.module, batch.inputs)
    return int(counter.get_total_flops())
