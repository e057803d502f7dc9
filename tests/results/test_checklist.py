from __future__ import annotations

import re

import pandas as pd
import pytest

import mediation as med
from tests.results.results_factory import make_ablation, make_controls, make_effects, make_sweep
from tests.results.specification_factory import make_specification

MAKE = {
    "effects": make_effects,
    "sweep": lambda: make_sweep(layers=(0, 1), positions=(0, 8)),
    "ablation": make_ablation,
    "controls": make_controls,
    "specification": lambda: make_specification(outcomes=("probability",), arms=()),
    "comparison": lambda: make_effects().compare(make_effects(te=1.0, seed=1), paired=True),
    "equivalence": lambda: make_effects().equivalence(0.5),
}


@pytest.mark.parametrize("kind", MAKE)
def test_every_kind_has_all_items_in_80_columns(kind):
    found = MAKE[kind]().checklist()
    text = found.as_text()
    assert max(map(len, text.splitlines())) <= 80
    assert [item.number for item in found.items] == list(range(1, 26))
    assert [int(n) for n in re.findall(r"^ ?(\d+)\. ", text, re.MULTILINE)] == list(range(1, 26))
    tidy = found.tidy()
    assert list(tidy.columns) == ["number", "section", "item", "stated", "to_state"]
    assert ((tidy["stated"] != "") | (tidy["to_state"] != "")).all()
    assert found.as_html().count("<td") == 3 * 25
    assert found.as_markdown().count("- [ ]") == len(found.open)
    assert str(found) == repr(found) == text


def test_what_the_result_knows_is_filled_in_and_the_rest_is_left_open():
    effects = make_effects()
    by_name = {item.name: item for item in effects.checklist().items}
    assert by_name["Sample size"].stated == ("n = 200 units in 20 clusters (template).",)
    assert "Mediator: residual[12]@last." in by_name["Measurement"].stated
    assert any("SmolLM2" in said for said in by_name["Design and source of data"].stated)
    printed = {row["estimand"]: row for row in effects.tidy().to_dict("records")}
    te = printed["te"]
    (said,) = [one for one in by_name["Estimates"].stated if one.startswith("TE ")]
    assert [float(x) for x in re.findall(r"[\d.]+\d", said)][:4] == pytest.approx(
        [te["estimate"], 95, te["conf_low"], te["conf_high"]], abs=0.006
    )
    assert len(by_name["Estimates"].stated) == len(printed)
    for name in ("Title", "Registration", "Ethics", "Funding", "Interpretation"):
        assert by_name[name].stated == ()
        assert by_name[name].to_state
    assert by_name["Estimates"].to_state == ""


def test_a_frame_of_ones_own_leaves_model_and_assumptions_to_you():
    frame = pd.DataFrame({"y00": [0.0, 0.1, 0.3], "y11": [1.0, 1.3, 1.1]})
    found = med.effects(frame, rng=0).checklist()
    by_name = {item.name: item for item in found.items}
    for name in ("Design and source of data", "Assumed causal model", "Causal assumptions", "Measurement"):
        assert by_name[name].stated == ()
        assert by_name[name].to_state
    assert not any("interaction" in said for said in by_name["Statistical methods"].stated)


def test_units_left_out_and_many_rows_are_counted():
    effects = make_sweep(layers=(0, 1, 2), positions=(0, 8))
    rollout = {"units_left_out": {"3": "no thought", "4": "no thought"}, "units_asked": 202}
    known = {**effects.provenance, "rollout": rollout}
    by_name = {item.name: item for item in med.Effects(effects.table, effects.units, known).checklist().items}
    assert "Left out: 2 of 202 units (no thought 2)." in by_name["Units analysed"].stated
    assert by_name["Estimates"].stated[-1] == f"{len(effects.tidy()) - 12} further rows are in the table (tidy)."
    assert "(max-t)" in " ".join(by_name["Statistical methods"].stated)
