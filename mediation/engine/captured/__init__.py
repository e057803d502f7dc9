"""What plain runs leave for other passes: activations, keys and values, outputs of blocks."""

from ._activations import (
    Activations as Activations,
    Source as Source,
    captures as captures,
    donor_sites as donor_sites,
    moment as moment,
    needs_all_units as needs_all_units,
    source_of as source_of,
)
from ._births import KINDS as KINDS, births as births, born as born
from ._plain_states import (
    Lane as Lane,
    Lanes as Lanes,
    PlainStates as PlainStates,
    check_cache as check_cache,
    lane_ids as lane_ids,
)
