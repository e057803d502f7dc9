"""The kinds of result: each knows its columns, what names a row, its words, and what can be asked of it."""

from ...estimate import BEYOND as BEYOND, CONTROLS as CONTROLS, REAL as REAL
from ._ablation import AblationKind as AblationKind
from ._abstract import AbstractKind as AbstractKind
from ._adjustment import first_of_its_test as first_of_its_test
from ._column import UNITS as UNITS, Column as Column
from ._comparison import ComparisonKind as ComparisonKind
from ._controls import control_title as control_title, label_of_control as label_of_control
from ._equivalence import (
    BOTH as BOTH,
    DIFFERENT as DIFFERENT,
    EQUIVALENT as EQUIVALENT,
    NO_INTERVAL as NO_INTERVAL,
    UNDECIDED as UNDECIDED,
    EquivalenceKind as EquivalenceKind,
    print_margin as print_margin,
    row_name as row_name,
    tested_level as tested_level,
    tested_thing as tested_thing,
    two_intervals as two_intervals,
)
from ._fields import (
    confidence as confidence,
    default_estimand as default_estimand,
    most_telling as most_telling,
    named_field as named_field,
    number_fields as number_fields,
)
from ._hierarchy import HierarchyKind as HierarchyKind, rows_told as rows_told
from ._known import (
    BY_MAX_T as BY_MAX_T,
    KINDS as KINDS,
    OF_UNITS as OF_UNITS,
    Kind as Kind,
    kind_from as kind_from,
    kind_named as kind_named,
    kind_stated as kind_stated,
    known_kinds as known_kinds,
)
from ._models import ModelsKind as ModelsKind
from ._notes import notes as notes, role as role
from ._paired import comparison_labels as comparison_labels
from ._specification import (
    SpecificationKind as SpecificationKind,
    agreement_of as agreement_of,
    side_of as side_of,
    specifications as specifications,
    varied as varied,
)
from ._subgroups import SubgroupsKind as SubgroupsKind
from ._sweep import SweepKind as SweepKind
