"""Families that are not in the list of those that fan out: they are tried, and give the naive numbers either way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

import mediation as med
from mediation import LogitDiff, Model, attention, mlp, residual
from mediation.engine import backend_for, make_study
from mediation.engine.fanout._fanout import fan_out_reason
from tests.engine.studies import exchanges, finish, gap, token_pairs, values

OUTCOME = LogitDiff(5, 6)
PAIRS = token_pairs((5, 7, 7, 9))
_SIZES = {
    "vocab_size": 512,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
_LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 4}
_EXPERTS = {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2}
# Scaled logits, windows in half of the layers, shared keys, sinks, latent keys: the pass was not written for them.
GROWN: dict[str, dict[str, Any]] = {
    "Cohere2": {**_SIZES, "num_key_value_heads": 2, "sliding_window": 4},
    "Olmo2": {**_SIZES, "num_key_value_heads": 2},
    "Granite": {**_SIZES, "num_key_value_heads": 2, "logits_scaling": 3.0},
    "Falcon": {
        name: _SIZES[name] for name in ("vocab_size", "hidden_size", "num_attention_heads", "num_hidden_layers")
    },
    "GPTJ": {"vocab_size": 512, "n_embd": 16, "n_head": 4, "n_layer": 2, "rotary_dim": 4, "n_positions": 128},
    "GptOss": {**_SIZES, "num_key_value_heads": 2, "head_dim": 4, "num_local_experts": 4, "sliding_window": 4},
    "DeepseekV3": {**_SIZES, **_LATENT, **_EXPERTS, "moe_intermediate_size": 16, "first_k_dense_replace": 1},
}
BY_ROWS: dict[str, dict[str, Any]] = {
    "Bloom": {"vocab_size": 512, "hidden_size": 16, "n_head": 4, "n_layer": 2},  # makes its own positions of the mask
    "Mamba": {"vocab_size": 512, "hidden_size": 16, "num_hidden_layers": 2, "state_size": 4},  # keeps a state
}


def loaded(name: str, config: dict[str, Any]) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**config)).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.mul_(4.0) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    return med.load(made)


def check(model: Model) -> Any:
    known = model.known_architecture()
    sites = [residual(0, at="last"), residual(1, at=1), residual(0, at=2)]
    sites += [mlp(1, at=2)] if known.mlp is not None else []
    sites += [attention(1, at=1)] if known.attention is not None else []
    worlds = exchanges(sites)
    naive = values(model, PAIRS, worlds, OUTCOME, backend="reference")
    found = finish(model, PAIRS, worlds, OUTCOME, checks=0)
    assert gap(found.values, naive) < 1e-5
    return found.report


@pytest.mark.parametrize("name", GROWN)
def test_a_family_that_passes_its_trial_fans_out(name):
    assert check(loaded(name, GROWN[name]))["fan_out"] == "used"


@pytest.mark.parametrize("name", BY_ROWS)
def test_a_family_that_does_not_goes_by_rows_and_says_why(name):
    report = check(loaded(name, BY_ROWS[name]))
    assert report["fan_out_rows"] == 0
    assert report["fan_out"].startswith(("a trial failed: ", "not a causal decoder"))


def test_a_growing_pass_that_gives_other_numbers_is_found_out():
    """A layer that looks at the size of its batch: right by rows, wrong in a batch that grows."""
    model = loaded("Olmo2", GROWN["Olmo2"])
    model.module.model.layers[1].register_forward_hook(
        lambda _, given, output: output + 0.1 * (len(given[0]) > 1) * output.roll(1, -1)
    )
    study = make_study(model, PAIRS, exchanges([residual(0, at=2)]), OUTCOME, seed=0)
    reason = fan_out_reason(study, backend_for("nnsight"))
    assert reason is not None
    assert reason.startswith("a trial gave ")
