"""Screens: the sites that are run, what is said of those that are not, and what the bands cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from statsmodels.stats.multitest import multipletests
from torch import Tensor, nn

import mediation as med
from mediation import LogitDiff, Pairs, Screen, Site, SiteSet, attention, mlp, residual
from mediation.inference import screening_report
from mediation.inference.multiplicity._screening import most_exceeding
from mediation.results.account._screened import for_all_sites
from mediation.testing import first_output, tiny_model
from tests.engine.studies import token_pairs

pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.FewResamplesWarning"),
]

QUICK: dict[str, Any] = {"rng": 0, "n_resamples": 199, "progress": False}
PAIRS = token_pairs((8,) * 12, cluster=list("aabbccddeeff"))
SITES = residual(at="each") | mlp(at="last") | attention(head="each", at="last")
OUTCOME = LogitDiff(5, 6)
KEYS = ["estimand", "site"]


@pytest.fixture(scope="module")
def model():
    return med.load(tiny_model("llama", layers=3))


@pytest.fixture(scope="module")
def whole(model):
    return med.mediate(model, PAIRS, SITES, OUTCOME, **QUICK)


@pytest.fixture(scope="module")
def screened(model):
    return med.mediate(model, PAIRS, SITES, OUTCOME, screen=Screen(6, sample=20), **QUICK)


class Many(nn.Module):
    """Mediators side by side, one of which carries the outcome: Y = sum_k w_k tanh(a_k x)."""

    def __init__(self, n: int = 40, planted: int = 17) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mediators = nn.ModuleList(nn.Linear(1, 1) for _ in range(n))
        self.weights = 0.05 * torch.randn(n, generator=generator)
        self.weights[planted] = 2.0

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.cat([torch.tanh(mediator(x)) for mediator in self.mediators], dim=1)
        return (parts * self.weights).sum(1, keepdim=True)


def strengths(effects: med.Effects) -> pd.Series:
    """Return the larger of |PNIE| and |TNIE| by site."""
    table = effects.tidy().query("estimand in ('pnie', 'tnie')")
    return table.assign(size=table["estimate"].abs()).groupby("site")["size"].max()


# ---------------------------------------------------------------------------------------------- what is run


@pytest.mark.parametrize("steps", [None, 3])
def test_a_planted_mediator_is_found_among_many(steps):
    torch.manual_seed(1)
    module, x = Many(), torch.randn(20, 1)
    sites = SiteSet(tuple(Site(f"mediators.{k}") for k in range(40)))
    found = med.mediate(
        med.load(module), Pairs(base=x, source=x + 0.3), sites, first_output, screen=Screen(1, steps=steps), **QUICK
    )
    assert set(found.tidy()["site"]) == {"mediators.17"}
    screen = found.provenance["screen"]
    assert (screen["stronger"], screen["rest"], len(screen["sample"]["site"])) == (0, 39, 30)
    assert screen["spearman"] > 0.9
    assert screen["at_most"] < 5


def test_rows_are_those_of_the_whole_sweep(whole, screened):
    both = screened.tidy().merge(whole.tidy(), on=KEYS, suffixes=("", "_whole"), validate="1:1")
    assert len(both) == len(screened.tidy()) == 6 * whole.tidy()["estimand"].nunique()
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(both[name], both[f"{name}_whole"], rtol=1e-6, atol=1e-6)
    assert both["layer"].equals(both["layer_whole"])
    assert screened.units["site"].nunique() == 6
    assert screened.kind == "sweep"


def test_the_sites_with_the_largest_scores_are_run(model, screened):
    scores = med.attribution(model, PAIRS, SITES, OUTCOME)
    size = scores.assign(size=scores["score"].abs()).groupby("site", sort=False)["size"].max()
    ranked = size.sort_values(ascending=False)
    kept = screened.provenance["screen"]
    assert kept["chosen"]["site"] == ranked.index[:6].tolist()
    np.testing.assert_allclose(kept["chosen"]["score"], ranked[:6], rtol=1e-5)
    np.testing.assert_allclose(kept["sample"]["score"], size[kept["sample"]["site"]], rtol=1e-5, atol=1e-7)
    order = [site for site in size.index if site in kept["chosen"]["site"]]
    assert list(dict.fromkeys(screened.tidy()["site"])) == order  # rows stay in the order of the sweep


def test_what_is_said_of_the_others_is_what_the_whole_sweep_says(whole, screened):
    exact, kept = strengths(whole), screened.provenance["screen"]
    for part in ("chosen", "sample"):
        np.testing.assert_allclose(kept[part]["strength"], exact[kept[part]["site"]], rtol=1e-5, atol=1e-6)
    weakest = exact[kept["chosen"]["site"]].min()
    assert kept["weakest"] == pytest.approx(weakest, rel=1e-5)
    assert kept["stronger"] == (exact[kept["sample"]["site"]] > weakest + 1e-6).sum()
    assert (exact.drop(kept["chosen"]["site"]) > weakest).sum() <= kept["at_most"]
    known = stats.spearmanr(kept["sample"]["score"], kept["sample"]["strength"]).statistic
    assert kept["spearman"] == pytest.approx(known)
    assert kept["spearman_low"] < known < kept["spearman_high"]
    assert (kept["sites"], kept["rest"], kept["passes"]) == (len(exact), len(exact) - 6, 2)


def test_only_the_asked_direction_ranks(model):
    found = med.mediate(model, PAIRS, SITES, OUTCOME, estimands=["tnde"], screen=3, **QUICK)
    scores = med.attribution(model, PAIRS, SITES, OUTCOME).query("estimand == 'pnie'").set_index("site")["score"]
    assert found.provenance["screen"]["by"] == ["pnie"]
    assert set(found.tidy()["site"]) == set(scores.abs().nlargest(3).index)
    assert set(found.tidy()["estimand"]) == {"tnde"}


def test_the_same_seed_gives_the_same_screen(model, screened):
    options = {"batch_size": 5, "padding_side": "right", "backend": "hooks"}
    again = med.mediate(model, PAIRS, SITES, OUTCOME, screen=Screen(6, sample=20), **QUICK, **options)
    other = med.mediate(model, PAIRS, SITES, OUTCOME, screen=Screen(6, sample=20), **{**QUICK, "rng": 1})
    one, two, three = (found.provenance["screen"] for found in (screened, again, other))
    assert one["sample"]["site"] == two["sample"]["site"] != three["sample"]["site"]
    assert one["chosen"]["site"] == two["chosen"]["site"] == three["chosen"]["site"]
    np.testing.assert_allclose(screened.tidy()["estimate"], again.tidy()["estimate"], atol=1e-5)


def test_weights_count_in_scores(model):
    weights = np.linspace(1, 3, len(PAIRS))
    pairs = Pairs(base=PAIRS.base, source=PAIRS.source, weight=weights)
    found = med.mediate(model, pairs, SITES, OUTCOME, screen=4, **QUICK)
    scores = med.attribution(model, pairs, SITES, OUTCOME)
    unweighted = med.attribution(model, PAIRS, SITES, OUTCOME)
    assert not np.allclose(scores["score"], unweighted["score"])
    size = scores["score"].abs().groupby(scores["site"]).max()
    np.testing.assert_allclose(found.provenance["screen"]["chosen"]["score"], size.nlargest(4), rtol=1e-5)
    exact = strengths(found)
    np.testing.assert_allclose(
        found.provenance["screen"]["chosen"]["strength"], exact[found.provenance["screen"]["chosen"]["site"]], rtol=1e-6
    )


def test_an_ablation_and_a_part_of_the_donor(model):
    basis = np.eye(16)[:5].tolist()
    part = med.Subspace(basis, med.Interchange())
    found = med.mediate(model, PAIRS, residual(at="each"), OUTCOME, donor=part, ablation=med.Zero(), screen=3, **QUICK)
    full = med.mediate(model, PAIRS, residual(at="each"), OUTCOME, donor=part, ablation=med.Zero(), **QUICK)
    both = found.tidy().merge(full.tidy(), on=KEYS, suffixes=("", "_whole"))
    assert {"cde", "int_ref"} <= set(found.tidy()["estimand"])
    np.testing.assert_allclose(both["estimate"], both["estimate_whole"], atol=1e-5)


# ---------------------------------------------------------------------------------------------- other units


def test_screening_on_other_units(model):
    found = med.mediate(model, PAIRS, SITES, OUTCOME, screen=Screen(4, split=0.5), **QUICK)
    screen = found.provenance["screen"]
    reported = screen["reported_units"]
    clusters = np.asarray(PAIRS.cluster)
    others = [unit for unit in range(len(PAIRS)) if unit not in reported]
    assert not set(clusters[reported]) & set(clusters[others])
    assert (screen["n_units"], len(reported), screen["units"]) == (6, 6, "others")
    scores = med.attribution(model, PAIRS.subset(others), SITES, OUTCOME)
    size = scores["score"].abs().groupby(scores["site"]).max()
    assert set(found.tidy()["site"]) == set(size.nlargest(4).index)
    chosen = SiteSet(tuple(site for site in _concrete(model, SITES) if str(site) in set(found.tidy()["site"])))
    alone = med.mediate(model, PAIRS.subset(reported), chosen, OUTCOME, **QUICK).tidy()
    both = found.tidy().merge(alone, on=KEYS, suffixes=("", "_alone"), validate="1:1")
    for name in ("estimate", "conf_low", "band_low", "band_high", "p_adjusted"):  # bands over the four, as they are
        np.testing.assert_allclose(both[name], both[f"{name}_alone"], atol=1e-5)
    assert "by 6 other units" in " ".join(found.summary().notes)


def _concrete(model: med.Model, sites: SiteSet) -> Any:
    from mediation.units import encode

    return sites.expand(model, encode(PAIRS, model))


# ---------------------------------------------------------------------------------------------- bands


def test_bands_hold_for_all_sites(whole, screened):
    n_sites = whole.tidy()["site"].nunique()
    table = screened.tidy().query("estimand != 'te'")
    reach = stats.t.ppf(1 - 0.05 / (2 * n_sites), 5) * table["std_error"]  # six clusters
    moved = table["std_error"] > 0
    assert (table["band_low"] <= table["estimate"] - reach + 1e-12)[moved].all()
    assert (table["band_high"] >= table["estimate"] + reach - 1e-12)[moved].all()
    p = np.minimum(1, 2 * n_sites * stats.t.sf(table["estimate"].abs() / table["std_error"], 5))
    assert (table["p_adjusted"] >= p - 1e-12)[moved].all()
    te = [frame.tidy().query("estimand == 'te'").iloc[0] for frame in (screened, whole)]
    assert te[0]["band_low"] == pytest.approx(te[1]["band_low"])


def test_nulls_that_were_chosen_by_their_own_units_are_not_found():
    """The worst case: 200 sites without any effect, of which the five with the largest means are reported."""
    rng, n_sites, n, runs = np.random.default_rng(0), 200, 25, 30
    provenance = {"screen": {"units": "the same", "sites": n_sites}, "inference": {"confidence_level": 0.95}}
    found = np.zeros(2, dtype=int)
    for _ in range(runs):
        effects = rng.standard_normal((n, n_sites))
        chosen = np.argsort(-np.abs(effects.mean(0)))[:5]
        frame = pd.DataFrame(
            {
                "site": np.repeat([f"s{k}" for k in chosen], n),
                "unit": np.tile(np.arange(n), 5),
                "y00": 0.0,
                "y01": effects[:, chosen].T.ravel(),
            }
        )
        table = med.effects(frame, estimands="pnie", rng=0, n_resamples=99).tidy()
        for index, one in enumerate((table, for_all_sites(table, provenance))):
            found[index] += bool(((one["band_low"] > 0) | (one["band_high"] < 0)).any())
    assert found[0] > 0.6 * runs  # as if they had been named in advance
    assert found[1] <= 5  # 5% of 30 are 1.5; P(more than 5) < 0.004


def test_other_adjustments_count_all_sites(whole, screened):
    n_sites = whole.tidy()["site"].nunique()
    for method, name in (("bh", "fdr_bh"), ("holm", "holm")):
        table = screened.adjust(method).tidy().query("estimand == 'pnie'")
        padded = np.concatenate([table["p_value"].to_numpy(), np.ones(n_sites - 6)])
        np.testing.assert_allclose(table["p_adjusted"], multipletests(padded, method=name)[1][:6])
        together = screened.adjust(method, family="all").tidy().query("estimand != 'te'")
        assert (together["p_adjusted"] >= screened.adjust(method).tidy().query("estimand != 'te'")["p_adjusted"]).all()
    again = screened.adjust("max-t").tidy()
    np.testing.assert_allclose(again["band_low"], screened.tidy()["band_low"])
    np.testing.assert_allclose(again["p_adjusted"], screened.tidy()["p_adjusted"])
    with pytest.raises(med.errors.DesignError, match="chosen by the same units"):
        screened.hierarchy()


# ---------------------------------------------------------------------------------------------- what is said


def test_summary_and_file(screened, tmp_path):
    notes = " ".join(screened.summary().notes)
    assert "Screened: 6 of 39 sites were patched" in notes
    assert "by these same units" in notes
    assert "Of the 33 left, 20 drawn at random were patched too" in notes
    assert "rank correlation of |score| and |effect| among them" in notes
    assert "max-t over the scores of all 39 sites, Bonferroni's t for as many" in notes
    screened.save(tmp_path / "screened.parquet")
    assert med.read(tmp_path / "screened.parquet") == screened


@pytest.mark.parametrize("sample", [0, 1, 3, 1000])
def test_samples_of_any_size(model, sample):
    found = med.mediate(model, PAIRS, residual(at="each"), OUTCOME, screen=Screen(4, sample=sample), **QUICK)
    notes, screen = " ".join(found.summary().notes), found.provenance["screen"]
    if sample == 0:
        assert "what the screen missed is not known" in notes
        assert screen["at_most"] == screen["rest"] == 20
    if sample == 1000:
        assert "All 20 left were patched too" in notes
        assert screen["at_most"] == screen["stronger"]
        assert screen["spearman"] == screen["spearman_low"]
    assert screen["spearman_low"] is None or sample > 3


def test_sites_before_the_inputs_differ_do_not_count(model):
    base, source = ([one.clone() for one in side] for side in (PAIRS.base, PAIRS.source))
    for unit, (one, other) in enumerate(zip(base, source, strict=True)):
        other[: 3 + unit % 3] = one[: 3 + unit % 3]  # equal up to 3, 4 or 5 tokens
    found = med.mediate(model, Pairs(base=base, source=source), residual(at="each"), OUTCOME, screen=4, **QUICK)
    screen = found.provenance["screen"]
    assert (screen["sites"], screen["null"], screen["rest"]) == (24, 9, 11)
    assert not {site[-1] for site in screen["sample"]["site"]} & set("012")
    notes = " ".join(found.summary().notes)
    assert "9 others lie before the first token that differs: their effects are 0" in notes
    assert "max-t over the scores of all 15 sites, Bonferroni's t for as many" in notes


def test_the_bound_covers():
    """For every number of sites that exceed, the bound is below it with a chance of at most 5%."""
    total, drawn = 60, 15
    bounds = np.array(
        [most_exceeding(found, drawn, total, 0.95) if found <= drawn else 0 for found in range(drawn + 1)]
    )
    for exceeding in range(total + 1):
        found = np.arange(max(0, drawn - (total - exceeding)), min(drawn, exceeding) + 1)
        chance = stats.hypergeom.pmf(found, total, exceeding, drawn)
        assert chance[bounds[found] < exceeding].sum() <= 0.05 + 1e-12


def test_rank_correlations_of_ties_and_of_nothing():
    rng = np.random.default_rng(0)
    score, effect = rng.integers(0, 4, 25).astype(float), rng.integers(0, 3, 25).astype(float)
    told = screening_report(np.array([2.0]), score, effect, rest=100, confidence_level=0.9, seed=0)
    assert told["spearman"] == pytest.approx(stats.spearmanr(score, effect).statistic)
    assert told["stronger"] == 0
    none = screening_report(np.array([2.0]), score, np.zeros(25), rest=100, confidence_level=0.9, seed=0)
    assert none["spearman"] is None


def test_scores_have_the_columns_that_are_promised(model):
    found = med.attribution(model, PAIRS, SITES, OUTCOME)
    names = ["estimand", "site", "layer", "position", "head", "feature", "score", "std_error", "n", "n_clusters"]
    assert found.columns.tolist() == names
    assert set(found["n_clusters"]) == {6}
    sites = len(_concrete(model, SITES))
    assert found["estimand"].tolist() == ["pnie"] * sites + ["tnie"] * sites
    heads = found[found["site"].str.startswith("attention")]
    assert set(heads["head"]) == {0, 1, 2, 3}
    assert found["feature"].isna().all()
