"""For tests of your own: models whose effects are known, tiny transformers, and checks of your extensions.

Models with closed forms in `_closed_forms` and `_games`, tiny random transformers and a tokenizer in `_tiny`, with
images and a processor in `_tiny_vision`, the comparison of a backend with the naive path in `_backend`; `check_laws`
is that of `mediation.interventions`.
"""

from ..interventions import check_laws as check_laws
from ._backend import check_backend as check_backend
from ._closed_forms import (
    AbstractClosedForm as AbstractClosedForm,
    LinearInteraction as LinearInteraction,
    ParallelMediators as ParallelMediators,
    SharedNoise as SharedNoise,
    TraitGate as TraitGate,
    first_output as first_output,
)
from ._games import CooperativeGame as CooperativeGame, Gate as Gate
from ._tiny import (
    FAMILIES as FAMILIES,
    MIXTURES as MIXTURES,
    tiny_model as tiny_model,
    tiny_tokenizer as tiny_tokenizer,
)
from ._tiny_vision import (
    VISION_FAMILIES as VISION_FAMILIES,
    tiny_processor as tiny_processor,
    tiny_vision_model as tiny_vision_model,
)
