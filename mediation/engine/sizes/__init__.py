"""What passes cost and what memory holds."""

from ._batching import (
    Room as Room,
    halving as halving,
    is_out_of_memory as is_out_of_memory,
    most_padded as most_padded,
    split as split,
    splits as splits,
    tokens_for as tokens_for,
    tokens_per_pass as tokens_per_pass,
)
from ._cost import (
    ModelCost as ModelCost,
    PassKind as PassKind,
    PassShape as PassShape,
    flops_of as flops_of,
    model_cost as model_cost,
    needed_flops as needed_flops,
    weights_of as weights_of,
)
from ._memory import (
    PassMemory as PassMemory,
    free_bytes as free_bytes,
    held_budget as held_budget,
    weight_bytes as weight_bytes,
)
