from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mediation.errors import DataError
from mediation.results import KINDS, MEANINGS, columns, compare_many, kind_of, meaning_of, validate, validate_units
from tests.results.comparisons import make_comparison
from tests.results.equivalences import make_equivalence
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_ablation, make_controls, make_effects, make_sweep, make_units
from tests.results.specification_factory import make_specification
from tests.results.sweep_of_heads import make_hierarchy

MAKE = {
    "effects": make_effects,
    "sweep": lambda: make_sweep(layers=(0, 1), positions=(0, 8)),
    "ablation": make_ablation,
    "controls": lambda: make_controls(estimands=("pnie", "tnie")),
    "specification": make_specification,
    "hierarchy": make_hierarchy,
    "equivalence": make_equivalence,
    "comparison": make_comparison,
    "interactions": lambda: make_interactions(3),
    "subgroups": lambda: make_effects().by("half", frame=pd.Series(np.arange(200) % 2, name="half")),
    "models": lambda: compare_many([make_effects(), make_effects(te=1.0, seed=1)], paired=True),
}
COMMON = ["estimand", "site", "estimate", "std_error", "conf_low", "conf_high", "p_value", "method", "n", "n_clusters"]
MORE = {
    "effects": [],
    "sweep": ["layer", "position", "head", "feature", "band_low", "band_high", "p_adjusted"],
    "ablation": ["arm", "dose", "n_draws"],
    "comparison": [
        *(
            "first",
            "second",
            "first_low",
            "first_high",
            "second_low",
            "second_high",
            "layer",
            "position",
            "head",
            "feature",
        ),
        *("band_low", "band_high", "p_adjusted", "arm", "dose"),
    ],
    "controls": ["control", "n_draws"],
    "specification": ["outcome", "corruption", "arm", "dose", "n_draws"],
    "equivalence": [
        *("layer", "position", "head", "feature", "arm", "dose"),
        *("margin", "equivalence_low", "equivalence_high", "p_equivalence", "verdict"),
    ],
    "interactions": ["partner", "n_draws", "p_adjusted"],
    "hierarchy": ["layer", "position", "head", "feature", "level", "p_adjusted", "rejected"],
    "subgroups": [
        *("subgroup", "layer", "position", "head", "feature", "band_low", "band_high", "p_adjusted", "arm", "dose"),
        "p_moderation",
    ],
    "models": [
        *("part", "result", "band_low", "band_high", "p_adjusted", "arm", "dose", "tau", "p_heterogeneity"),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_the_documented_ones_in_order(kind):
    assert [column.name for column in columns(kind)] == COMMON + MORE[kind]
    assert all(column.meaning.endswith(".") for column in columns(kind))


@pytest.mark.parametrize("kind", MAKE)
def test_results_have_the_columns_of_their_kind(kind):
    tidy = MAKE[kind]().tidy()
    assert list(tidy.columns) == COMMON + MORE[kind]
    assert kind_of(tidy) == kind


@pytest.mark.parametrize("kind", MAKE)
def test_validate_restores_order_and_dtypes_from_any_order(kind):
    good = MAKE[kind]().tidy()
    shuffled = good[list(reversed(good.columns))].astype("object").set_index(pd.Index(range(5, 5 + len(good))))
    pd.testing.assert_frame_equal(validate(shuffled, kind), good, check_exact=True)


def test_validate_copies():
    good = make_effects().tidy()
    clean = validate(good, "effects")
    good.loc[0, "estimate"] = -99.0
    assert clean.loc[0, "estimate"] != -99.0


def test_dtypes_of_a_sweep():
    tidy = MAKE["sweep"]().tidy()
    assert tidy["layer"].dtype == "Int64"
    for part in ("head", "feature"):
        assert tidy[part].dtype == "Int64"
        assert tidy[part].isna().all()
    assert tidy["n"].dtype == np.int64
    assert tidy["band_low"].dtype == np.float64
    assert tidy["position"].tolist()[:2] == ["0", "0"]


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (3.0, "3"), ("subject.last", "subject.last"), (None, ""), (math.nan, ""), (-1, "-1")]
)
def test_positions_become_text(value, text):
    sweep = MAKE["sweep"]().tidy().iloc[[0]].astype({"position": "object"})
    sweep.loc[0, "position"] = value
    assert validate(sweep, "sweep").loc[0, "position"] == text


