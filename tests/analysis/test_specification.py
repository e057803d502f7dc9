"""Specification tables: known effects under every choice, and each row as the one question that it is."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.results import agreement
from mediation.results.kinds._specification import agreement_of, specifications
from mediation.testing import LinearInteraction, first_output, tiny_model, tiny_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning"),
]

A, D, B, C = 2.0, 3.0, 4.0, 5.0  # M(x) = a x, Y(x, m) = d x + b m + c x m
X = torch.randn(30, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
BASES = {"base": X, "farther": X - 1.5, "shuffled": X.flip(0)}
SOURCE = X + 1
SITE = med.Site("mediator")
QUICK = {"rng": 3, "n_resamples": 199, "progress": False}
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value", "method", "n", "n_clusters"]


@med.outcome
def doubled(output: torch.Tensor) -> torch.Tensor:
    return 2 * output[:, 0]


@med.outcome
def against(output: torch.Tensor) -> torch.Tensor:
    return -output[:, 0]


OUTCOMES = {"score": first_output, "doubled": doubled, "against": against}
FACTORS = {"score": 1.0, "doubled": 2.0, "against": -1.0}
ARMS = {"zero": med.Zero(), ("constant", 1.0): med.Constant(1.0), "noise": med.GaussianNoise(0.5)}


def linear() -> LinearInteraction:
    return LinearInteraction(A, D, B, C).double()


def pairs_of(name: str) -> med.Pairs:
    return med.Pairs(base=BASES[name], source=SOURCE, cluster=np.arange(30) // 2)


def others() -> dict[str, med.Pairs]:
    return {name: pairs_of(name) for name in BASES if name != "base"}


def table_of(**options) -> med.Effects:
    given = {"corruptions": others(), "arms": ARMS, "estimand": ["pnie", "tnie"], "n_draws": 2, **QUICK, **options}
    return med.specification(linear(), pairs_of("base"), SITE, OUTCOMES, **given)


@pytest.fixture(scope="module")
def whole() -> med.Effects:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return table_of()


def row(effects: med.Effects, **named) -> pd.Series:
    table = effects.tidy()
    for name, value in named.items():
        table = table[table[name].isna() if value != value else table[name] == value]
    (only,) = [line for _, line in table.iterrows()]
    return only


# ---------------------------------------------------------------------------------------------- known answers


@pytest.mark.parametrize("corruption", BASES)
@pytest.mark.parametrize("metric", OUTCOMES)
def test_natural_effects_of_the_linear_model_are_known(whole, corruption, metric):
    x0, x1 = BASES[corruption].numpy()[:, 0], SOURCE.numpy()[:, 0]
    step, factor = A * (x1 - x0), FACTORS[metric]
    pnie, tnie = (B + C * x0) * step, (B + C * x1) * step
    te = D * (x1 - x0) + tnie + C * A * x0 * (x1 - x0)
    truth = {"te": te, "pnie": pnie, "tnie": tnie}
    for key, values in truth.items():
        found = row(whole, estimand=key, outcome=metric, corruption=corruption, arm="")
        assert found["estimate"] == pytest.approx(factor * values.mean())
    for key, top in {"pm_pure": pnie, "pm": tnie}.items():
        found = row(whole, estimand=key, outcome=metric, corruption=corruption, arm="")
        assert found["estimate"] == pytest.approx(top.mean() / te.mean())  # whatever the metric's unit and sign


@pytest.mark.parametrize("metric", OUTCOMES)
def test_ablation_effects_of_the_linear_model_are_known(whole, metric):
    x1 = SOURCE.numpy()[:, 0]
    for arm, dose, value in (("zero", math.nan, 0.0), ("constant", 1.0, 1.0)):
        lost = (B + C * x1) * (A * x1 - value)
        found = row(whole, estimand="ablation", outcome=metric, arm=arm, dose=dose)
        assert found["estimate"] == pytest.approx(FACTORS[metric] * lost.mean())
        share = row(whole, estimand="ablation_share", outcome=metric, arm=arm, dose=dose)
        te = row(whole, estimand="te", outcome=metric, corruption="base")["estimate"]
        assert share["estimate"] == pytest.approx(FACTORS[metric] * lost.mean() / te)


def test_the_exchange_as_an_arm_is_the_total_indirect_effect():
    effects = table_of(arms={"exchange": med.Interchange()})
    for corruption in BASES:  # it reads the base, so each corruption has a row
        named = {"outcome": "score", "corruption": corruption}
        natural = row(effects, estimand="tnie", arm="", **named)
        arm = row(effects, estimand="ablation", arm="exchange", **named)
        assert natural[NUMBERS[:5]].tolist() == pytest.approx(arm[NUMBERS[:5]].tolist())
        share, pm = row(effects, estimand="ablation_share", **named), row(effects, estimand="pm", **named)
        assert share[NUMBERS[:5]].tolist() == pytest.approx(pm[NUMBERS[:5]].tolist())


# ---------------------------------------------------------------------------------------------- row by row


def same_numbers(mine: pd.Series, theirs: pd.Series) -> None:
    for name in NUMBERS:
        assert mine[name] == theirs[name] or mine[name] == pytest.approx(theirs[name], rel=1e-9), name


@pytest.mark.parametrize("corruption", BASES)
@pytest.mark.parametrize("metric", OUTCOMES)
def test_each_natural_row_is_that_of_mediate(whole, corruption, metric):
    keys = ["te", "pnie", "pm_pure", "tnie", "pm"]
    alone = med.mediate(linear(), pairs_of(corruption), SITE, OUTCOMES[metric], estimands=keys, **QUICK)
    for _, theirs in alone.tidy().iterrows():
        mine = row(whole, estimand=theirs["estimand"], outcome=metric, corruption=corruption, arm="")
        same_numbers(mine, theirs)
        assert mine["n_draws"] == 1


@pytest.mark.parametrize("metric", OUTCOMES)
def test_each_row_of_an_arm_is_that_of_ablate(whole, metric):
    alone = med.ablate(linear(), pairs_of("base"), ARMS, OUTCOMES[metric], sites=SITE, n_draws=2, **QUICK)
    for _, theirs in alone.tidy().iterrows():
        mine = row(whole, estimand="ablation", outcome=metric, arm=theirs["arm"], dose=theirs["dose"])
        same_numbers(mine, theirs)
        assert mine["n_draws"] == theirs["n_draws"]
    assert set(alone.tidy()["n_draws"]) == {1, 2}


def test_a_row_does_not_depend_on_the_other_rows(whole):
    alone = med.specification(linear(), pairs_of("base"), SITE, {"doubled": doubled}, **QUICK).tidy()
    assert alone["estimand"].tolist() == ["te", "pnie", "pm_pure"]
    for _, theirs in alone.iterrows():
        same_numbers(row(whole, estimand=theirs["estimand"], outcome="doubled", corruption="base", arm=""), theirs)


def test_every_interval_can_be_redone_from_the_units(whole):
    for (_, corruption, arm, _), units in whole.units.groupby(["outcome", "corruption", "arm", "dose"], dropna=False):
        mine = units.dropna(axis=1, how="all").drop(columns=["outcome", "corruption"])
        keys = ["ablation"] if arm else ["te", "pnie", "tnie", "pm"]
        if not arm:
            mine = mine.drop(columns="arm")
        again = med.effects(mine, estimands=keys, rng=3, n_resamples=199)
        for _, theirs in again.tidy().iterrows():
            metric = units["outcome"].iloc[0]
            named = {"arm": arm, "dose": units["dose"].iloc[0]} if arm else {"arm": ""}
            same_numbers(
                row(whole, estimand=theirs["estimand"], outcome=metric, corruption=corruption, **named), theirs
            )


def test_saved_and_read_it_is_the_same(whole, tmp_path):
    assert med.read(whole.save(tmp_path / "x")) == whole
    assert whole.kind == "specification"
    assert list(whole.provenance["specification"]["corruptions"]) == list(BASES)
    assert whole.provenance["plan"]["studies"] == 9


# ---------------------------------------------------------------------------------------------- which are run


def test_arms_are_run_again_only_where_a_corruption_changes_their_runs():
    def corruptions(**options) -> list[str]:
        table = table_of(**options).tidy()
        return list(dict.fromkeys(table[table["estimand"] == "ablation"]["corruption"]))

    assert corruptions(arms={"zero": med.Zero()}) == ["base"]
    assert corruptions(arms={"zero": med.Zero()}, run="base") == list(BASES)
    assert corruptions(arms={"mean": med.Mean()}) == ["base"]
    assert corruptions(arms={"mean": med.Mean(run="base")}) == list(BASES)
    moved = {**others(), "moved": med.Pairs(base=X, source=X + 2, cluster=np.arange(30) // 2)}
    assert corruptions(arms={"zero": med.Zero()}, corruptions=moved) == ["base", "moved"]


def test_without_a_source_there_are_ablation_effects_only():
    effects = med.specification(linear(), med.Pairs(base=X), SITE, [first_output], arms={"zero": med.Zero()}, **QUICK)
    assert effects.tidy()["estimand"].tolist() == ["ablation"]
    x = X.numpy()[:, 0]
    assert effects.tidy()["estimate"][0] == pytest.approx(((B + C * x) * A * x).mean())
    assert "share" not in str(effects.summary())


def test_outcomes_without_names_are_named_by_what_they_are():
    effects = med.specification(linear(), pairs_of("base"), SITE, [first_output, doubled], **QUICK)
    assert list(dict.fromkeys(effects.tidy()["outcome"])) == ["first output", "doubled"]


def test_the_mediator_may_be_several_sites_together():
    gate, bits = med.testing.Gate("and"), torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    both = (med.Site("first") | med.Site("second")).jointly()
    pairs = med.Pairs(base=bits, source=bits.flip(0))
    effects = med.specification(gate, pairs, both, first_output, arms={"zero": med.Zero()}, **QUICK)
    truth = (bits.flip(0).prod(1) - bits.prod(1)).mean()
    assert row(effects, estimand="te")["estimate"] == row(effects, estimand="pnie")["estimate"] == float(truth)
    assert row(effects, estimand="ablation")["estimate"] == 0.25  # 1 of 4 sources is (1, 1)


# ---------------------------------------------------------------------------------------------- a language model


@pytest.fixture(scope="module")
def language():
    model = med.load(tiny_model("llama", layers=3), tiny_tokenizer())
    heads = ["The capital of", "The city of", "The book of", "The cat of", "When the cat of", "When the city of"]
    texts = {
        name: [f"{head} {word} is" for head in heads]
        for name, word in (("source", "France"), ("base", "Italy"), ("Spain", "Spain"))
    }
    pairs = med.Pairs(base=texts["base"], source=texts["source"])
    return model, pairs, med.Pairs(base=texts["Spain"], source=texts["source"])


METRICS = {
    "logit difference": med.LogitDiff(" Paris", " Rome"),
    "log probability": med.LogProb(" Paris"),
    "probability": med.Probability(" Paris"),
    "KL": med.KL(),
}


def test_metrics_and_replacements_of_a_language_model(language):
    model, pairs, spain = language
    site = med.residual(1, at="last")
    effects = med.specification(model, pairs, site, METRICS, corruptions={"Spain": spain}, **QUICK)
    for corruption, these in {"base": pairs, "Spain": spain}.items():
        for metric, outcome in METRICS.items():
            alone = med.mediate(model, these, site, outcome, estimands=["te", "pnie"], **QUICK).tidy()
            for _, theirs in alone.iterrows():
                mine = row(effects, estimand=theirs["estimand"], outcome=metric, corruption=corruption)
                assert mine["estimate"] == pytest.approx(theirs["estimate"], rel=1e-4, abs=1e-6)


def test_noise_as_corruption_is_the_source_run_with_noise(language):
    model, pairs, _ = language
    site, at = med.residual(1, at="last"), med.embedding(at=-2)
    noises = med.doses(lambda scale: med.GaussianNoise(scale).at(at), [0.1, 1.0], name="noise")
    metrics = {"logit difference": METRICS["logit difference"]}
    effects = med.specification(model, pairs, site, metrics, corruptions=noises, n_draws=3, **QUICK)
    units = effects.units.set_index("corruption")
    for (_, scale), noise in noises.items():
        mine = units.loc[f"noise {scale:g}"]
        plain = med.ablate(model, pairs, noise, metrics["logit difference"], n_draws=3, **QUICK).units
        restored = noise | med.Interchange("source").at(site)
        patched = med.ablate(model, pairs, restored, metrics["logit difference"], n_draws=3, **QUICK).units
        np.testing.assert_allclose(mine["y00"], plain["ym"], atol=1e-5)
        np.testing.assert_allclose(mine["y01"], patched["ym"], atol=1e-5)
        np.testing.assert_allclose(mine["y11"], plain["y"], atol=1e-5)
    last = med.specification(model, pairs, med.residual(2, at="last"), metrics, corruptions=noises, **QUICK)
    noised = last.tidy().query("corruption == 'noise 1'").set_index("estimand")
    assert noised.loc["pnie", "estimate"] == pytest.approx(noised.loc["te", "estimate"])  # all passes through it
    assert set(effects.tidy().query("corruption != 'base'")["n_draws"]) == {3}


# ---------------------------------------------------------------------------------------------- counts


def hand_made(*numbers: tuple[float, float, float]) -> pd.DataFrame:
    estimates, lows, highs = zip(*numbers, strict=True)
    table = pd.DataFrame({"estimand": "pnie", "site": "", "estimate": estimates, "conf_low": lows, "conf_high": highs})
    table = table.assign(std_error=1.0, method="t", outcome=list("aabb"), corruption="c", arm="", dose=math.nan)
    table["corruption"] = ["c", "d", "c", "d"]
    return table


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_counts_of_agreement_by_hand(sign):
    nan = math.nan
    numbers = [(2.0, 1.0, 3.0), (1.0, -1.0, 3.0), (-2.0, -3.0, -1.0), (0.5, nan, nan)]
    if sign < 0:
        numbers = [(-x, -high, -low) for x, low, high in numbers]
    counts = agreement_of(specifications(hand_made(*numbers))).set_index(["choice", "level"])
    assert counts.loc[("all", "")].tolist() == [4, 1, 1, 1, 1, 3]
    assert counts.loc[("outcome", "a")].tolist() == [2, 1, 0, 1, 0, 2]
    assert counts.loc[("outcome", "b")].tolist() == [2, 0, 1, 0, 1, 1]
    assert counts.loc[("corruption", "c")].tolist() == [2, 1, 1, 0, 0, 1]
    assert counts.loc[("corruption", "d")].tolist() == [2, 0, 0, 1, 1, 2]


def test_agreement_counts_the_rows_of_the_table(whole):
    counts = agreement(whole, "pnie").set_index(["choice", "level"])
    rows = whole.tidy().query("estimand == 'pnie'")
    assert counts.loc[("all", ""), "n"] == len(rows) == 9
    assert (
        counts.loc[("outcome", "against"), "other side"]
        == ((rows["conf_high"] < 0) & (rows["outcome"] == "against")).sum()
    )
    parts = counts[["same side", "other side", "covers 0", "no interval"]].sum(axis=1)
    assert (parts == counts["n"]).all()
    for choice in ("outcome", "corruption"):
        assert counts.loc[choice, "n"].sum() == 9
    with pytest.raises(med.errors.DesignError, match=r"med\.specification"):
        agreement(med.effects(pd.DataFrame({"y00": [0.0, 1.0], "y11": [2.0, 2.5]}), rng=0))


def test_a_gap_is_on_both_sides_of_zero():
    table = hand_made(*[(1.0, -math.inf, math.inf)] * 4).assign(
        method=["fieller (complement: <= -1.0 or >= 0.5)", "fieller (unbounded)", "fieller", "fieller"]
    )
    table.loc[2:, ["conf_low", "conf_high"]] = [0.5, math.inf]
    assert agreement_of(specifications(table)).iloc[0][["same side", "covers 0"]].tolist() == [2, 2]


def test_the_summary_tells_what_the_result_hangs_on(whole):
    summary = whole.summary()
    text = str(summary)
    rows = specifications(whole.tidy())
    assert len(rows) == 9 * 2 + 3 * 3
    assert all(len(field.cells) == len(rows) for field in summary.fields)
    assert "no independent evidence" in " ".join(summary.notes)
    assert "by outcome: score" in " ".join(summary.notes)
    assert "share: of TE" in text.replace("\n", " ")
    assert "constant 1" in text
    assert max(map(len, text.splitlines())) <= 100
    assert len(whole.summary("te").fields[0].cells) == 9


def test_shares_of_weak_total_effects_are_warned_of_once():
    with pytest.warns(med.errors.WeakTotalEffectWarning) as caught:
        med.specification(
            linear(),
            med.Pairs(base=X, source=X.flip(0) + 0.01 * X),
            SITE,
            OUTCOMES,
            rng=0,
            n_resamples=99,
        )
    mine = [one for one in caught if one.category is med.errors.WeakTotalEffectWarning]
    assert len(mine) == 1
    assert mine[0].filename == __file__
    assert "3 of 3 proportions" in str(mine[0].message)


def test_rows_without_an_interval_are_warned_of_once():
    same = med.Pairs(base=torch.zeros(5, 1), source=torch.ones(5, 1))
    with pytest.warns(med.errors.DegenerateWarning, match="9 of 9 estimates of the specification table") as caught:
        table = med.specification(linear().float(), same, SITE, OUTCOMES, **QUICK).tidy()
    assert len(caught) == 1
    assert table["conf_low"].isna().all()
    assert table["estimate"].notna().all()
