"""Results that older versions saved; `older/` holds files that these versions wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import mediation as med
from mediation.estimands import estimands_from
from mediation.estimate import SiteInfo
from mediation.inference import Inference
from mediation.plot import heatmap, specification
from mediation.results import summarise
from tests.results.results_factory import make_sweep

OLDER = Path(__file__).parent / "older"


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_heads_and_features_of_version_1(tmp_path: Path) -> None:
    """Version 1 of the schema had a column `unit` for both."""
    effects = med.read(OLDER / "sweep.parquet")
    table = effects.tidy().set_index("site")
    assert table["head"].dropna().to_dict() == {"attention[0].head[2]@last": 2, "attention[1].head[0]@last": 0}
    assert table["feature"].dropna().to_dict() == {"neurons[1].units[7]@last": 7}
    assert "unit" not in table
    assert table["estimate"].tolist() == pytest.approx(effects.units.groupby("site", sort=False)["y01"].mean().tolist())
    effects.save(tmp_path / "again")
    assert med.read(tmp_path / "again") == effects


def _features() -> med.Effects:
    units = pd.concat(
        pd.DataFrame({"site": f"neurons[{layer}].units[{one}]", "unit": range(8), "y00": 0.0, "y01": range(8)})
        for layer in (0, 1)
        for one in (3, 5)
    )
    units = units.assign(cluster=units["unit"], weight=1.0, draw=0).reset_index(drop=True)
    sites = {f"neurons[{layer}].units[{one}]": SiteInfo(layer, "all", None, one) for layer in (0, 1) for one in (3, 5)}
    return summarise(
        units, estimands_from(("y00", "y01"), None), Inference(n_resamples=99, seed=0), sites=sites, provenance={}
    )


def test_a_sweep_over_features_is_drawn_and_told_by_feature() -> None:
    effects = _features()
    ax = heatmap(effects)
    assert ax.get_xlabel() == "feature"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3", "5"]
    assert "feature" in str(effects.summary())
    assert "head" not in str(effects.summary())


def test_the_old_name_of_head_in_a_heat_map() -> None:
    sweep = make_sweep(layers=(0, 1), positions=(2, 8), heads=(0, 1, 2))
    with pytest.warns(DeprecationWarning, match="heatmap: unit is now head"):
        old = heatmap(sweep, unit=1)
    assert (old.images[0].get_array() == heatmap(sweep, head=1).images[0].get_array()).all()


def test_the_metric_of_version_2_is_an_outcome(tmp_path: Path) -> None:
    effects = med.read(OLDER / "specification.parquet")
    assert list(dict.fromkeys(effects.tidy()["outcome"])) == ["logit difference", "probability"]
    assert "metric" not in effects.tidy()
    assert "metric" not in effects.units
    assert effects.adjust("max-t").tidy()["p_adjusted"].notna().any()  # table and units name specifications alike
    effects.save(tmp_path / "again")
    assert med.read(tmp_path / "again") == effects


def test_the_old_name_of_the_outcome_of_a_specification() -> None:
    effects = med.read(OLDER / "specification.parquet")
    old = {"outcome": "metric"}
    with pytest.warns(DeprecationWarning, match="Column 'metric' is now 'outcome'; the old name goes in version"):
        again = med.Effects(effects.tidy().rename(columns=old), effects.units.rename(columns=old), effects.provenance)
    assert again == effects
    named = {"corruption": "corrupted", "arm": "zero"}
    new = effects.confidence_set("ablation", outcome="probability", **named)
    with pytest.warns(DeprecationWarning, match="metric= is now outcome="):
        assert effects.confidence_set("ablation", metric="probability", **named) == new
    with pytest.warns(DeprecationWarning, match="specification: metric is now outcome"):
        ax = specification(effects, metric="probability")
    assert ax.get_title() == specification(effects, outcome="probability").get_title()
