"""Several outcomes in one result: each has the rows, the account and the answers that it has alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.estimands import estimands_from
from mediation.estimate import SiteInfo
from mediation.inference import Inference
from mediation.plot import compare, decomposition, dose, draw, equivalence, forest, heatmap
from mediation.results import effects_by_outcome, summarise
from tests.results.interactions import make_interactions
from tests.results.results_factory import make_controls

QUICK: dict[str, Any] = {"rng": 0, "n_resamples": 399}
N = 24


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def _units(seed: int, scale: float, sites: int = 4, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=N)
    frames = [
        pd.DataFrame(
            {"site": f"mlp({site})", "unit": [f"q{unit}" for unit in range(N)], "y00": scale * base}
            | {"y01": scale * (base + 0.2 * site + 0.3 * rng.normal(size=N))}
            | {"y10": scale * (base + 0.5 + 0.3 * rng.normal(size=N))}
            | {"y11": scale * (base + 1.0 + 0.2 * site + 0.5 * rng.normal(size=N))}
            | columns
        )
        for site in range(sites)
    ]
    return pd.concat(frames, ignore_index=True)


def _arms(seed: int, scale: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=N)
    rows = [
        {"arm": "noise", "dose": level, "draw": draw, "unit": unit, "y": scale * y[unit]}
        | {"ym": scale * (y[unit] - level + 0.2 * rng.normal())}
        for level in (0.5, 1.0)
        for draw in range(2)
        for unit in range(N)
    ]
    return pd.DataFrame(rows)


def _answers(seed: int, scale: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    one = pd.DataFrame({name: (rng.random(N) < at).astype(float) for name, at in (("y00", 0.1), ("y11", 0.9))})
    named = {"site": "mlp(0)", "unit": [f"q{unit}" for unit in range(N)]}
    return one.assign(y01=one["y00"], y10=one["y11"], **named) if scale == 1 else _units(seed, scale, 1)


def _donors(seed: int, scale: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    given = {name: scale * rng.normal(size=N) for name in ("g00", "g01", "g10", "g11")}
    return pd.DataFrame({"unit": range(N), "donor": np.roll(np.arange(N), 1), **given})


def _shared(seed: int, scale: float) -> pd.DataFrame:
    return pd.concat([_units(seed + 10 * draw, scale, 2).assign(draw=draw) for draw in range(3)])


_CLUSTERS = [f"c{unit // 3}" for unit in range(N)]
DESIGNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "one mediator": (lambda seed, scale: _units(seed, scale, 1), {}),
    "a sweep": (_units, {}),
    "clusters and weights": (
        lambda seed, scale: _units(seed, scale, cluster=_CLUSTERS, weight=np.linspace(1.0, 2.0, N)),
        {},
    ),
    "clusters of two kinds": (
        lambda seed, scale: _units(seed, scale, item=_CLUSTERS, form=[f"f{unit % 6}" for unit in range(N)]),
        {"cluster": ["item", "form"]},
    ),
    "arms with doses": (_arms, {}),
    "answers beside numbers": (_answers, {}),
    "random donors": (_donors, {}),
    "shared draws": (_shared, {"draws": "shared"}),
}


def _both(make: Any) -> pd.DataFrame:
    one, two = make(1, 1.0).assign(outcome="kl"), make(2, 30.0).assign(outcome="logit")
    return pd.concat([one, two]).sample(frac=1.0, random_state=0)


def _effects(frame: pd.DataFrame, **options: Any) -> med.Effects:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.MediationWarning)
        return med.effects(frame, **QUICK, **options)


def _alone(frame: pd.DataFrame, name: str, **options: Any) -> med.Effects:
    mine = frame[frame["outcome"] == name].drop(columns="outcome")
    return _effects(mine, provenance={"outcome": name}, **options)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return _both(_units)


@pytest.fixture(scope="module")
def sweep(frame: pd.DataFrame) -> med.Effects:
    return _effects(frame)


@pytest.mark.parametrize("design", DESIGNS)
def test_each_outcome_is_what_it_is_alone(design: str) -> None:
    make, options = DESIGNS[design]
    frame = _both(make)
    both = _effects(frame, **options)
    assert set(both.outcomes) == {"kl", "logit"}
    assert next(iter(both.tidy())) == "outcome"
    for name in both.outcomes:
        alone = _alone(frame, name, **options)
        assert both.outcome(name) == alone
        rows = both.tidy().query("outcome == @name").drop(columns="outcome").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone.tidy(), check_exact=True)
        assert str(both.outcome(name).summary()) == str(alone.summary())


def test_one_named_outcome_keeps_its_column(frame: pd.DataFrame) -> None:
    one = _effects(frame[frame["outcome"] == "kl"])
    assert one.outcomes == ("kl",)
    assert one.outcome("kl") == _alone(frame, "kl")


def test_the_units_of_a_result_give_it_again(sweep: med.Effects) -> None:
    again = _effects(sweep.units)
    pd.testing.assert_frame_equal(again.tidy(), sweep.tidy(), check_exact=True)


def test_saved_and_read(sweep: med.Effects, tmp_path: Path) -> None:
    sweep.save(tmp_path / "sweep")
    again = med.read(tmp_path / "sweep")
    assert again == sweep
    assert again.outcome("kl") == sweep.outcome("kl")


def test_outcomes_may_have_units_of_their_own(frame: pd.DataFrame) -> None:
    fewer = frame[(frame["outcome"] == "kl") | (frame["unit"] != "q3")]
    both = _effects(fewer)
    assert both.outcome("logit") == _alone(fewer, "logit")
    assert both.tidy().groupby("outcome")["n"].unique().map(list).to_dict() == {"kl": [N], "logit": [N - 1]}
    with pytest.raises(DesignError, match=r"need the same units in each, and those of '.*' differ"):
        _effects(fewer, family="all")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="unit"), "a column 'outcome' and no column 'unit'"),
        (lambda frame: frame.assign(outcome=1), "outcome of row 0 is 1. The column 'outcome' names the outcome"),
        (lambda frame: frame.assign(outcome=None), "outcome of row 0 is None"),
        (lambda frame: frame.iloc[1:], r"has no row of .* \(Of outcome '(kl|logit)': rows are counted within it"),
        (lambda frame: frame.rename(columns={"outcome": "Outcome"}), "Did you mean 'outcome'"),
    ],
)
def test_a_frame_that_is_wrong_is_refused_in_words(frame: pd.DataFrame, change: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _effects(change(frame))


def test_a_warning_names_its_outcome() -> None:
    frame = _both(lambda seed, scale: _units(seed, scale, 1))
    frame.loc[frame["outcome"] == "kl", ["y00", "y01", "y10", "y11"]] = 1.0
    with pytest.warns(DegenerateWarning, match="outcome 'kl': .* estimates have no interval"):
        med.effects(frame, estimands=["te", "pnie"], **QUICK)


def test_bands_over_all_outcomes_are_wider_and_nothing_else_changes(frame: pd.DataFrame, sweep: med.Effects) -> None:
    every = _effects(frame, family="all")
    one, two = sweep.tidy(), every.tidy()
    same = one.columns.difference(["band_low", "band_high", "p_adjusted"])
    pd.testing.assert_frame_equal(one[same], two[same], check_exact=True)
    banded = one["band_low"].notna() & (one["estimand"] != "te")
    assert (two["band_high"] - two["band_low"] >= one["band_high"] - one["band_low"])[banded].all()
    assert (two["p_adjusted"] >= one["p_adjusted"] - 1e-12)[banded].all()
    assert every.provenance["inference"]["family"] == "all"
    assert "over the 4 sites of each estimand, times 2 outcomes" in " ".join(str(every.summary()).split())
    assert "times" not in str(sweep.summary())
    pd.testing.assert_frame_equal(every.tidy(), sweep.adjust("max-t", family="outcomes").tidy(), check_exact=True)


def test_bands_over_all_of_one_outcome_are_its_own(frame: pd.DataFrame) -> None:
    mine = frame[frame["outcome"] == "kl"]
    pd.testing.assert_frame_equal(_effects(mine, family="all").tidy(), _effects(mine).tidy(), check_exact=True)


def test_bands_over_all_are_those_of_the_outcomes_as_sites(frame: pd.DataFrame) -> None:
    """One weight matrix serves all outcomes: sites of one outcome and of another are columns of one family."""
    flat = frame.assign(site=frame["outcome"] + " " + frame["site"]).drop(columns="outcome")
    joint = _effects(flat, estimands=["pnie", "tnie"]).tidy().set_index(["estimand", "site"])
    every = _effects(frame, estimands=["pnie", "tnie"], family="all").tidy()
    for row in every.to_dict("records"):
        other = joint.loc[(row["estimand"], f"{row['outcome']} {row['site']}")]
        assert [row[name] for name in ("band_low", "band_high", "p_adjusted")] == other[
            ["band_low", "band_high", "p_adjusted"]
        ].tolist()


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("one mediator", "family='all' is about the bands of a sweep, and a table of kind 'effects' has none"),
        ("arms with doses", "a table of kind 'ablation' has none"),
        ("clusters of two kinds", "family='all' takes clusters of one kind"),
        ("shared draws", "family='all' takes units as independent"),
    ],
)
def test_bands_over_all_outcomes_are_refused_by_name(design: str, said: str) -> None:
    make, options = DESIGNS[design]
    with pytest.raises(DesignError, match=said):
        _effects(_both(make), family="all", **options)


def test_p_values_are_adjusted_within_an_outcome_or_over_all(frame: pd.DataFrame) -> None:
    sweep = _effects(frame, method="t")
    for method in ("bh", "holm", "max-t"):
        within = sweep.adjust(method)
        for name in sweep.outcomes:
            assert within.outcome(name) == sweep.outcome(name).adjust(method)
    over = sweep.adjust("holm", family="outcomes").tidy()
    for _, rows in over.groupby("estimand"):
        p = rows["p_value"].dropna()
        ordered = np.sort(p)
        expected = np.minimum(1, np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))
        np.testing.assert_allclose(np.sort(rows["p_adjusted"].dropna().unique()), np.unique(expected))
    whole = sweep.adjust("holm", family="all")
    assert (whole.tidy()["p_adjusted"] >= over["p_adjusted"])[over["p_adjusted"].notna()].all()
    with pytest.raises(DesignError, match="'outcomes' was asked of a result of one outcome"):
        sweep.outcome("kl").adjust(family="outcomes")


def test_p_values_of_one_mediator_are_adjusted_over_outcomes() -> None:
    both = _effects(_both(lambda seed, scale: _units(seed, scale, 1)))
    holm = both.adjust("holm", family="outcomes")
    for _, rows in holm.tidy().query("estimand != 'pm'").groupby("estimand"):
        small, large = np.sort(rows["p_value"])
        assert sorted(rows["p_adjusted"]) == pytest.approx([min(1, 2 * small), min(1, max(2 * small, large))])
    assert "Holm (family-wise error) over the 2 outcomes" in str(holm.summary())
    assert both.adjust("max-t", family="outcomes").tidy()["p_adjusted"].notna().any()
    with pytest.raises(DesignError, match="several questions about one site"):
        both.adjust("holm")


QUESTIONS = {
    "by": lambda effects, frame: effects.by("kind", frame=frame, estimands=["te", "pnie"]),
    "equivalence": lambda effects, frame: effects.equivalence(0.3, relative_to="te", estimands=["pnie"]),
    "hierarchy": lambda effects, frame: effects.hierarchy(layers={f"mlp({site})": site // 2 for site in range(4)}),
    "compare": lambda effects, frame: effects.compare(_other(effects), labels=("one", "two"), estimands=["pnie"]),
}


def _other(effects: med.Effects) -> med.Effects:
    units, label = effects.units, effects.provenance["outcome"]
    changed = units.assign(y01=units["y01"] + 0.1 * units["y10"])
    return _effects(changed, provenance={} if effects.outcomes else {"outcome": label})


COVARIATES = pd.DataFrame({"unit": [f"q{unit}" for unit in range(N)], "kind": ["a", "b"] * (N // 2)})


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_for_each_outcome(question: str, sweep: med.Effects, tmp_path: Path) -> None:
    ask = QUESTIONS[question]
    answer = ask(sweep, COVARIATES)
    assert answer.outcomes == sweep.outcomes
    for name in sweep.outcomes:
        assert answer.outcome(name) == ask(sweep.outcome(name), COVARIATES)
    text = str(answer.summary())
    assert all(name in text for name in sweep.outcomes)
    assert max(map(len, text.splitlines())) <= 100
    answer.save(tmp_path / "answer")
    assert med.read(tmp_path / "answer") == answer


def test_tests_and_sets_name_the_outcome(sweep: med.Effects) -> None:
    rows = sweep.test("pnie")
    for name in sweep.outcomes:
        mine = rows.query("outcome == @name").drop(columns="outcome").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, sweep.outcome(name).test("pnie"))
    found = sweep.confidence_set("pnie", "mlp(2)", outcome="logit")
    assert found.ends == sweep.outcome("logit").confidence_set("pnie", "mlp(2)").ends
    with pytest.raises(DesignError, match=r"say which one by outcome=\.\.\."):
        sweep.confidence_set("pnie", "mlp(2)")


def test_several_results_are_compared_outcome_by_outcome(frame: pd.DataFrame, sweep: med.Effects) -> None:
    other = _effects(frame.assign(y11=frame["y11"] * 1.5))
    many = med.compare_many([sweep, other], labels=["a", "b"], estimands=["te"])
    for name in sweep.outcomes:
        alone = med.compare_many([sweep.outcome(name), other.outcome(name)], labels=["a", "b"], estimands=["te"])
        pd.testing.assert_frame_equal(many.outcome(name).tidy(), alone.tidy(), check_exact=True)
    for refused in (lambda: sweep.compare(other.outcome("kl")), lambda: med.compare_many([sweep, other.outcome("kl")])):
        with pytest.raises(DesignError, match=r"takes results of the same outcomes, found .* and one without a name"):
            refused()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda sweep: med.effects(sweep.outcome("kl").units, family="all"), "several outcomes, and there is one"),
        (lambda sweep: sweep.regress("~ 1"), "regress is asked of one outcome"),
        (lambda sweep: sweep.equivalence(0.1), "a margin in units of the outcome is asked of one outcome"),
        (lambda sweep: med.power(sweep, estimand="pnie", site="mlp(1)"), "power is asked of one outcome"),
        (lambda sweep: sweep.outcome("k1"), "outcome.*'k1'.*'kl'"),
        (lambda sweep: sweep.outcome("kl").outcome("kl"), "asked of a result of one outcome"),
        (lambda sweep: heatmap(sweep), "heatmap draws one outcome, in its own units, and this result has"),
        (lambda sweep: draw(sweep), "heatmap draws one outcome"),
    ],
)
def test_a_question_of_one_outcome_says_how_to_choose(sweep: med.Effects, ask: Any, said: str) -> None:
    with pytest.raises(DesignError, match=said):
        ask(sweep)


def test_a_checklist_names_the_outcomes(sweep: med.Effects) -> None:
    text = " ".join(str(sweep.checklist()).split())
    assert f"Outcome: {'; '.join(sweep.outcomes)}." in text
    assert "(mlp(3), logit)" in text
    assert "(mlp(3), kl)" in text


def test_pictures_draw_the_outcome_that_is_named(sweep: med.Effects) -> None:
    sites = {f"mlp({site})": SiteInfo(site, "last") for site in range(4)}
    wanted, settings = estimands_from(("y00", "y01"), ["pnie"]), Inference(n_resamples=199, seed=0)
    placed = summarise(sweep.units, wanted, settings, sites=sites, provenance={})
    one, alone = heatmap(placed, "pnie", outcome="kl"), heatmap(placed.outcome("kl"), "pnie")
    assert (one.images[0].get_array() == alone.images[0].get_array()).all()
    arms = _effects(_both(_arms))
    single = _effects(_both(lambda seed, scale: _units(seed, scale, 1)))
    close = sweep.equivalence(0.3, relative_to="te", estimands=["pnie"])
    both = sweep.compare(_other(sweep), estimands=["pnie"])
    pictures = ((forest, sweep), (dose, arms), (decomposition, single), (equivalence, close), (compare, both))
    for picture, effects in pictures:
        named = [text.get_text() for text in picture(effects, outcome="logit").texts]
        assert named == [text.get_text() for text in picture(effects.outcome("logit")).texts]


KINDS = {
    "controls": lambda seed: make_controls(seed=seed, sites=("mlp(0)", "mlp(1)")),
    "interactions": lambda seed: make_interactions(3, n=20 + seed),
}


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_every_kind_are_put_together(kind: str, tmp_path: Path) -> None:
    alone = {name: KINDS[kind](seed) for seed, name in enumerate(("kl", "logit"))}
    units = pd.concat([one.units.assign(outcome=name) for name, one in alone.items()], ignore_index=True)
    whole = effects_by_outcome(units, {"outcome": {"kl": "KL()"}}, lambda rows, known: alone[_name_of(known)])
    assert whole.kind == kind
    for name, one in alone.items():
        assert whole.outcome(name) == one
        assert name in str(whole.summary())
    assert med.read(whole.save(tmp_path / "whole")) == whole


def _name_of(known: dict[str, Any]) -> str:
    return {"KL()": "kl", "logit": "logit"}[known["outcome"]]


def test_controls_of_several_outcomes_have_bands_over_all_of_them() -> None:
    alone = {"kl": make_controls(seed=0), "logit": make_controls(seed=1)}
    units = pd.concat([one.units.assign(outcome=name) for name, one in alone.items()], ignore_index=True)
    whole = effects_by_outcome(units, {"outcome": {"kl": "KL()"}}, lambda rows, known: alone[_name_of(known)])
    within, over = whole.adjust("max-t"), whole.adjust("max-t", family="outcomes")
    for name, one in alone.items():
        assert within.outcome(name) == one.adjust("max-t")
    banded = within.tidy()["band_low"].notna()
    widths = [(one.tidy()["band_high"] - one.tidy()["band_low"])[banded] for one in (within, over)]
    assert (widths[1] >= widths[0]).all()
    assert (widths[1] > widths[0]).any()
    assert "times 2 outcomes" in " ".join(str(over.summary()).split())
