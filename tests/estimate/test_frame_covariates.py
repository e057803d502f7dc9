"""Columns of the user's own: kept where they say one plain thing of each unit, whatever the order of rows."""

import numpy as np
import pandas as pd
import pytest

import mediation as med


def _frame():
    rng = np.random.default_rng(0)
    once = pd.DataFrame(
        {
            "unit": [f"p{i}" for i in range(12)],
            "template": ["a", "b", "c"] * 4,
            "length": rng.integers(5, 20, 12),
            "when": pd.Timestamp("2026-01-01"),
            "y00": rng.normal(size=12),
            "y11": rng.normal(1, 1, size=12),
        }
    )
    return pd.concat([once.assign(site=site, row=np.arange(12) + 12 * i) for i, site in enumerate("xy")])


def test_numbers_and_texts_of_units_are_kept_and_others_are_not(tmp_path):
    effects = med.effects(_frame(), rng=0, n_resamples=199)
    units = effects.units
    assert {"template", "length"} <= set(units)
    assert {"when", "row"}.isdisjoint(units)
    wanted = _frame().drop_duplicates("unit").set_index("unit")
    found = units.drop_duplicates("unit").set_index("unit").loc[wanted.index]
    assert found["template"].tolist() == wanted["template"].tolist()
    assert found["length"].tolist() == wanted["length"].tolist()
    assert med.read(effects.save(tmp_path / "kept")) == effects


def test_they_group_and_explain_effects_without_a_frame():
    frame = _frame().query("site == 'x'").drop(columns="site")
    effects = med.effects(frame.sample(frac=1, random_state=0), rng=0, n_resamples=199)
    by = effects.by("template").tidy().set_index("subgroup")
    for name, part in frame.groupby("template"):
        assert by.loc[name, "estimate"] == pytest.approx((part["y11"] - part["y00"]).mean())
    slope = effects.regress("~ length").tidy().set_index("term").loc["length", "estimate"]
    assert slope == pytest.approx(np.polyfit(frame["length"], frame["y11"] - frame["y00"], 1)[0])
