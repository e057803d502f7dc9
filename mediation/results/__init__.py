"""Results: the tidy table of effects, the unit-level frame behind it, its summary and its files."""

from __future__ import annotations

from ._agreement import agreement as agreement
from ._compare_many import compare_many as compare_many
from ._effects import Effects as Effects
from ._from_units import effects as effects, summarise as summarise
from ._moderation import AbstractModeration as AbstractModeration
from ._outcomes import FAMILIES as FAMILIES, OutcomeFamily as OutcomeFamily
from ._read import read as read
from .checklist import Checklist as Checklist, ChecklistItem as ChecklistItem
from .files import (
    SCHEMA_VERSION as SCHEMA_VERSION,
    columns as columns,
    kind_of as kind_of,
    validate as validate,
    validate_units as validate_units,
)
from .kinds import KINDS as KINDS, AbstractKind as AbstractKind, Column as Column, Kind as Kind
from .planning import Power as Power, power as power
from .questions import Regression as Regression
from .text import (
    MEANINGS as MEANINGS,
    IntervalSet as IntervalSet,
    Meaning as Meaning,
    Summary as Summary,
    meaning_of as meaning_of,
    set_of as set_of,
)
