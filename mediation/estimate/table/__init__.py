"""From units to rows: values by unit, their precision and draws, and the table of estimands."""

from ._donor_variance import Array as Array, DonorDesign as DonorDesign, Index as Index, donor_values as donor_values
from ._outcomes import (
    OF_DONORS as OF_DONORS,
    Outcomes as Outcomes,
    row_of_donor as row_of_donor,
    row_of_unit as row_of_unit,
)
from ._rounding import (
    MAGNITUDE as MAGNITUDE,
    PRECISIONS as PRECISIONS,
    Precision as Precision,
    coarsest as coarsest,
    limits as limits,
    resolved as resolved,
)
from ._shared import DRAWS as DRAWS, Draws as Draws, cubes as cubes
from ._tabulate import (
    SiteInfo as SiteInfo,
    codes_of as codes_of,
    groups_of as groups_of,
    matrices as matrices,
    numbers_of as numbers_of,
    resolved_contrast as resolved_contrast,
    resolved_ratio as resolved_ratio,
    rows_of as rows_of,
    span_of as span_of,
    tabulate as tabulate,
    warn_degenerate as warn_degenerate,
    weights_of_answers as weights_of_answers,
    width_of as width_of,
    with_sites as with_sites,
)
from ._unit_values import UnitValues as UnitValues, unit_values as unit_values
