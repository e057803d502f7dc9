"""The account of a run (provenance), and what follows from it for a result."""

from ._balance import balance_note as balance_note, balance_of as balance_of, warn_of_few as warn_of_few
from ._crossed import in_crossed_clusters as in_crossed_clusters, is_two_way as is_two_way
from ._provenance import TOGETHER as TOGETHER, plain as plain, section as section, text_at as text_at
from ._screened import (
    UNCHOSEN as UNCHOSEN,
    for_all_sites as for_all_sites,
    need_all_sites as need_all_sites,
    screen_notes as screen_notes,
    screened_tests as screened_tests,
)
from ._settings import need_own_draws as need_own_draws, precision_of as precision_of, settings_of as settings_of
