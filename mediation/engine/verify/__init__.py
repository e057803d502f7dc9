"""What every run checks of itself, and what it says when a check fails."""

from ._check import (
    FailedCheckError as FailedCheckError,
    check_activation as check_activation,
    check_captured as check_captured,
    compared as compared,
    is_self_patch as is_self_patch,
    settle_self_patches as settle_self_patches,
)
from ._diagnosis import explained as explained
from ._fed import check_fed as check_fed
from ._layout import Laid as Laid, find_layout as find_layout, lay_out as lay_out, lay_out_rows as lay_out_rows
from ._precision import (
    HALF as HALF,
    check_weights as check_weights,
    float32_study as float32_study,
    in_precision as in_precision,
)
