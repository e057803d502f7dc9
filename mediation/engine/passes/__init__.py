"""One batch: rows in, outcomes out."""

from ._cells import RUNS as RUNS, Cells as Cells, Index as Index, Row as Row
from ._inputs import (
    Batch as Batch,
    join_aligned as join_aligned,
    join_features as join_features,
    make_batch as make_batch,
    position_rows as position_rows,
)
from ._reading import (
    last_logits as last_logits,
    read_tails as read_tails,
    reading as reading,
    readout as readout,
    sees_logits as sees_logits,
)
from ._rows import (
    Edit as Edit,
    batch_of as batch_of,
    capture_rows as capture_rows,
    reference_logits as reference_logits,
    run_rows as run_rows,
)
from ._select import Selection as Selection, read as read, same_shape_groups as same_shape_groups
from ._unembed import MOST_OF_VOCABULARY as MOST_OF_VOCABULARY
