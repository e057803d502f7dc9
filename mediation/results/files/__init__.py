"""Files: the schema of a table, and how results are written and read."""

from ._io import read_parts as read_parts, write as write
from ._schema import (
    SCHEMA_VERSION as SCHEMA_VERSION,
    columns as columns,
    kind_of as kind_of,
    validate as validate,
    validate_units as validate_units,
)
