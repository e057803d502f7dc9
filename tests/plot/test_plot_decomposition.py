from __future__ import annotations

import math

import pytest

from mediation.errors import DataError, DesignError
from mediation.plot import decomposition
from mediation.results import Effects
from tests.plot.artists import ends, labels, lines, points, title
from tests.results.results_factory import change, make_effects

NAN = math.nan


def only(effects: Effects, *keys: str) -> Effects:
    table = effects.tidy()
    return Effects(table[table["estimand"].isin(keys)], effects.units, effects.provenance)


@pytest.mark.parametrize("te", [2.4, -2.0, 0.1])
def test_the_strip_adds_up_to_the_total(te):
    effects = make_effects(te=te)
    value = effects.tidy().set_index("estimand")["estimate"]
    ax = decomposition(effects)
    steps = [patch for patch in ax.patches if patch.get_gid() == "step"]
    starts = [step.get_x() for step in steps]
    stops = [step.get_x() + step.get_width() for step in steps]
    assert [step.get_width() for step in steps] == pytest.approx([value["pnde"], value["pnie"], value["int_med"]])
    assert starts[0] == 0
    assert starts[1:] == pytest.approx(stops[:-1])
    assert stops[-1] == pytest.approx(value["te"])
    last = lines(ax, "link")[-1]  # from the end of the last step down to the point of the total effect
    assert list(last.get_xdata()) == pytest.approx([value["te"]] * 2)
    assert last.get_ydata()[1] == 0


def test_every_effect_is_a_point_with_its_interval():
    effects = make_effects()
    table = effects.tidy().set_index("estimand")
    ax = decomposition(effects)
    keys = ["te", "pnde", "tnde", "pnie", "tnie", "int_med"]
    assert [points(ax)[y].get_xdata()[0] for y in range(6)] == pytest.approx(table.loc[keys, "estimate"].tolist())
    assert [ends(ax)[y][0] for y in range(6)] == pytest.approx(table.loc[keys, "conf_low"].tolist())
    assert [ends(ax)[y][1] for y in range(6)] == pytest.approx(table.loc[keys, "conf_high"].tolist())
    assert labels(ax)[0] == "PNDE + PNIE + INTmed\n= TE"
    assert labels(ax)[1:] == [
        "total effect  TE",
        "pure direct effect  PNDE",
        "total direct effect  TNDE",
        "pure indirect effect  PNIE",
        "total indirect effect  TNIE",
        "mediated interaction  INTmed",
        "proportion mediated  PM",
    ]
    assert len(lines(ax, "cap")) == 12


def test_the_first_row_is_at_the_top():
    ax = decomposition(make_effects())
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert ax.get_yticks()[0] < ax.get_yticks()[1] == 0


def test_pure_and_total_differ_in_marker_and_direct_and_indirect_in_colour():
    drawn = points(decomposition(make_effects()))
    assert drawn[1].get_marker() == drawn[3].get_marker() != drawn[2].get_marker() == drawn[4].get_marker()
    assert drawn[1].get_markeredgecolor() == drawn[2].get_markeredgecolor() != drawn[3].get_markeredgecolor()


@pytest.mark.parametrize(("te", "said"), [(2.4, "Fieller [0.646, 0.734]"), (0.1, "Fieller unbounded")])
def test_the_ratio_is_written_not_drawn(te, said):
    effects = make_effects(te=te) if te > 1 else make_effects(te=te, n=20, n_clusters=10)
    ax = decomposition(effects)
    (text,) = [text for text in ax.texts if text.get_gid() == "pm"]
    assert said in text.get_text()
    assert "TNIE / TE" in text.get_text()
    assert text.get_position()[1] == 6
    assert set(points(ax)) == set(range(6))


def test_without_a_ratio_there_is_no_row_for_it():
    ax = decomposition(make_effects(pm=False))
    assert not [text for text in ax.texts if text.get_gid() == "pm"]
    assert "proportion mediated  PM" not in labels(ax)


def test_a_missing_interval_is_a_hollow_marker():
    gone = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], NAN)
    ax = decomposition(change(make_effects(), 3, **gone))
    assert points(ax)[3].get_markerfacecolor() == "white"
    assert points(ax)[1].get_markerfacecolor() != "white"
    assert 3 not in ends(ax)


def test_the_limits_hold_every_interval_and_zero():
    effects = make_effects()
    low, high = decomposition(effects).get_xlim()
    table = effects.tidy().query("estimand != 'pm'")
    assert low < min(0, table["conf_low"].min())
    assert high > table["conf_high"].max()


def test_random_donors_have_a_sum_of_their_own():
    effects = make_effects()
    table = effects.tidy().iloc[:3].assign(estimand=["oe", "ide", "iie"], estimate=[3.0, 1.0, 2.0])
    table = table.assign(conf_low=table["estimate"] - 0.2, conf_high=table["estimate"] + 0.2)
    ax = decomposition(Effects(table, effects.units, {}))
    assert labels(ax) == [
        "IDE + IIE\n= OE",
        "overall effect  OE",
        "interventional direct effect  IDE",
        "interventional indirect effect  IIE",
    ]
    assert [patch.get_width() for patch in ax.patches if patch.get_gid() == "step"] == [1.0, 2.0]


def test_axis_and_title_say_what_is_measured():
    ax = decomposition(make_effects())
    assert ax.get_xlabel() == "effect on LogitDiff('answer', 'foil')"
    assert title(ax) == "How the total effect splits at residual[12]@last\nwith 95% intervals"


def test_a_missing_part_is_named():
    with pytest.raises(DesignError, match=r"'int_med' is not in the table.*Nearest: forest"):
        decomposition(only(make_effects(), "te", "pnde", "pnie"))


def test_parts_that_do_not_add_up_are_refused():
    with pytest.raises(DataError, match="The parts of one run add up"):
        decomposition(change(make_effects(), 0, estimate=2.1))
    decomposition(change(make_effects(), 0, estimate=make_effects().tidy().loc[0, "estimate"] * (1 + 1e-5)))


def test_parts_that_are_not_numbers_are_refused():
    with pytest.raises(DataError, match="add up"):
        decomposition(change(make_effects(), 0, estimate=NAN))