def broken(kind, **values):
    table = MAKE[kind]().tidy()
    for name, value in values.items():
        table[name] = table[name].astype("object")
        table.loc[1, name] = value
    return table


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("effects", {"std_error": -0.1}, "std_error is negative"),
        ("effects", {"p_value": 1.2}, "p_value must be from 0 to 1"),
        ("effects", {"conf_low": math.nan}, "only one of conf_low, conf_high is given"),
        ("effects", {"conf_low": 9.0, "conf_high": 1.0}, "conf_low is above conf_high"),
        ("effects", {"n": 0}, "n must be at least 1"),
        ("effects", {"n_clusters": 1000}, "n_clusters must be from 1 to n"),
        ("effects", {"estimand": ""}, "the estimand is empty"),
        ("effects", {"estimand": "te"}, "two rows for {'estimand': 'te'}"),
        ("effects", {"site": "mlp[3]"}, "about one mediator"),
        ("effects", {"estimate": "many"}, "Column 'estimate' must be float64"),
        ("effects", {"n": None}, "Column 'n' has a missing value"),
        ("sweep", {"layer": 1.5}, "Column 'layer' holds fractions"),
        ("sweep", {"band_low": 2.0, "band_high": 1.0}, "band_low is above band_high"),
        ("sweep", {"p_adjusted": -0.1}, "p_adjusted must be from 0 to 1"),
        ("ablation", {"estimand": "pnie"}, "the estimand of an ablation table is 'ablation'"),
        ("ablation", {"n_draws": 0}, "n_draws must be at least 1"),
        ("ablation", {"arm": "GaussianNoise(0.1).at(mlp(8))", "dose": 0.1}, "two rows"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(kind, values, said):
    with pytest.raises(DataError) as caught:
        validate(broken(kind, **values), kind)
    assert said in str(caught.value)


def test_a_misspelt_column_gets_the_closest_name():
    table = make_effects().tidy().rename(columns={"std_error": "std_eror"})
    with pytest.raises(DataError, match=r"lacks the column 'std_error'. Closest in the table: 'std_eror'."):
        validate(table, "effects")


def test_an_unknown_column_is_refused():
    with pytest.raises(DataError, match=r"has no column 'stars'. Drop it"):
        validate(make_effects().tidy().assign(stars="***"), "effects")


def test_repeated_columns_no_rows_and_no_frame_are_refused():
    table = make_effects().tidy()
    with pytest.raises(DataError, match="repeated column"):
        validate(pd.concat([table, table[["n"]]], axis=1), "effects")
    with pytest.raises(DataError, match="no rows"):
        validate(table.iloc[:0], "effects")
    with pytest.raises(DataError, match="found dict"):
        validate({}, "effects")
    with pytest.raises(DataError, match="Closest: 'sweep'"):
        validate(table, "sweeps")


def test_a_complement_set_may_have_its_ends_in_any_order():
    table = make_effects().tidy()
    table.loc[6, ["conf_low", "conf_high"]] = [2.0, -1.0]
    table.loc[6, "method"] = "fieller (complement)"
    assert validate(table, "effects").loc[6, "conf_low"] == 2.0


def test_units_keep_their_outcomes_and_get_their_dtypes():
    units = make_units(n=4).assign(unit=[0.0, 1.0, 2.0, 3.0], weight=[1, 1, 1, 2], y00=[1.0, math.nan, math.inf, -0.0])
    clean = validate_units(units.astype({"cluster": "object"}))
    assert clean["unit"].dtype == np.int64
    assert clean["weight"].dtype == np.float64
    assert clean["cluster"].dtype == "str"
    assert clean["y00"].tolist()[2] == math.inf


def test_units_lacking_a_column_say_which():
    with pytest.raises(DataError, match="lacks 'cluster', 'draw'"):
        validate_units(make_units(n=4).drop(columns=["cluster", "draw"]))
    with pytest.raises(DataError, match="found list"):
        validate_units([])
    with pytest.raises(DataError, match="distinct text names"):
        validate_units(make_units(n=4).assign(**{"y00": 0.0}).rename(columns={"y01": 7}))


def test_large_unit_numbers_are_exact():
    units = make_units(n=2).assign(unit=[2**60 + 1, 2**60 + 2])
    assert validate_units(units)["unit"].tolist() == [2**60 + 1, 2**60 + 2]


def test_every_estimand_of_the_design_has_a_meaning():
    keys = {"te", "pnde", "tnde", "pnie", "tnie", "int_med", "cde", "int_ref", "pe", "pm", "ablation"}
    keys |= {"ide", "iie", "oe"}
    assert keys <= set(MEANINGS)
    for key, meaning in MEANINGS.items():
        assert meaning.key == key
        assert meaning.symbol
        assert meaning.label
        assert meaning.patching
    assert "denoising" in meaning_of("pnie").patching
    assert "noising" in meaning_of("tnie").patching
    assert [key for key, meaning in MEANINGS.items() if meaning.is_ratio] == [
        *("pm", "pm_pure", "pm_average", "ablation_share")
    ]


@pytest.mark.parametrize("key", ["te", "pnde", "tnde", "pnie", "tnie", "int_med", "ide", "iie", "oe"])
def test_formulas_agree_with_the_estimands(key):
    """The contrast that a table prints is the one that is computed."""
    values = {name: float(np.pi**power) for power, name in enumerate(["y00", "y01", "y10", "y11", "g00", "g10", "g11"])}
    formula = meaning_of(key).formula
    signed = formula.replace("- ", "-").replace("+ ", "+").split()
    total = sum((-1 if part[0] == "-" else 1) * values[part.lstrip("+-")] for part in signed)
    expected = {
        "te": ("y11", "y00"),
        "pnde": ("y10", "y00"),
        "tnde": ("y11", "y01"),
        "pnie": ("y01", "y00"),
        "tnie": ("y11", "y10"),
        "ide": ("g10", "g00"),
        "iie": ("g11", "g10"),
        "oe": ("g11", "g00"),
    }
    if key == "int_med":
        assert total == pytest.approx(values["y11"] - values["y10"] - values["y01"] + values["y00"])
    else:
        plus, minus = expected[key]
        assert total == pytest.approx(values[plus] - values[minus])
