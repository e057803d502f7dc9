"""On a GPU, sweeps give the numbers that they give on a CPU, by every path; skipped where there is none."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch

import mediation as med
from mediation.testing import FAMILIES, tiny_model
from tests.engine.studies import token_pairs

PAIRS = token_pairs((5, 7, 7, 9, 6))
DECODERS = sorted(set(FAMILIES) - {"bert", "roberta", "distilbert"})
SITES = med.residual(at="each") | med.mlp(at="last") | med.attention(1, head="each", at=-2)
MANNERS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "rows, padded right": {"fan_out": False, "padding_side": "right"},
    "plain hooks": {"backend": "hooks"},
}


def sweep(family: str, device: str, dtype: torch.dtype = torch.float32, **how: Any) -> pd.DataFrame:
    model = med.load(tiny_model(family).to(dtype), device=device)
    found = med.mediate(model, PAIRS, SITES, med.LogitDiff(5, 6), n_resamples=99, rng=0, **how)
    return found.units[["y00", "y01", "y10", "y11"]]


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("family", DECODERS)
def test_a_sweep_on_cuda_is_that_on_the_cpu(family, manner):
    there, here = (sweep(family, device, **MANNERS[manner]) for device in ("cuda", "cpu"))
    assert (there - here).abs().max().max() < 1e-4 * (1 + here.abs().max().max())


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_bfloat16_on_cuda_is_near_float32_on_the_cpu(family):
    there, here = sweep(family, "cuda", torch.bfloat16), sweep(family, "cpu")
    assert (there - here).abs().max().max() < 0.05 * (1 + here.abs().max().max())
