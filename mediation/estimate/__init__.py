"""Statistics alone: from potential outcomes, one row a unit, to a table of estimands with intervals."""

from .._seed import seed_from as seed_from
from ._controls import (
    BEYOND as BEYOND,
    CONTROLS as CONTROLS,
    RANDOM as RANDOM,
    REAL as REAL,
    tabulate_controls as tabulate_controls,
)
from ._equivalence import Margin as Margin, tabulate_equivalence as tabulate_equivalence
from ._hierarchy import tabulate_hierarchy as tabulate_hierarchy
from ._interactions import (
    DIRECTIONS as DIRECTIONS,
    Direction as Direction,
    Game as Game,
    tabulate_interactions as tabulate_interactions,
)
from ._joint import (
    JointColumn as JointColumn,
    control_columns as control_columns,
    joint_bands as joint_bands,
    specification_columns as specification_columns,
)
from ._specification import (
    SHARES as SHARES,
    tabulate_specifications as tabulate_specifications,
    with_shares as with_shares,
)
from ._subgroups import tabulate_subgroups as tabulate_subgroups
from .comparison import (
    Many as Many,
    Match as Match,
    Side as Side,
    outcome_names as outcome_names,
    side_of as side_of,
    tabulate_comparison as tabulate_comparison,
    tabulate_contrasts as tabulate_contrasts,
    tabulate_models as tabulate_models,
    width_of_both as width_of_both,
)
from .frame import (
    POTENTIAL_OUTCOMES as POTENTIAL_OUTCOMES,
    SECOND as SECOND,
    crossing as crossing,
    named_clusters as named_clusters,
    need_one_kind as need_one_kind,
    plain_ids as plain_ids,
    sort_key as sort_key,
    units_from as units_from,
)
from .table import (
    DRAWS as DRAWS,
    PRECISIONS as PRECISIONS,
    Draws as Draws,
    Precision as Precision,
    SiteInfo as SiteInfo,
    UnitValues as UnitValues,
    coarsest as coarsest,
    tabulate as tabulate,
    unit_values as unit_values,
)
