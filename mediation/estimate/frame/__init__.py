"""The frame of units: its columns, ids, clusters and donors, checked and in order."""

from ._clusters import (
    SECOND as SECOND,
    Labels as Labels,
    check_crossed as check_crossed,
    crossing as crossing,
    labels_of as labels_of,
    named_clusters as named_clusters,
    need_one_kind as need_one_kind,
)
from ._codes import coded as coded, grouped as grouped
from ._frame import KEYS as KEYS, POTENTIAL_OUTCOMES as POTENTIAL_OUTCOMES, units_from as units_from
from ._ids import (
    by_unit as by_unit,
    in_order as in_order,
    places as places,
    plain_ids as plain_ids,
    sort_key as sort_key,
)
