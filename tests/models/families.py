"""Tiny random models of families whose blocks differ, or keep their parts elsewhere than Llama does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn

_SIZES = {
    "vocab_size": 512,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GPT = {"vocab_size": 512, "n_embd": 16, "n_head": 4, "n_layer": 2, "n_positions": 128}
_EXPERTS = {
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 8,
    "shared_expert_intermediate_size": 8,
    "n_group": 1,
    "topk_group": 1,
}
_MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 8,
    "mamba_d_state": 4,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 4,
    "mamba_expand": 2,
}
_LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 4}
_LINEAR = {
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "head_dim": 4,
}


def _without(sizes: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in sizes.items() if name not in names}


FAMILIES: dict[str, dict[str, Any]] = {
    "Bloom": {"vocab_size": 512, "hidden_size": 16, "n_layer": 2, "n_head": 4},
    "Mpt": {"vocab_size": 512, "d_model": 16, "n_heads": 4, "n_layers": 2, "max_seq_len": 128},
    "GPTNeo": {
        "vocab_size": 512,
        "hidden_size": 16,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 128,
        "intermediate_size": 32,
    },
    "GPTJ": {**_GPT, "rotary_dim": 4},
    "CodeGen": {**_GPT, "rotary_dim": 4},
    "Falcon": _without(_SIZES, "num_key_value_heads", "intermediate_size", "max_position_embeddings"),
    "CTRL": {**_GPT, "dff": 32},
    "OpenAIGPT": _GPT,
    "Persimmon": _without(_SIZES, "num_key_value_heads"),
    "ModernBertDecoder": {**_SIZES, "local_attention": 8},
    "RobertaPreLayerNorm": _without(_SIZES, "num_key_value_heads"),
    "Bert": _without(_SIZES, "num_key_value_heads"),
    "ConvBert": {**_without(_SIZES, "num_key_value_heads"), "embedding_size": 16},
    "Olmo2": _SIZES,
    "Granite": {**_SIZES, "residual_multiplier": 0.5, "attention_multiplier": 0.3},
    "DiffLlama": _SIZES,
    "Lfm2": {**_SIZES, "num_hidden_layers": 3, "layer_types": ["conv", "full_attention", "conv"]},
    "Lfm2Moe": {
        **_SIZES,
        **_EXPERTS,
        "num_hidden_layers": 3,
        "num_dense_layers": 1,
        "layer_types": ["conv", "full_attention", "conv"],
    },
    "NemotronH": {
        **_without(_SIZES, "num_hidden_layers"),
        **_EXPERTS,
        "layers_block_type": ["mamba", "attention", "mlp", "moe"],
        "head_dim": 4,
        "mamba_num_heads": 4,
        "mamba_head_dim": 8,
        "ssm_state_size": 4,
        "n_groups": 1,
        "chunk_size": 4,
    },
    "Qwen3Next": {**_SIZES, **_EXPERTS, **_LINEAR, "num_hidden_layers": 4},
    "Jamba": {
        **_SIZES,
        **_EXPERTS,
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_d_state": 4,
        "mamba_dt_rank": 4,
    },
    "Bamba": {**_SIZES, **_MAMBA, "attn_layer_indices": [1]},
    "RecurrentGemma": {
        **_SIZES,
        "num_hidden_layers": 3,
        "lru_width": 16,
        "attention_window_size": 8,
        "num_key_value_heads": 1,
        "head_dim": 4,
    },
    "FalconH1": {**_SIZES, **_MAMBA, "mamba_d_ssm": 32},
    "GraniteMoeHybrid": {
        **_SIZES,
        **_MAMBA,
        **_EXPERTS,
        "layer_types": ["mamba", "attention"],
        "shared_intermediate_size": 16,
    },
    "Zamba": {
        **_SIZES,
        "num_key_value_heads": 4,
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "mamba_d_state": 4,
        "n_mamba_heads": 2,
    },
    "MiniMax": {
        **_SIZES,
        **_EXPERTS,
        "layer_types": ["linear_attention", "full_attention"],
        "head_dim": 4,
        "block_size": 4,
    },
    "DeepseekV3": {
        **_SIZES,
        **_LATENT,
        **_EXPERTS,
        "num_key_value_heads": 4,
        "first_k_dense_replace": 1,
    },
    "Qwen2Moe": {**_SIZES, **_EXPERTS, "mlp_only_layers": [0], "decoder_sparse_step": 1},
    "Llama4": {**_SIZES, **_EXPERTS, "interleave_moe_layer_step": 2, "head_dim": 4, "intermediate_size_mlp": 32},
    "Glm4Moe": {**_SIZES, **_EXPERTS, "first_k_dense_replace": 1, "head_dim": 4},
    "GptOss": {**_SIZES, **_EXPERTS, "head_dim": 4},
    "JetMoe": {**_SIZES, **_EXPERTS, "kv_channels": 4},
    "Mamba": {**_SIZES, "state_size": 4},
    "Mamba2": {
        **_without(_SIZES, "num_attention_heads", "num_key_value_heads", "intermediate_size"),
        "num_heads": 4,
        "head_dim": 8,
        "state_size": 4,
        "n_groups": 1,
        "chunk_size": 4,
    },
    "Rwkv": {
        "vocab_size": 512,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "attention_hidden_size": 16,
        "intermediate_size": 32,
        "context_length": 128,
    },
    "xLSTM": {"vocab_size": 512, "hidden_size": 16, "num_blocks": 2, "num_heads": 2},
}
BY_NAME: dict[str, dict[str, Any]] = {"XLM": {"vocab_size": 512, "emb_dim": 16, "n_layers": 2, "n_heads": 4}}
_KINDS = {
    "CTRL": "CTRLLMHeadModel",
    "OpenAIGPT": "OpenAIGPTLMHeadModel",
    "Bert": "BertForMaskedLM",
    "ConvBert": "ConvBertForMaskedLM",
    "RobertaPreLayerNorm": "RobertaPreLayerNormForMaskedLM",
    "XLM": "XLMWithLMHeadModel",
}
_CONFIGS = {"Llama4": "Llama4TextConfig"}


def built(family: str, table: Mapping[str, dict[str, Any]] = FAMILIES, *, attention: str = "eager") -> nn.Module:
    """Return a tiny model of a family, with weights large enough for everything to matter."""
    config = getattr(transformers, _CONFIGS.get(family, f"{family}Config"))(**table[family])
    config._attn_implementation = attention
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net: nn.Module = getattr(transformers, _KINDS.get(family, f"{family}ForCausalLM"))(config).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(4.0) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def ids_of(net: nn.Module) -> dict[str, Tensor]:
    """Return the arguments of a pass of six tokens."""
    return {"input_ids": torch.arange(5, 11)[None]}
