"""What figures share: the theme, rows with their digits, a grid, and how data are asked for."""

from ._ask import (
    bands_hold_over as bands_hold_over,
    check_axes as check_axes,
    interval_name as interval_name,
    labels_of as labels_of,
    on_outcome as on_outcome,
    outcome_of as outcome_of,
    rows_of as rows_of,
    table_of as table_of,
    with_sites as with_sites,
)
from ._digits import write_digits as write_digits
from ._grid import Grid as Grid, grid_of as grid_of
from ._matrix import (
    HATCH as HATCH,
    bare as bare,
    check_colours as check_colours,
    colour_bar as colour_bar,
    hatch as hatch,
)
from ._row_axes import (
    finish_rows as finish_rows,
    in_words as in_words,
    name_rows as name_rows,
    off_axis as off_axis,
    row_axes as row_axes,
    strongest as strongest,
)
from ._rows import Row as Row, draw_row as draw_row, no_interval_key as no_interval_key, row_of as row_of, span as span
from ._states import frame_of as frame_of, line as line, look as look
from ._theme import (
    BLUE as BLUE,
    COLOURS as COLOURS,
    CYCLE as CYCLE,
    FAINT as FAINT,
    GLYPH as GLYPH,
    INK as INK,
    ORANGE as ORANGE,
    RULE as RULE,
    VERMILION as VERMILION,
    axes as axes,
    axis_label as axis_label,
    extent as extent,
    key_above as key_above,
    literal as literal,
    plain_frame as plain_frame,
    theme as theme,
    title as title,
)
