from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from mediation.errors import DataError, DesignError
from mediation.results import SCHEMA_VERSION, Effects, read
from mediation.results.files import _io
from tests.results.comparisons import make_comparison
from tests.results.equivalences import make_equivalence
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_ablation, make_controls, make_effects, make_sweep
from tests.results.specification_factory import make_specification

CASES = {
    "effects": lambda: make_effects(n=40, n_clusters=10),
    "unbounded": lambda: make_effects(te=0.1, n=20, n_clusters=10),
    "sweep": lambda: make_sweep(layers=(0, 1), positions=(0, 8)),
    "heads": lambda: make_sweep(layers=(0, 1), positions=(8,), heads=(0, 1)),
    "ablation": make_ablation,
    "controls": make_controls,
    "equivalence": make_equivalence,
    "equivalence of arms": lambda: make_equivalence("arms"),
    "specification": make_specification,
    "interactions": lambda: make_interactions(3),
    "interactions of sampled orders": lambda: make_interactions(3, sampled=True),
    "comparison": make_comparison,
    "comparison of arms": lambda: make_comparison("arms"),
}
NAMES = ("x.parquet", "x.units.parquet", "x.json")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same(a: Effects, b: Effects) -> None:
    pd.testing.assert_frame_equal(a.tidy(), b.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(a.units, b.units, check_exact=True)
    assert a.provenance == b.provenance
    assert a == b


@pytest.fixture
def saved(tmp_path):
    CASES["effects"]().save(tmp_path / "x.parquet")
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_round_trip_is_exact(name, tmp_path):
    effects = CASES[name]()
    path = effects.save(tmp_path / "deep" / "er" / "x")
    assert path == tmp_path / "deep" / "er" / "x.parquet"
    assert names_in(path.parent) == sorted(NAMES)
    same(read(path), effects)
    again = read(path)
    again.save(tmp_path / "y")
    same(read(tmp_path / "y"), effects)


@settings(max_examples=20)
@given(arrays(np.float64, 6, elements=st.floats(allow_nan=True, allow_infinity=True, width=64)))
def test_any_float_comes_back_bit_for_bit(tmp_path_factory, values):
    effects = CASES["effects"]()
    units = effects.units.iloc[:6].assign(y00=values, y11=-values)
    path = tmp_path_factory.mktemp("io") / "x"
    Effects(effects.tidy(), units, {}).save(path)
    found = read(path).units["y00"].to_numpy()
    assert np.array_equal(np.isnan(found), np.isnan(values))
    assert np.array_equal(np.signbit(found[~np.isnan(values)]), np.signbit(values[~np.isnan(values)]))
    assert np.array_equal(found[~np.isnan(values)], values[~np.isnan(values)])


@pytest.mark.parametrize(
    "clusters",
    [
        [1, 2, 3, 4],
        ["a", "b", "c", "d"],
        [("t", 1), ("t", 2), ("u", 1), ("u", (2, 0.1))],
        [1, "1", 2.5, None],
        [True, False, True, False],
        pd.Categorical(["a", "b", "a", "b"], categories=["b", "a"], ordered=True),
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01", "2020-01-02"]),
    ],
    ids=["int", "str", "tuple", "mixed", "bool", "categorical", "date"],
)
def test_clusters_of_any_plain_type_come_back(clusters, tmp_path):
    effects = make_effects(n=40, n_clusters=10)
    units = effects.units.iloc[:4].assign(cluster=pd.Series(clusters, dtype=getattr(clusters, "dtype", None)))
    whole = Effects(effects.tidy(), units, {})
    whole.save(tmp_path / "x")
    back = read(tmp_path / "x")
    same(back, whole)
    assert [type(value) for value in back.units["cluster"]] == [type(value) for value in whole.units["cluster"]]


def test_clusters_that_are_objects_are_refused_with_advice(tmp_path):
    effects = make_effects(n=40, n_clusters=10)
    units = effects.units.iloc[:2].assign(cluster=pd.Series([object(), object()]))
    with pytest.raises(DataError, match=r"Column 'cluster' of the units holds a object.*str\(\.\.\.\)"):
        Effects(effects.tidy(), units, {}).save(tmp_path / "x")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["x", *NAMES])
def test_any_of_the_names_is_read_and_written(name, tmp_path):
    effects = CASES["effects"]()
    assert effects.save(str(tmp_path / name)) == tmp_path / "x.parquet"
    assert names_in(tmp_path) == sorted(NAMES)
    same(read(str(tmp_path / name)), effects)


