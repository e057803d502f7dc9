from __future__ import annotations

import math
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from mediation.results import Effects, Summary
from mediation.results.text._summary import WIDTH, Field, shorten
from tests.results.interactions import make_interactions
from tests.results.results_factory import change, make_ablation, make_controls, make_effects, make_sweep
from tests.results.specification_factory import make_specification

SNAPSHOTS = Path(__file__).parent / "snapshots"
NAN = math.nan


def small_sweep(**more):
    return make_sweep(layers=(0, 5, 10), **more)


def degenerate():
    return change(make_effects(n=40, n_clusters=10), 3, std_error=NAN, conf_low=NAN, conf_high=NAN, p_value=NAN)


def no_bands():
    sweep = small_sweep()
    return Effects(sweep.tidy().assign(band_low=NAN, band_high=NAN, p_adjusted=NAN), sweep.units, sweep.provenance)


def brought_by_the_user():
    effects = make_effects(n=40, n_clusters=40)
    return Effects(effects.tidy().assign(site="", n_clusters=40), effects.units.assign(site=""), {})


CASES = {
    "effects": lambda: make_effects().summary(),
    "effects_unbounded": lambda: make_effects(te=0.1, n=20, n_clusters=10).summary(),
    "effects_no_interval": lambda: degenerate().summary(),
    "effects_bare": lambda: brought_by_the_user().summary(),
    "effects_one_estimand": lambda: make_effects().summary("tnie"),
    "sweep": lambda: make_sweep().summary(),
    "sweep_tnie": lambda: small_sweep().summary("tnie", most=4),
    "sweep_heads": lambda: make_sweep(layers=(3, 9), positions=(8,), heads=range(4)).summary(),
    "sweep_no_bands": lambda: no_bands().summary(most=2),
    "ablation": lambda: make_ablation().summary(),
    "specification": lambda: make_specification().summary(),
    "interactions": lambda: make_interactions(3).summary(),
    "interactions_sampled": lambda: make_interactions(9, sampled=True, direction="noising").summary(most=2),
    "controls": lambda: make_controls().summary(),
    "controls_sites": lambda: make_controls(estimands=("pnie", "tnie"), sites=("mlp[3]", "mlp[4]")).summary(most=1),
}


@pytest.mark.parametrize("name", CASES)
def test_text_is_what_it_was(name):
    text = CASES[name]().as_text() + "\n"
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("MEDIATION_WRITE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_every_form_holds_the_same_numbers(name):
    summary = CASES[name]()
    text, html, markdown = summary.as_text(), summary.as_html(), summary.as_markdown()
    cells = [cell for field in summary.fields if field.give == "keep" for cell in field.cells if cell]
    assert cells
    root = ElementTree.fromstring(html)
    in_html = {element.text for element in root.iter("td")}
    for cell in cells:
        assert cell in text
        assert cell in in_html
        assert cell.replace("<", "\\<") in markdown


@pytest.mark.parametrize("name", CASES)
def test_text_fits_a_terminal_and_has_no_clock(name):
    text = CASES[name]().as_text()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not re.search(r"\b20\d\d-|\d\d:\d\d", text)
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.isascii()


def test_printing_and_notebooks_use_it():
    effects = make_effects()
    summary = effects.summary()
    assert str(summary) == repr(summary) == summary.as_text()
    assert summary._repr_html_() == summary.as_html() == effects._repr_html_()


def test_html_is_well_formed_and_escaped():
    site = 'mlp[3]@<b>&"last"'
    table = make_effects().tidy().assign(site=site)
    root = ElementTree.fromstring(Effects(table, make_effects().units, {}).summary().as_html())
    assert root.find("table/caption/strong").text == f"Mediation effects of {site}"
    rows = root.findall("table/tbody/tr")
    assert len(rows) == 7
    assert {len(row) for row in rows} == {len(root.findall("table/thead/tr/th"))}
    assert root.find(".//b") is None


def test_markdown_keeps_its_columns_when_a_cell_has_a_bar():
    summary = Summary("t", (Field("arm", ("Zero() | Scale(2)",)), Field("estimate", ("1.0",), "decimal")), ())
    row = summary.as_markdown().splitlines()[4]
    assert row == "| Zero() \\| Scale(2) | 1.0 |"


def test_decimal_points_are_in_one_column():
    lines = Field("x", ("2.31", "-0.692", "149", ""), "decimal").lines()
    assert lines == ("      x", "  2.31 ", " -0.692", "149    ", "       ")


def test_a_sweep_counts_sites_whose_bands_exclude_zero():
    sweep = make_sweep()
    rows = sweep.tidy().query("estimand == 'pnie'")
    excluding = sum((rows["band_low"] > 0) | (rows["band_high"] < 0))
    missing = int(rows["band_low"].isna().sum())
    note = sweep.summary().notes[0]
    assert note == (
        f"10 of {len(rows)} sites shown, the strongest by |PNIE|. "
        f"Simultaneous bands exclude 0 at {excluding}; {missing} have none."
    )
    assert 0 < excluding < len(rows)


def test_a_sweep_lists_the_strongest_first_whatever_the_order_of_rows():
    plain, shuffled = make_sweep().summary().fields, make_sweep(shuffle=True).summary().fields
    assert plain == shuffled
    sizes = [abs(float(cell)) for cell in next(field for field in plain if field.header == "estimate").cells]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)


