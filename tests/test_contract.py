"""The contract of the README and of the design, run as it is written, on tiny models."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes

import mediation as med
from mediation.results import columns
from mediation.testing import tiny_model, tiny_tokenizer

_NAMES = ("Mary", "John", "Anna", "Tom")


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    rows = []
    for template, tail in enumerate(("gave a book to", "gave the drink to", "told")):
        for a, b in (("Mary", "John"), ("Anna", "Tom"), ("Tom", "Mary"), ("John", "Anna")):
            head = f"{a} and {b} went to the store and "
            rows.append(
                {
                    "template": template,
                    "clean": f"{head}{b} {tail}",
                    "corrupted": f"{head}{a} {tail}",
                    "answer": a,
                    "foil": b,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def model() -> med.Model:
    tokenizer = tiny_tokenizer()
    return med.load(tiny_model("llama", layers=3), tokenizer=tokenizer)


@pytest.fixture(scope="module")
def tokens(df: pd.DataFrame, model: med.Model) -> dict[str, list[int]]:
    """Ids that stand for the names, whatever the tokenizer makes of them."""
    first = {name: model.tokenizer(name, add_special_tokens=False)["input_ids"][0] for name in _NAMES}
    assert len(set(first.values())) == len(first)
    return {what: [first[name] for name in df[what]] for what in ("answer", "foil")}


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")  # sites before the first differing token
def test_the_contract(df: pd.DataFrame, model: med.Model, tokens: dict[str, list[int]], tmp_path: Path) -> None:
    df = df.assign(**tokens)
    pairs = med.Pairs.from_frame(df, base="corrupted", source="clean", cluster="template")
    outcome = med.LogitDiff("answer", "foil")

    effects = med.mediate(model, pairs, mediator=med.residual(1, at="last"), outcome=outcome, rng=0)
    for name in ("TE", "PNDE", "TNDE", "PNIE", "TNIE", "INTmed", "PM"):
        assert name in str(effects.summary())
    assert isinstance(med.plot.decomposition(effects), Axes)

    with pytest.warns(med.errors.AlignmentWarning):  # the sentences differ in length
        sweep = med.mediate(model, pairs, mediator=med.residual(at="each"), outcome=outcome, rng=0)
    shortest = min(len(model.tokenizer(text)["input_ids"]) for text in df["clean"])
    assert len(sweep.tidy()) == 3 * shortest * 6
    assert isinstance(med.plot.heatmap(sweep, "pnie"), Axes)
    mpl.pyplot.close("all")

    arm = med.Zero().at(med.mlp(0)) | med.GaussianNoise(0.5).at(med.attention(2, head=3))
    ablation = med.ablate(model, pairs, arm, outcome, rng=0)
    assert (ablation.tidy()["estimand"] == "ablation").all()

    for result, kind in ((effects, "effects"), (sweep, "sweep"), (ablation, "ablation")):
        assert list(result.tidy().columns) == [column.name for column in columns(kind)]
        result.save(tmp_path / kind)
        assert med.read(tmp_path / f"{kind}.parquet") == result
    again = med.effects(effects.units, rng=0)
    pd.testing.assert_frame_equal(again.tidy(), effects.tidy())


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")  # no difference at all is the point
def test_the_custom_intervention(model: med.Model, df: pd.DataFrame, tokens: dict[str, list[int]]) -> None:
    @med.intervention
    def clip(hidden: torch.Tensor, limit: float = 3.0) -> torch.Tensor:
        return hidden.clamp(-limit, limit)

    pairs = med.Pairs.from_frame(df.assign(**tokens), base="corrupted", source="clean")
    outcome = med.LogitDiff("answer", "foil")
    nothing = med.ablate(model, pairs, clip(limit=1e9).at(med.residual(1)), outcome, rng=0).units
    assert (nothing["y"] == nothing["ym"]).all()
    all_of_it = med.ablate(model, pairs, clip(limit=0.0).at(med.residual(1)), outcome, rng=0).units
    zero = med.ablate(model, pairs, med.Zero().at(med.residual(1)), outcome, rng=0).units
    assert all_of_it["ym"].tolist() == zero["ym"].tolist()


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")  # no direct effect in any unit
def test_a_plain_module_works_as_a_language_model_does() -> None:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.encoder = torch.nn.ModuleDict({"fc1": torch.nn.Linear(3, 4), "fc2": torch.nn.Linear(4, 2)})

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.encoder["fc2"](self.encoder["fc1"](x).relu())

    @med.outcome
    def margin(output: torch.Tensor) -> torch.Tensor:
        return output[:, 0] - output[:, 1]

    x0, x1 = torch.randn(20, 3), torch.randn(20, 3)
    model = med.load(Encoder())
    effects = med.mediate(model, med.Pairs(base=x0, source=x1), med.Site("encoder.fc1"), margin, rng=0)
    units = effects.units
    # Everything passes through fc1, so the mediator carries the whole effect, unit by unit.
    assert units["y01"].to_numpy() == pytest.approx(units["y11"].to_numpy(), abs=1e-6)
    assert units["y10"].to_numpy() == pytest.approx(units["y00"].to_numpy(), abs=1e-6)
    truth = margin.function(model.module(x1)) - margin.function(model.module(x0))
    assert (units["y11"] - units["y00"]).to_numpy() == pytest.approx(truth.detach().numpy(), abs=1e-6)


@pytest.mark.filterwarnings("ignore::mediation.MediationWarning")  # twelve short prompts
def test_moderation_of_a_run(df: pd.DataFrame, model: med.Model, tokens: dict[str, list[int]]) -> None:
    df = df.assign(length=df["clean"].str.len(), **tokens)
    outcome = med.LogitDiff("answer", "foil")
    alone = med.Pairs.from_frame(df, base="corrupted", source="clean")
    effects = med.mediate(model, alone, med.residual(1, at="last"), outcome, rng=0)
    found = effects.by("template", frame=alone.frame).tidy()
    assert found.loc[found["estimand"] == "te", "n"].tolist() == [4, 4, 4]
    fitted = effects.regress("~ length", frame=alone.frame, estimands="te").tidy()
    values = (effects.units["y11"] - effects.units["y00"]).to_numpy()
    assert fitted["estimate"].to_numpy()[::-1] == pytest.approx(np.polyfit(df["length"], values, 1), abs=1e-6)

    clustered = med.Pairs.from_frame(df, base="corrupted", source="clean", cluster="template")
    again = med.mediate(model, clustered, med.residual(1, at="last"), outcome, rng=0)
    assert again.by("template").tidy()["conf_low"].isna().all()  # a cluster each
    stated = {item.name: item.stated for item in again.checklist().items}
    assert any("template" in said for said in stated["Sample size"])
    assert any("torch" in said for said in stated["Data and code"])
    both = med.compare_many({"first": effects, "second": effects}, paired=True).tidy()
    assert (both.loc[both["part"] == "contrast", "estimate"] == 0).all()
