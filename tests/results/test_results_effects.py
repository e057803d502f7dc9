from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from pathlib import PurePosixPath

import numpy as np
import pytest

from mediation.errors import DataError, DesignError
from mediation.results import Effects
from tests.results.results_factory import change, make_ablation, make_effects, make_sweep


@pytest.fixture
def effects():
    return make_effects(n=40, n_clusters=10)


def test_kinds():
    assert make_effects().kind == "effects"
    assert make_sweep(layers=(0,), positions=(8,)).kind == "sweep"
    assert make_ablation().kind == "ablation"


def test_nothing_given_in_can_change_it():
    first = make_effects(n=40, n_clusters=10)
    table, units, provenance = first.tidy(), first.units, first.provenance
    second = Effects(table, units, provenance)
    table.loc[0, "estimate"] = 99.0
    units["y00"] = 0.0
    provenance["model"]["id"] = "other"
    assert second == first


def test_nothing_given_out_can_change_it(effects):
    before = copy.deepcopy(effects)
    for table in (effects.tidy(), effects.table):
        table.loc[:, "estimate"] = 99.0
        table.index.name = "row"
        table.columns.name = "column"
        table["more"] = 1
    units = effects.units
    units.loc[:, "y00"] = 0.0
    effects.provenance["model"]["id"] = "other"
    assert effects == before
    assert effects.tidy().index.name is None


def test_it_is_frozen(effects):
    for name in ("_table", "kind", "more"):
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
            setattr(effects, name, None)


def test_equality_is_by_content(effects):
    same = Effects(effects.tidy(), effects.units, effects.provenance)
    assert same == effects
    assert hash(same) == hash(effects)
    assert len({same, effects}) == 1
    assert change(effects, 0, estimate=5.0) != effects
    assert Effects(effects.tidy(), effects.units.assign(y00=0.0), effects.provenance) != effects
    assert Effects(effects.tidy(), effects.units, {**effects.provenance, "seed": 1}) != effects
    assert effects != "effects"


def test_missing_numbers_are_equal_to_themselves():
    sweep = make_sweep(layers=(0, 1), positions=(0, 8))
    assert sweep.tidy()["estimate"].eq(0).any()
    assert sweep.tidy()["conf_low"].isna().any()
    assert Effects(sweep.tidy(), sweep.units, sweep.provenance) == sweep


def test_copies_and_pickles_of_the_user_are_equal(effects):
    assert copy.copy(effects) == effects
    assert pickle.loads(pickle.dumps(effects)) == effects


def test_repr_is_one_short_line(effects):
    assert repr(effects) == (
        "<Effects: te, pnde, tnde, pnie, tnie, int_med, pm at residual[12]@last, n = 40, "
        "outcome LogitDiff('answer', 'foil')>"
    )
    sweep = make_sweep(layers=(0, 1), positions=(0, 8))
    assert repr(sweep) == "<Effects: te, pnie, tnie at 4 sites, n = 200, outcome LogitDiff('answer', 'foil')>"
    assert repr(make_ablation()).startswith("<Effects: 12 rows of 12 arms, n = 200")
    assert repr(Effects(effects.tidy().assign(site=""), effects.units, {})) == (
        "<Effects: te, pnde, tnde, pnie, tnie, int_med, pm, n = 40>"
    )


def test_a_stated_kind_must_be_that_of_the_columns(effects):
    assert Effects(effects.tidy(), effects.units, {"kind": "effects"}).kind == "effects"
    with pytest.raises(DataError, match=r"provenance\['kind'\] = 'sweep', but the columns are those of 'effects'"):
        Effects(effects.tidy(), effects.units, {"kind": "sweep"})


def test_provenance_becomes_plain(effects):
    given = {
        "seed": np.int64(3),
        "shape": (2, np.float32(0.5)),
        "worst": math.nan,
        "where": PurePosixPath("a/b"),
        "position_labels": {0: "The", "last": " of"},
        "kept": {True, False},
        "array": np.arange(2),
        "none": None,
    }
    assert Effects(effects.tidy(), effects.units, given).provenance == {
        "seed": 3,
        "shape": [2, 0.5],
        "worst": "nan",
        "where": "a/b",
        "position_labels": {"0": "The", "last": " of"},
        "kept": [False, True],
        "array": [0, 1],
        "none": None,
    }


def test_provenance_that_json_cannot_hold_names_the_key(effects):
    with pytest.raises(DataError, match=r"provenance\['model.config\[1\]'\] is a object"):
        Effects(effects.tidy(), effects.units, {"model": {"config": [1, object()]}})
    with pytest.raises(DataError, match="must be a dict, found list"):
        Effects(effects.tidy(), effects.units, [])


def test_what_is_no_table_is_refused(effects):
    with pytest.raises(DataError, match="must be a pandas DataFrame, found dict"):
        Effects({}, effects.units, {})


def test_summary_of_an_unknown_estimand_names_the_closest(effects):
    with pytest.raises(DesignError, match=r"estimand = 'pnei' is not known. Closest: 'pnie'."):
        effects.summary("pnei")
    with pytest.raises(DesignError, match="most = 0"):
        effects.summary(most=0)