@pytest.mark.parametrize("name", ["run.v2", "layer0.5", "a.b.parquet"])
def test_points_in_a_name_are_kept(name, tmp_path):
    effects = CASES["effects"]()
    assert effects.save(tmp_path / name).name == name.removesuffix(".parquet") + ".parquet"
    same(read(tmp_path / name), effects)


@pytest.mark.parametrize("name", ["x.csv", "x.pkl", "x.PT"])
def test_other_formats_are_refused_with_the_nearest_name(name, tmp_path):
    with pytest.raises(DesignError, match=r"Nearest: '.*x.parquet'"):
        CASES["effects"]().save(tmp_path / name)
    with pytest.raises(DesignError, match="names no file"):
        CASES["effects"]().save("")


def test_the_json_says_what_is_there(saved):
    account = json.loads((saved / "x.json").read_text())
    assert account["schema_version"] == SCHEMA_VERSION
    assert account["kind"] == "effects"
    assert account["table"]["rows"] == 7
    assert account["units"]["rows"] == 40
    assert account["provenance"]["outcome"] == "LogitDiff('answer', 'foil')"
    assert len(account["table"]["sha256"]) == 64


def test_the_tables_are_plain_parquet(saved):
    assert pd.read_parquet(saved / "x.parquet")["estimand"].tolist()[0] == "te"
    assert len(pd.read_parquet(saved / "x.units.parquet")) == 40


def test_nothing_is_pickled(saved, tmp_path):
    for name in NAMES:
        raw = (saved / name).read_bytes()
        assert b"pickle" not in raw.lower()
        assert raw[:4] == b"PAR1" or raw[:1] == b"{"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_part_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(DataError) as caught:
        read(saved / "x")
    assert str(saved / name) in str(caught.value)
    assert "belong together" in str(caught.value)


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_damage_is_found_by_the_digest(saved, name, harm):
    path = saved / name
    raw = bytearray(path.read_bytes())
    if harm == "flip":
        raw[len(raw) // 2] ^= 1
    path.write_bytes({"flip": raw, "cut": raw[:-5], "empty": b""}[harm])
    with pytest.raises(DataError, match="its digest differs"):
        read(saved / "x")


def test_parts_of_two_runs_are_not_mixed(saved, tmp_path):
    other = tmp_path / "other"
    make_effects(n=40, n_clusters=10, seed=1).save(other / "x")
    (other / "x.units.parquet").replace(saved / "x.units.parquet")
    with pytest.raises(DataError, match=r"x.units.parquet is not the file that was saved"):
        read(saved / "x")


def test_a_newer_schema_says_upgrade(saved):
    account = json.loads((saved / "x.json").read_text())
    account["schema_version"] = SCHEMA_VERSION + 1
    (saved / "x.json").write_text(json.dumps(account))
    with pytest.raises(DataError, match=rf"schema version {SCHEMA_VERSION + 1}.*Upgrade mediation"):
        read(saved / "x")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": "new"}', "null"])
def test_json_that_is_not_ours_is_refused(saved, text):
    (saved / "x.json").write_text(text)
    with pytest.raises(DataError, match="is not the JSON file of a saved result"):
        read(saved / "x")


@pytest.mark.parametrize("key", ["kind", "table", "units", "provenance"])
def test_json_cut_short_is_refused(saved, key):
    account = json.loads((saved / "x.json").read_text())
    del account[key]
    (saved / "x.json").write_text(json.dumps(account))
    with pytest.raises(DataError, match="changed by hand or cut short"):
        read(saved / "x")


def test_saving_again_replaces_all_three(saved):
    second = make_effects(n=20, n_clusters=10, seed=3)
    second.save(saved / "x")
    same(read(saved / "x"), second)
    assert names_in(saved) == sorted(NAMES)


def test_a_save_that_fails_leaves_the_old_files_and_no_others(saved, monkeypatch):
    before = {name: (saved / name).read_bytes() for name in NAMES}

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(_io.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        make_effects(n=20, n_clusters=10, seed=3).save(saved / "x")
    assert {name: (saved / name).read_bytes() for name in names_in(saved)} == before


def test_a_save_killed_between_renames_is_found_when_read(saved, tmp_path):
    make_effects(n=20, n_clusters=10, seed=3).save(tmp_path / "new" / "x")
    (tmp_path / "new" / "x.parquet").replace(saved / "x.parquet")  # as if killed after the first rename
    with pytest.raises(DataError, match="its digest differs"):
        read(saved / "x")


def test_missing_numbers_of_provenance_survive(tmp_path):
    effects = make_effects(n=40, n_clusters=10)
    odd = Effects(effects.tidy(), effects.units, {"checks": {"worst": math.inf}, "tokens": " Straße\u2028 日本 $"})
    odd.save(tmp_path / "x")
    same(read(tmp_path / "x"), odd)
