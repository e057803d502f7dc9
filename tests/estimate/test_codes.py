"""Codes in place of names: the same as asking every row, and frames that nobody can change from outside."""

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.estimate.frame._codes import as_categories, as_text, grouped
from mediation.estimate.frame._ids import by_unit
from mediation.estimate.table._tabulate import codes_of, groups_of, matrices

COLUMNS = {
    "integers": pd.Series([3, 1, 3, 2]),
    "truths": pd.Series([True, False, True, True]),
    "texts": pd.Series(["b", "a", "b", ""]),
    "numbers with a sign on 0": pd.Series([0.0, -0.0, 1.0, 1.5]),
    "objects that are equal": pd.Series([1, True, 1.0, "1"], dtype=object),
    "categories": pd.Series(["b", "a", "b", "c"]).astype("category"),
    "categories of one text": pd.Series(pd.Categorical([1, "1", 2, 1], categories=["1", 2, 1, "unused"])),
    "tuples": pd.Series([(1, "a"), (True, "a"), (1, "a"), (2, "b")], dtype=object),
    "nullable": pd.Series([1, 2, 1, 3], dtype="Int64"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_categories_have_the_texts_of_the_rows(name):
    column = COLUMNS[name]
    pd.testing.assert_series_equal(as_text(as_categories(column)), column.astype(str), check_names=False)


def frame(rng, *, rows=400, runs=False):
    found = pd.DataFrame(
        {
            "site": rng.choice(["a", "b", "c"], rows),
            "dose": rng.choice([0.0, 1.0, np.nan], rows),
            "arm": rng.choice(["x", "y"], rows),
            "unit": rng.choice(["u1", "u2", "u10"], rows),
            "y00": rng.normal(size=rows),
        }
    )
    found = found.sort_values("site", kind="stable", ignore_index=True) if runs else found
    return found.assign(cluster=found["unit"], weight=1.0, draw=np.arange(rows))


@pytest.mark.parametrize("keys", [["site"], ["dose"], ["site", "arm", "dose"], []])
@pytest.mark.parametrize("runs", [False, True])
def test_groups_are_those_of_a_loop_over_rows(keys, runs):
    units = frame(np.random.default_rng(0), runs=runs)
    rows = [tuple(None if value != value else value for value in row) for row in units[keys].to_numpy(dtype=object)]
    codes, groups = grouped(units, keys)
    assert groups == list(dict.fromkeys(rows)) == groups_of(units, keys)
    assert [groups[code] for code in codes] == rows
    other = [*reversed(groups), ("of no row",)]
    assert [other[code] for code in codes_of(units, keys, other)] == rows


def test_matrices_are_means_over_draws():
    units = frame(np.random.default_rng(1), rows=600)
    groups = groups_of(units, ["site", "arm"])
    found, clusters, weights = matrices(units, ["site", "arm"], groups)
    who = units["unit"].unique()
    for row, unit in enumerate(who):
        for column, (site, arm) in enumerate(groups):
            here = (units["unit"] == unit) & (units["site"] == site) & (units["arm"] == arm)
            assert found["y00"][row, column] == pytest.approx(units.loc[here, "y00"].mean(), abs=1e-14)
    assert clusters.tolist() == who.tolist()
    assert weights.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("ragged", [False, True])
def test_units_are_sorted_group_by_group(ragged):
    cells = [(site, unit, draw) for site in "ba" for unit in (10, 9, 2) for draw in range(3)]
    units = pd.DataFrame(cells[ragged:], columns=["site", "unit", "draw"]).assign(cluster="c", weight=2.0, y00=0.0)
    shuffled = units.sample(frac=1, random_state=1)
    found = by_unit(shuffled, ["site"])
    order = {site: at for at, site in enumerate(shuffled["site"].unique())}
    wanted = sorted(shuffled.itertuples(index=False), key=lambda row: (order[row.site], row.unit, row.draw))
    pd.testing.assert_frame_equal(found, pd.DataFrame(wanted))


def test_a_frame_that_is_written_to_changes_no_result():
    rng = np.random.default_rng(0)
    mine = pd.DataFrame({"unit": np.arange(6), "site": "a", "y00": 0.0, "y01": rng.normal(1.0, 1.0, 6)})
    result = med.effects(mine, rng=0, n_resamples=99)
    before = result.units.to_dict("list")
    mine.loc[:, "y01"] = 7.0
    mine.loc[0, "unit"] = 99
    theirs = result.units
    theirs.loc[:, "y01"] = 8.0
    theirs.loc[0, "cluster"] = 77
    theirs["weight"] = 3.0
    assert result.units.to_dict("list") == before
    assert result.units["unit"].tolist() == result.units["cluster"].tolist() == list(range(6))
