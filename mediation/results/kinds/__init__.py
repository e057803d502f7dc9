"""The kinds of result."""

from ._adjustment import BANDED_LATER as BANDED_LATER, first_of_its_test as first_of_its_test
from ._columns import (
    EQUIVALENCE as EQUIVALENCE,
    KINDS as KINDS,
    UNITS as UNITS,
    Column as Column,
    Kind as Kind,
    added_to as added_to,
    columns_of as columns_of,
    key_of as key_of,
    kind_from as kind_from,
)
from ._comparison import comparison_labels as comparison_labels
from ._controls import (
    BEYOND as BEYOND,
    CONTROLS as CONTROLS,
    REAL as REAL,
    control_title as control_title,
    label_of_control as label_of_control,
)
from ._describe import confidence as confidence, default_estimand as default_estimand, describe as describe
from ._equivalence import (
    most_telling as most_telling,
    print_margin as print_margin,
    tested_level as tested_level,
    tested_thing as tested_thing,
    two_intervals as two_intervals,
)
from ._hierarchy import rows_told as rows_told
from ._notes import notes as notes, role as role
from ._repr import in_one_line as in_one_line
from ._specification import (
    agreement_of as agreement_of,
    side_of as side_of,
    specifications as specifications,
    varied as varied,
)
from ._verdicts import (
    BOTH as BOTH,
    DIFFERENT as DIFFERENT,
    EQUIVALENT as EQUIVALENT,
    NO_INTERVAL as NO_INTERVAL,
    UNDECIDED as UNDECIDED,
    row_name as row_name,
)
