"""Confidence sets that are not one interval: kept exactly, printed, drawn, and warned of."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

import mediation as med
from mediation.inference import Inference, ratio_intervals
from mediation.inference.ratios._fieller import Moments, fieller_set, gap_in, set_method
from mediation.results import IntervalSet, set_of
from mediation.results.text._sets import interval_set
from tests.plot.artists import digits, ends, lines
from tests.results.results_factory import change, make_ablation, make_effects, make_sweep

INF, NAN = math.inf, math.nan
FINITE = st.floats(allow_nan=False, allow_infinity=False)
pytestmark = pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")


def weak(seed: int = 9, shift: float = 0.45, n: int = 14, above: float = 0.4) -> pd.DataFrame:
    """Units whose total effect cannot be told from 0, or hardly."""
    rng = np.random.default_rng(seed)
    total = rng.normal(shift, 1.0, n)
    indirect = 0.4 * total + rng.normal(above, 0.5, n)
    return pd.DataFrame({"y00": 0.0, "y01": indirect, "y10": total - indirect, "y11": total})


def quiet(frame: pd.DataFrame, **options) -> med.Effects:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.WeakTotalEffectWarning)
        return med.effects(frame, rng=0, n_resamples=199, **options)


def not_rejected(top: np.ndarray, bottom: np.ndarray, ratio: float) -> bool:
    return bool(stats.ttest_1samp(top - ratio * bottom, 0.0).pvalue >= 0.05)


# ---------------------------------------------------------------------------------------------- the value


@pytest.mark.parametrize(
    ("row", "pieces", "bounded"),
    [
        ((0.2, 0.6, "fieller"), ((0.2, 0.6),), True),
        ((-INF, 0.6, "fieller"), ((-INF, 0.6),), False),
        ((0.2, INF, "fieller"), ((0.2, INF),), False),
        ((-INF, INF, "fieller (unbounded)"), ((-INF, INF),), False),
        ((NAN, NAN, "cluster fieller (unbounded)"), ((-INF, INF),), False),
        ((-INF, INF, "fieller (complement: <= -0.5 or >= 2.0)"), ((-INF, -0.5), (2.0, INF)), False),
        ((2.0, -0.5, "fieller (complement)"), ((-INF, -0.5), (2.0, INF)), False),
        ((0.1, 0.3, "t (bootstrap-t unbounded)"), ((0.1, 0.3),), True),
        ((NAN, NAN, "degenerate"), (), False),
    ],
)
def test_a_row_is_a_set(row, pieces, bounded):
    low, high, method = row
    found = set_of({"conf_low": low, "conf_high": high, "method": method})
    assert found == interval_set(*row) == IntervalSet(pieces)
    assert found.is_bounded == bounded
    assert found.is_missing == (not pieces)


def test_a_set_holds_its_ends_and_not_its_gap():
    found = IntervalSet(((-INF, -0.5), (2.0, INF)))
    assert [found.contains(x) for x in (-9.0, -0.5, -0.499, 0.0, 1.999, 2.0, 1e9)] == [
        True,
        True,
        *[False] * 3,
        True,
        True,
    ]
    assert found.ends == (-INF, INF)
    assert str(found) == "(-inf, -0.5] or [2, inf)"
    assert IntervalSet(((-INF, INF),)).is_line
    assert not found.is_line


def test_no_set_neither_holds_nor_excludes():
    none = IntervalSet(())
    assert str(none) == "no interval"
    assert all(map(math.isnan, none.ends))
    with pytest.raises(med.errors.DataError, match="there is none"):
        none.contains(0.0)


@pytest.mark.parametrize("pieces", [((NAN, 1.0),), ((1.0, 0.0),), ((0.0, 2.0), (1.0, 3.0)), ((0.0, 1.0), (1.0, 2.0))])
def test_pieces_are_disjoint_and_ascending(pieces):
    with pytest.raises(med.errors.DataError, match="disjoint and ascending"):
        IntervalSet(pieces)


@given(FINITE, FINITE, st.sampled_from(["fieller", "cluster fieller"]))
def test_a_gap_is_kept_to_the_last_bit(one, other, name):
    low, high = sorted((one, other))
    method = set_method(name, -INF, INF, (low, high))
    assert gap_in(method) == (low, high)
    assert method.startswith(f"{name} (complement: ")


# ---------------------------------------------------------------------------------------------- from data


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shift", [2.0, 0.45, 0.0])
def test_the_set_of_a_result_is_what_the_t_test_does_not_reject(seed, shift):
    frame = weak(seed, shift)
    found = quiet(frame, estimands=["te", "pm"], method="t").confidence_set("pm")
    top, bottom = (frame["y11"] - frame["y10"]).to_numpy(), (frame["y11"] - frame["y00"]).to_numpy()
    for x in np.linspace(-7.9, 8.1, 161):
        assert found.contains(x) == not_rejected(top, bottom, x), (found, x)
    for end in (end for piece in found.pieces for end in piece if math.isfinite(end)):
        assert stats.ttest_1samp(top - end * bottom, 0.0).pvalue == pytest.approx(0.05, rel=1e-6)


def test_a_denominator_at_the_edge_of_the_test_gives_a_half_line():
    one, zero = np.ones(1), np.zeros(1)
    for a, low, high in ((3.0, 9 / 12 - 1 / 12, INF), (-3.0, -INF, -9 / 12 + 1 / 12)):  # (9 - q^2 V_aa) / 2ab
        found = fieller_set(Moments(a * one, 2 * one, 0.25 * one, one, zero), one * (0.25 + 2.25), 2.0)
        assert (found.low[0], found.high[0]) == pytest.approx((low, high))
        assert np.isnan(found.gap_low[0])
        assert set_method("fieller", found.low[0], found.high[0], (NAN, NAN)) == "fieller"
        for r in (low - 0.01, low + 0.01, high - 0.01, high + 0.01, 0.0, 40.0, -40.0):
            inside = (a - 2 * r) ** 2 <= 4 * (0.25 + r**2)
            assert (low <= r <= high) == inside or not math.isfinite(r)


def test_a_gap_survives_saving_and_reading_to_the_last_bit(tmp_path):
    frame = weak()
    top, bottom = (frame["y11"] - frame["y10"]).to_numpy(), (frame["y11"] - frame["y00"]).to_numpy()
    effects = quiet(frame, method="t")
    found = effects.confidence_set("pm")
    assert len(found.pieces) == 2
    again = med.read(effects.save(tmp_path / "x"))
    assert again == effects
    assert again.confidence_set("pm") == found == set_of(ratio_row(top, bottom))
    gap = (found.pieces[0][1], found.pieces[1][0])
    assert all(stats.ttest_1samp(top - end * bottom, 0).pvalue == pytest.approx(0.05, rel=1e-9) for end in gap)


def ratio_row(top: np.ndarray, bottom: np.ndarray) -> dict[str, object]:
    found = ratio_intervals(top[:, None], bottom[:, None], settings=Inference(method="t"))
    return {"conf_low": found.conf_low[0], "conf_high": found.conf_high[0], "method": found.method[0]}


# ---------------------------------------------------------------------------------------------- which row


def test_a_row_is_found_by_what_names_it():
    sweep, ablation = make_sweep(layers=(0, 1), positions=(8,)), make_ablation()
    table = sweep.tidy().set_index(["estimand", "site"])
    site = "residual[1]@8"
    row = table.loc[("tnie", site)]
    assert sweep.confidence_set("tnie", site).pieces == ((row["conf_low"], row["conf_high"]),)
    arm = ablation.tidy().iloc[3]
    found = ablation.confidence_set("ablation", arm["site"], arm=arm["arm"], dose=arm["dose"])
    assert found.ends == (arm["conf_low"], arm["conf_high"])
    assert make_effects().confidence_set("te", "residual[12]@last").is_bounded
    gone = dict.fromkeys(["std_error", "conf_low", "conf_high", "p_value"], NAN)
    assert change(make_effects(), 0, method="degenerate", **gone).confidence_set("te").is_missing


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: make_effects().confidence_set("pmm"), "Closest: 'pm'"),
        (lambda: make_sweep(layers=(0, 1), positions=(8,)).confidence_set("te"), "2 rows are of 'te'; say which"),
        (lambda: make_effects().confidence_set("te", "residual[1]@last"), "Closest: 'residual\\[12\\]@last'"),
        (lambda: make_effects().confidence_set("te", arm="x"), "is not named by 'arm'"),
        (lambda: make_ablation().confidence_set("ablation", dose=3.0), "Found 0.1, 0.25"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_there_or_not_alone_is_refused(ask, said):
    with pytest.raises(med.errors.DesignError, match=said):
        ask()


# ---------------------------------------------------------------------------------------------- shown


def gapped(low: float = -2.0, high: float = 0.6, estimate: float = 1.4) -> med.Effects:
    method = f"fieller (complement: <= {low!r} or >= {high!r})"
    return change(
        make_effects(te=0.1, n=20, n_clusters=10), 6, method=method, conf_low=-INF, conf_high=INF, estimate=estimate,
        std_error=3.0, p_value=0.03,
    )  # fmt: skip


def test_two_half_lines_are_printed_in_digits():
    summary = gapped().summary()
    cells = next(field for field in summary.fields if "interval" in field.header).cells
    assert cells[6] == "(-inf, -2.00] or [0.60, inf)"
    assert [note for note in summary.notes if note.startswith("Two half-lines")]
    assert not [note for note in summary.notes if note.startswith("unbounded")]


def test_two_half_lines_are_drawn_with_arrows_and_a_gap():
    ax = med.plot.forest(gapped(), estimand="pm")
    left, right = ax.get_xlim()
    drawn = sorted(tuple(line.get_xdata()) for line in lines(ax, "interval"))
    assert [tuple(map(float, one)) for one in drawn] == [(left, -2.0), (0.6, right)]
    assert [(line.get_marker(), float(line.get_xdata()[0])) for line in lines(ax, "arrow")] == [
        ("<", left),
        (">", right),
    ]
    assert sorted(float(line.get_xdata()[0]) for line in lines(ax, "cap")) == [-2.0, 0.6]
    assert left < -2.0 < 0.6 < 1.4 < right
    assert digits(ax)[0].endswith("(-inf, -2.00] or [0.60, inf)")


def test_a_far_end_of_a_gap_does_not_stretch_the_axis():
    ax = med.plot.forest(gapped(low=-1e6, estimate=0.8), estimand="pm")
    left, right = ax.get_xlim()
    assert left > -10
    arrows = {line.get_marker(): float(line.get_xdata()[0]) for line in lines(ax, "arrow")}
    assert arrows == {"<": left, ">": right}
    assert [float(line.get_xdata()[0]) for line in lines(ax, "cap")] == [0.6]


def test_a_half_line_has_one_arrow():
    ax = med.plot.forest(change(make_effects(), 6, conf_low=-INF), estimand="pm")
    assert [line.get_marker() for line in lines(ax, "arrow")] == ["<"]
    assert ends(ax)[0][0] == pytest.approx(ax.get_xlim()[0])


def test_the_decomposition_writes_the_two_half_lines():
    ax = med.plot.decomposition(gapped())
    (text,) = [text.get_text() for text in ax.texts if text.get_gid() == "pm"]
    assert "Fieller (-inf, -2.00] or [0.60, inf)" in text


# ---------------------------------------------------------------------------------------------- warned of


def test_a_share_of_a_weak_total_effect_is_warned_of_once():
    with pytest.warns(med.errors.WeakTotalEffectWarning) as caught:
        effects = med.effects(weak(), rng=0, n_resamples=199)
    assert len(caught.list) == 1 + sum(issubclass(one.category, med.errors.DegenerateWarning) for one in caught.list)
    text = next(str(one.message) for one in caught.list if one.category is med.errors.WeakTotalEffectWarning)
    te = effects.tidy().iloc[0]
    assert f"TE = {te['estimate']:.2f}" in text
    assert "set of PM: (-inf, " in text
    assert caught.list[-1].filename == __file__


def test_without_a_proportion_or_with_a_clear_total_effect_there_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", med.errors.WeakTotalEffectWarning)
        med.effects(weak(), estimands=["te", "pnie", "tnie"], rng=0, n_resamples=199)
        strong = med.effects(weak(shift=3.0), rng=0, n_resamples=199)
    assert strong.confidence_set("pm").is_bounded
    assert not [note for note in strong.summary().notes if "share" in note]


def test_the_proportion_alone_is_warned_of_by_its_set():
    with pytest.warns(med.errors.WeakTotalEffectWarning, match=r"from 0 \(set of PM: \(-inf"):
        med.effects(weak(), estimands=["pm"], rng=0)


def test_a_sweep_is_warned_of_once_with_the_number_of_sites():
    frame = weak()
    sites = pd.concat([frame.assign(site=name, unit=range(len(frame))) for name in "abc"])
    with pytest.warns(med.errors.WeakTotalEffectWarning, match="3 of 3 proportions") as caught:
        med.effects(sites, estimands=["te", "pm"], rng=0, n_resamples=199)
    assert sum(one.category is med.errors.WeakTotalEffectWarning for one in caught.list) == 1


def said(**rows: dict[str, float]) -> str:
    """Footnotes of a table in which some rows were changed."""
    effects = make_effects()
    for key, values in rows.items():
        effects = change(effects, list(effects.tidy()["estimand"]).index(key), **values)
    return " ".join(effects.summary().notes)


def test_footnotes_tell_what_a_share_cannot_say():
    assert "share" not in said()
    near = {"estimate": 0.1, "conf_low": -0.1, "conf_high": 0.3, "p_value": 0.3}
    assert "a ratio of it is uninformative" in said(te=near)
    assert "opposite signs: how much" in said(pnie={"estimate": -1.0, "conf_low": -1.5, "conf_high": -0.5})
    assert "opposite signs" not in said(pnie={"estimate": -0.1, "conf_low": -1.5, "conf_high": 1.3})
    assert "is no share" in said(pm={"estimate": 1.6, "conf_low": 1.2, "conf_high": 2.0})
    assert "sampling error can do that" in said(pm={"estimate": 1.1, "conf_low": 0.8, "conf_high": 1.4})
