"""Provenance: what was run, as plain data that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from ...errors import DataError

TOGETHER = "outcomes_together"  # names of the outcomes over which the bands or p-values of one of them hold
_DEEPEST = 30  # levels of lists and dicts


def plain(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `provenance` made of dict, list, str, int, float, bool and None only.

    Tuples and arrays become lists, keys become text, paths become text, and a float that is not finite becomes
    the text 'nan', 'inf' or '-inf', since JSON has no such number.

    Raises
    ------
    DataError
        If a value is of another type; the message names the key.

    Examples
    --------
    >>> plain({"seed": np.int64(3), "position_labels": {0: "The"}, "shape": (2, 1)})
    {'seed': 3, 'position_labels': {'0': 'The'}, 'shape': [2, 1]}
    """
    if not isinstance(provenance, Mapping):
        raise DataError(f"provenance must be a dict, found {type(provenance).__name__}; give {{}} when there is none.")
    return {str(key): _value(value, str(key)) for key, value in provenance.items()}


def section(provenance: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the dict at `key`, empty when it is absent or something else.

    Examples
    --------
    >>> section({"model": {"id": "gpt2"}, "pairs": None}, "model")
    {'id': 'gpt2'}
    >>> section({"model": {"id": "gpt2"}, "pairs": None}, "pairs")
    {}
    """
    found = provenance.get(key)
    return found if isinstance(found, dict) else {}


def text_at(provenance: Mapping[str, Any], key: str) -> str:
    """Return the text at `key`, empty when it is absent.

    Examples
    --------
    >>> text_at({"outcome": "LogitDiff('a', 'b')"}, "outcome")
    "LogitDiff('a', 'b')"
    """
    found = provenance.get(key)
    return "" if found is None else str(found)


def _value(value: Any, where: str) -> Any:
    if where.count("[") + where.count(".") > _DEEPEST:
        raise DataError(f"provenance[{where[:_DEEPEST]!r}...] is nested more than {_DEEPEST} deep. Give plain data.")
    if isinstance(value, Mapping):
        return {str(key): _value(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, frozenset, set)):
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [_value(item, f"{where}[{index}]") for index, item in enumerate(items)]
    if isinstance(value, np.ndarray):
        return _value(value.tolist(), where)
    if isinstance(value, np.generic):
        return _value(value.item(), where)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise DataError(
        f"provenance[{where!r}] is a {type(value).__name__}, which JSON cannot hold. "
        "Give text, numbers, lists or dicts, such as str(value)."
    )
