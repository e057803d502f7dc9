"""Frames of one's own: columns that are no numbers, and names that are nearly those of a column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

import mediation as med

N = 8
STAMPS = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N) ** 2, unit="h")


def frame(**columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"unit": range(N), "y00": rng.normal(size=N), "y11": rng.normal(1, 1, N), **columns})


NO_NUMBERS = {
    "time stamps": STAMPS,
    "time stamps as objects": pd.Series(list(STAMPS), dtype=object),
    "time stamps with a zone": STAMPS.tz_localize("UTC"),
    "numpy time stamps": pd.Series(list(STAMPS.to_numpy()), dtype=object),
    "dates": [stamp.date() for stamp in STAMPS],
    "python's time stamps": pd.Series(
        [datetime.datetime(2026, 1, day + 1, tzinfo=datetime.UTC) for day in range(N)], dtype=object
    ),
    "durations": STAMPS - STAMPS[0],
    "durations as objects": pd.Series([datetime.timedelta(day) for day in range(N)], dtype=object),
    "periods": STAMPS.to_period("D"),
    "intervals": pd.interval_range(0, N),
    "categories": pd.Categorical(list("abcdabcd")),
    "categories of time stamps": pd.Categorical(STAMPS),
    "complex numbers": np.arange(N) + 0j,
    "a complex number": pd.Series([*range(N - 1), 1j], dtype=object),
    "one time stamp": pd.Series([*range(N - 1), STAMPS[0]], dtype=object),
    "words": list("abcdefgh"),
}


@pytest.mark.parametrize("column", ["y11", "weight", "draw"])
@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_no_number_is_refused_by_the_name_of_its_column(kind, column):
    with pytest.raises(med.errors.DataError, match=rf"effects: {column} (is a column|of row \d)"):
        med.effects(frame(**{column: NO_NUMBERS[kind]}), rng=0)


@pytest.mark.parametrize(
    "numbers",
    [
        pd.Categorical(np.arange(N)),
        pd.Series(np.arange(N), dtype="Int64"),
        pd.Series(np.arange(N), dtype="float32"),
        pd.Series([decimal.Decimal(i) for i in range(N)], dtype=object),
        pd.Series(np.arange(N), dtype=object),
    ],
)
def test_numbers_in_other_clothes_are_numbers(numbers):
    options = {"rng": 0, "n_resamples": 99}
    assert (
        med.effects(frame(y11=numbers), **options)
        .tidy()
        .equals(med.effects(frame(y11=np.arange(float(N))), **options).tidy())
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Y01", "y01"), ("y_01", "y01"), ("Y11 ", "y11"), ("y 01", "y01"), ("yO1", "y01"), ("y0l", "y01"),
        ("Cluster", "cluster"), ("clusters", "cluster"), ("weights", "weight"), ("WEIGHT", "weight"),
        ("sites", "site"), ("Site", "site"), (" draw", "draw"), ("draws", "draw"), ("Donor", "donor"),
        ("G00", "g00"), ("Y0M", "y0m"), ("y-m", "ym"), ("Dose", "dose"), ("arms", "arm"), ("Unit", "unit"),
    ],
)  # fmt: skip
def test_a_name_that_is_nearly_that_of_a_column_is_refused(name, meant):
    with pytest.raises(med.errors.DataError) as error:
        med.effects(frame(**{name: 1.0}), rng=0)
    assert f"{name!r}" in str(error.value)
    assert f"Did you mean {meant!r}" in str(error.value)


def test_outcomes_that_are_all_misspelt_are_named():
    with pytest.raises(med.errors.DataError, match=r"column 'Y00', which would be ignored\. Did you mean 'y00'"):
        med.effects(pd.DataFrame({"Y00": [0.0, 1.0], "Y11": [1.0, 3.0]}), rng=0)


@pytest.mark.parametrize(
    "name", ["question", "length", "units", "template", "y2", "y", "control", "metric", "index", "x00", "group", 7]
)
def test_a_column_of_ones_own_is_ignored(name):
    options = {"rng": 0, "n_resamples": 99, "estimands": "te"}
    assert (
        med.effects(frame(**{str(name): 1.0}).rename(columns={str(name): name}), **options)
        .tidy()
        .equals(med.effects(frame(), **options).tidy())
    )
