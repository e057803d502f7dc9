"""Results: the tidy table of effects, the unit-level frame behind it, its summary and its files."""

from __future__ import annotations

from ._agreement import agreement as agreement
from ._checklist import Checklist as Checklist, ChecklistItem as ChecklistItem
from ._compare_many import compare_many as compare_many
from ._effects import Effects as Effects
from ._from_units import effects as effects, summarise as summarise
from ._kinds import KINDS as KINDS, Column as Column, Kind as Kind
from ._meanings import MEANINGS as MEANINGS, Meaning as Meaning, meaning_of as meaning_of
from ._moderation import AbstractModeration as AbstractModeration
from ._planned import Power as Power
from ._power import power as power
from ._read import read as read
from ._regress import Regression as Regression
from ._schema import (
    SCHEMA_VERSION as SCHEMA_VERSION,
    columns as columns,
    kind_of as kind_of,
    validate as validate,
    validate_units as validate_units,
)
from ._sets import IntervalSet as IntervalSet, set_of as set_of
from ._summary import Summary as Summary
