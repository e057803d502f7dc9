"""The demo end to end, on a tiny model with a real tokenizer's interface."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import mediation as med
from mediation.demo import run
from mediation.demo._report import _runs

# The checkpoint is random, so its total effect is near 0.
pytestmark = pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with a tokenizer trained on the demo's own sentences, saved as a checkpoint."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.trainers import BpeTrainer

    from mediation.demo._ioi import _NAMES

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(vocab_size=2000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([f"When {name} and {name} went" for name in _NAMES.split()] * 50, trainer)
    folder = tmp_path_factory.mktemp("tiny")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="!")
    fast.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    import torch

    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_the_demo_writes_tables_pictures_and_a_report(checkpoint: Path, tmp_path: Path) -> None:
    said: list[str] = []
    result = run(str(checkpoint), tmp_path / "out", n=16, seed=1, progress=False, say=said.append)
    names = {path.name for path in result.out.iterdir()}
    wanted = {f"{name}.parquet" for name in ("sweep", "effects", "ablation", "components")}
    wanted |= {f"{name}.png" for name in ("heatmap", "decomposition", "ablation")} | {"report.md"}
    assert wanted <= names
    assert med.read(result.out / "sweep.parquet") == result.sweep
    assert med.read(result.out / "effects.parquet") == result.effects
    sweep = result.sweep.tidy()
    assert sorted(sweep["layer"].unique()) == [0, 1, 2]
    assert set(sweep["position"]) == {"opening", "io", "and", "s1", "setting", "s2", "action", "end"}
    assert (sweep["n"] == 16).all()
    report = (result.out / "report.md").read_text()
    assert "16 pairs from 8 sentence templates" in report
    assert re.search(r"\bnan\b", report) is None
    assert any("Tables and pictures are in" in line for line in said)
    for line in report.splitlines():
        if "digest" in line:
            assert json.dumps(result.sweep.provenance["model"]["digest"]).strip('"') in line


def test_cells_before_the_changed_token_are_exactly_zero_and_the_last_cell_is_the_total_effect(
    checkpoint: Path, tmp_path: Path
) -> None:
    sweep = run(str(checkpoint), tmp_path, n=16, seed=1, progress=False, say=lambda _: None).sweep
    units = sweep.units
    before = units[units["site"].str.contains("@(?:opening|setting|and)$")]
    assert (before["y01"] == before["y00"]).all()
    assert (before["y10"] == before["y11"]).all()
    last = units[units["site"] == "residual[2]@end"]
    assert abs(last["y01"] - last["y11"]).max() < 1e-5
    assert abs(last["y10"] - last["y00"]).max() < 1e-5


def test_same_seed_same_numbers(checkpoint: Path, tmp_path: Path) -> None:
    first, second = (
        run(str(checkpoint), tmp_path / name, n=8, seed=3, progress=False, say=lambda _: None) for name in ("a", "b")
    )
    pd.testing.assert_frame_equal(first.effects.tidy(), second.effects.tidy())
    pd.testing.assert_frame_equal(first.ablation.tidy(), second.ablation.tidy())


def test_runs_of_layers_are_shortened() -> None:
    assert _runs([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
