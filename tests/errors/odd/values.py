"""Values that hardly any argument means, each made anew for a call, since some are used up."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import mediation as med


def a_function(x: Any) -> Any:
    return x


class AClass:
    """A class of the user's own."""


def _nested() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "2": lambda: 2,
    "10**9": lambda: 10**9,
    "2**63": lambda: 2**63,
    "10**30": lambda: 10**30,
    "-10**30": lambda: -(10**30),
    "10**5000": lambda: 10**5000,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "1e300": lambda: 1e300,
    "1j": lambda: 1j,
    "empty text": lambda: "",
    "x": lambda: "x",
    "long text": lambda: "ab" * 50_000,
    "surrogate": lambda: "a\ud800b",
    "NUL": lambda: "a\0b",
    "bytes": lambda: b"bytes",
    "[]": lambda: [],
    "()": lambda: (),
    "[None]": lambda: [None],
    "[1, 2]": lambda: [1, 2],
    "[0.5]": lambda: [0.5],
    "['x']": lambda: ["x"],
    "['x', 1]": lambda: ["x", 1],
    "[[1], [2, 3]]": lambda: [[1], [2, 3]],
    "itself": _nested,
    "{}": lambda: {},
    "{'a': 1}": lambda: {"a": 1},
    "{1: None}": lambda: {1: None},
    "set": lambda: {1, 2},
    "object()": lambda: object(),
    "function": lambda: a_function,
    "class": lambda: AClass,
    "int": lambda: int,
    "0-d array": lambda: np.array(0.5),
    "empty array": lambda: np.array([]),
    "array of objects": lambda: np.array([1, "a", None], dtype=object),
    "array of complex": lambda: np.array([[1j, 2.0]]),
    "array of dates": lambda: np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
    "array without columns": lambda: np.zeros((2, 0)),
    "array of three axes": lambda: np.zeros((2, 2, 2)),
    "array with NaN": lambda: np.array([[1.0, np.nan]]),
    "np.float64": lambda: np.float64(np.nan),
    "np.int64": lambda: np.int64(3),
    "np.bool": lambda: np.bool_(True),
    "np.str": lambda: np.str_("x"),
    "tensor": lambda: torch.tensor([1, 2]),
    "tensor 0-d": lambda: torch.tensor(float("nan")),
    "tensor 2 x 2": lambda: torch.zeros(2, 2),
    "empty tensor": lambda: torch.zeros(0),
    "Series": lambda: pd.Series([1, 2], index=[5, 6]),
    "Series of texts": lambda: pd.Series(["a", None], index=["p", "q"]),
    "empty Series": lambda: pd.Series(dtype=object),
    "DataFrame": lambda: pd.DataFrame({"a": [1]}),
    "empty DataFrame": lambda: pd.DataFrame(),
    "generator": lambda: (i for i in range(2)),
    "Decimal": lambda: Decimal("1.5"),
    "Fraction": lambda: Fraction(1, 2),
    "range(0)": lambda: range(0),
    "slice": lambda: slice(None),
    "Ellipsis": lambda: Ellipsis,
    "NotImplemented": lambda: NotImplemented,
    "datetime": lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "NaT": lambda: pd.NaT,
    "NA": lambda: pd.NA,
    "Path": lambda: Path("x"),
    "an intervention": lambda: med.Zero(),
    "an intervention not called": lambda: med.Zero,
    "a site": lambda: med.mlp(1),
    "a module": lambda: torch.nn.Linear(1, 1),
}