def test_a_missing_estimate_is_never_among_the_strongest():
    sweep = small_sweep()
    at = sweep.tidy().query("estimand == 'pnie'")["estimate"].idxmax()
    names = ["estimate", "std_error", "conf_low", "conf_high", "p_value", "band_low", "band_high", "p_adjusted"]
    holed = change(sweep, at, **dict.fromkeys(names, NAN))
    assert sweep.tidy().loc[at, "site"] in sweep.summary(most=3).fields[0].cells
    assert sweep.tidy().loc[at, "site"] not in holed.summary(most=3).fields[0].cells


def test_positions_are_printed_with_their_tokens():
    positions = next(field for field in small_sweep().summary().fields if field.header == "position")
    assert "2 ' Tower'" in positions.cells


def test_footnotes_name_what_is_needed_to_judge():
    notes = " ".join(make_effects().summary().notes)
    for part in (
        "n = 200 units in 20 clusters (template)",
        "bootstrap-t, B = 9,999",
        "PM: fieller",
        "LogitDiff",
        "SmolLM2",
        "y_xm",
        "0 = base (corrupted), 1 = source (clean)",
    ):
        assert part in notes
    ablation = " ".join(make_ablation().summary().notes)
    assert "10 draws, averaged within each unit" in ablation
    assert "no indirect effect" in ablation
    assert "y_xm" not in ablation


def test_a_set_of_two_half_lines_is_printed_and_told_in_a_footnote():
    effects = change(
        make_effects(te=0.1, n=20, n_clusters=10),
        6,
        method="cluster fieller (complement: <= -3 or >= 0.5)",
        conf_low=-math.inf,
        conf_high=math.inf,
    )
    summary = effects.summary()
    assert summary.fields[-2].cells[6] == "(-inf, -3.00] or [0.50, inf)"
    assert summary.notes[1] == "Intervals: bootstrap-t, B = 9,999 resamples, seed 0; PM: cluster fieller."
    assert summary.notes[-1].startswith("Two half-lines: TE is not distinguishable from 0")


def test_the_method_of_a_row_without_an_interval_is_no_method():
    gone = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], NAN)
    notes = change(make_effects(), 3, method="degenerate", **gone).summary().notes
    assert "degenerate" not in " ".join(notes)
    table = make_effects().tidy().iloc[[0]].assign(method="degenerate", **gone)
    assert not [note for note in Effects(table, make_effects().units, {}).summary().notes if "Intervals" in note]


def test_an_ablation_names_its_input():
    effects = make_ablation()
    notes = Effects(effects.tidy(), effects.units, {**effects.provenance, "run": "source"}).summary().notes
    assert notes[-1].endswith("Input: source (clean).")


def test_the_seed_of_the_resampling_is_named_where_there_is_no_other():
    effects = make_effects()
    notes = Effects(effects.tidy(), effects.units, {"inference": {"seed": 7}}).summary().notes
    assert "bootstrap-t, seed 7" in notes[1]


def test_convention_covers_the_other_worlds():
    table = make_effects().tidy().iloc[:4].assign(estimand=["cde", "ide", "iie", "oe"])
    notes = " ".join(Effects(table, make_effects().units, {}).summary().notes)
    assert "y_0m, y_1m: the mediator ablated" in notes
    assert "g_xm" in notes


def test_an_arm_at_several_sites_shows_the_site():
    ablation = make_ablation(doses=(0.5,), zero=False)
    table = ablation.tidy().assign(arm="GaussianNoise(0.5)")
    headers = [field.header for field in Effects(table, ablation.units, {}).summary().fields]
    assert "site" in headers
    assert "site" not in [field.header for field in ablation.summary().fields]


@given(st.text(min_size=0, max_size=300), st.integers(7, 60))
def test_shorten_fits_and_keeps_the_ends(text, width):
    short = shorten(text, width)
    assert len(short) <= width
    assert short == text or (short[0] == text[0] and short[-1] == text[-1] and "..." in short)


@given(st.lists(st.integers(0, 250), min_size=1, max_size=4), st.integers(0, 120), st.text("xy ", max_size=300))
def test_wide_tables_are_cut_to_the_terminal(sizes, other, title):
    n = len(sizes)
    fields = (
        Field("site", tuple("layers." * (size // 7) for size in sizes), give="cut"),
        Field("contrast", ("y11 - y10",) * n, give="drop"),
        Field("arm", ("a" * other,) * n, give="cut"),
        Field("estimate", ("123456.78",) * n, "decimal"),
    )
    text = Summary(title, fields, ("word " * 60,)).as_text()
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count("123456.78") == n


def test_a_long_site_is_cut_after_the_contrast_is_dropped():
    sites = ("model.layers.12.self_attn.o_proj.adapter.lora_A.default" * 2, "short")
    fields = (
        Field("site", sites, give="cut"),
        Field("contrast", ("y11 - y10",) * 2, give="drop"),
        Field("estimate", ("1.5",) * 2),
    )
    lines = Summary("Effects", fields, ()).as_text().splitlines()
    assert "contrast" not in lines[2]
    assert len(lines[4]) == WIDTH - len("estimate") + len("1.5")
    assert lines[4].startswith("model.layers.12.")
    assert "..." in lines[4]
    assert "lora_A.default  1.5" in lines[4]
    assert lines[5].startswith("short ")


def test_a_table_that_cannot_be_cut_is_printed_whole():
    fields = tuple(Field(f"column {i}", ("x" * 12,)) for i in range(9))
    assert Summary("Effects", fields, ()).as_text().count("x" * 12) == 9
