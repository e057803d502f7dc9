"""The verdicts of tests of equivalence, and how the rows that they are about are called."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..text import meaning_of

EQUIVALENT, DIFFERENT, BOTH = "equivalent", "different", "both: real but negligible"
UNDECIDED, NO_INTERVAL = "undecided", "no interval"
VERDICTS = (EQUIVALENT, BOTH, DIFFERENT, UNDECIDED, NO_INTERVAL)


def row_name(row: Mapping[Hashable, Any]) -> str:
    """Return how a row is called in notes: its estimand, and its arm or site."""
    symbol = meaning_of(str(row["estimand"])).symbol
    where = str(row.get("arm") or row.get("site") or "")
    dose = row.get("dose")
    at = f" at {where}" if where else ""
    return f"{symbol}{at}, dose {dose:g}" if isinstance(dose, float) and dose == dose else f"{symbol}{at}"
