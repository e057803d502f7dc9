"""What a state encodes: how similar states are to each other, and what a probe can read from them.

Raw cosine similarities of hidden states are high for any input (they share a large mean), so look at
`centred_cosine`, `linear_cka` and `effective_rank` beside them. A probe says that something can be read, not that the
model reads it: that is the question of `mediation.mediate`.
"""

from __future__ import annotations

from ._by_step import Similarity as Similarity, compare as compare, similarity as similarity
from ._capture import capture as capture
from ._probe import Probe as Probe, probe as probe
from ._probe_steps import Probes as Probes, probe_steps as probe_steps
from ._random import random_like as random_like
from ._retrieval import Retrieval as Retrieval, retrieval as retrieval
from ._similarity import (
    centred_cosine as centred_cosine,
    cosine_similarity_matrix as cosine_similarity_matrix,
    effective_rank as effective_rank,
    linear_cka as linear_cka,
)
from ._states import States as States
