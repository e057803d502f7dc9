"""What some families need besides the sizes that all share, and those that are not built, with the reason."""

from __future__ import annotations

from typing import Any


def _rope(**more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, **more}}


_MROPE = _rope(mrope_section=[1, 1, 0])
_KINDS = {"rope_type": "default", "rope_theta": 10000.0}
_TWO_ROPES = {"rope_parameters": {"full_attention": _KINDS, "sliding_attention": _KINDS}}
_INDEXER = {
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 4,
    "indexer_budget": 8,
    "indexer_compress_ratio": 2,
    "ngram_vocab_size_base": 100,
}

EXTRAS: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1], "mamba_d_head": 8, "num_hidden_layers": 3},
    "chameleon": {"vocabulary_map": {"<image>": 3}},
    "cohere_compass": {"text_config": _TWO_ROPES},
    "cohere_compass_text": _TWO_ROPES,
    "cosmos3_edge": {"text_config": _MROPE},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"hidden_size": 16, "ffn_hidden_size": 32, "moe_num_experts": 4},
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {
        "n_shared_experts": 1,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 2,
        "layer_types": ["full_attention"] * 2,
    },
    "esm": {"vocab_size": 512, "mask_token_id": 3, "pad_token_id": 0},
    "esmc": {"num_key_value_heads": 4},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_d_head": 8},
    "gemma4_assistant": {"text_config": {"hidden_size_per_layer_input": 0}},
    "glm46v": {"text_config": _MROPE},
    "glm4v": {"text_config": _MROPE},
    "glm4v_moe": {"text_config": _rope(mrope_section=[1, 0, 0])},
    "glm5_next": {"text_config": {"num_key_value_heads": 4}},
    "glm_ocr": {"text_config": _MROPE},
    "glmga": {"text_config": _MROPE},
    "granitemoehybrid": {
        "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        "num_hidden_layers": 3,
        "mamba_d_head": 8,
    },
    "hunyuan_v1_dense": {"head_dim": 4},
    "hunyuan_v1_moe": {"head_dim": 4},
    "hunyuan_vl": {"text_config": {"head_dim": 4, **_rope(mrope_section=[1, 1, 0])}},
    "idefics3": {"pad_token_id": 0},
    "jamba": {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 3},
    "led": {"attention_window": [4, 4]},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"], "num_hidden_layers": 3},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"], "num_hidden_layers": 3},
    "mamba2": {"head_dim": 8, "num_heads": 4},
    "ministral": {"head_dim": 4},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    "longformer": {"attention_window": [4, 4]},
    "longcat_flash": {"num_attention_heads": 4, "head_dim": 4, "zero_expert_num": 2},
    "molmo2": {"adapter_config": {"vision_feature_layer": [-1, -2]}},
    "nemotron": {"num_key_value_heads": 2},
    "neomme": {"head_dim": 16},
    "paddleocr_vl": {"text_config": _MROPE},
    "qwen4_exp": {"text_config": _INDEXER},
    "qwen4_exp_text": _INDEXER,
    "qwen2_5_omni_thinker": {"text_config": _MROPE},
    "qwen2_5_vl": {"text_config": _MROPE},
    "qwen2_vl": {"text_config": _MROPE},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "reformer": {"axial_pos_embds_dim": [8, 8], "axial_pos_shape": [8, 16]},
    "smolvlm": {"pad_token_id": 0},
    "step3p7": {"text_config": {"sliding_window": 16}},
    "unlimited_ocr": {"text_config": {"num_key_value_heads": 4}},
    "xlstm": {"hidden_size": 128, "embedding_dim": 128, "num_blocks": 2, "num_heads": 4},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "attention_hidden_size": 32,
        "attention_head_dim": 8,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "num_hidden_layers": 4,
    },
    "zamba2": {"attention_hidden_size": 32, "attention_head_dim": 8},
    "zaya": {"num_experts_per_tok": 1},
}

_PICTURES = "its forward needs pictures"
_TIMM = "its picture part needs the library timm"
_TOGETHER = "its sizes depend on each other in ways that the small configuration does not meet"
NOT_BUILT: dict[str, str] = {
    "blip": _PICTURES,
    "blip-2": _PICTURES,
    "blt": "it reads bytes in patches, and its configuration has no number of layers",
    "deepseek_ocr2": _TOGETHER,
    "diffusion_gemma": _TOGETHER,
    "dots3_note": _TOGETHER,
    "emu3": "its picture part is not made small by its configuration",
    "ernie4_5_vl_moe": _TOGETHER,
    "fast_vlm": _TIMM,
    "florence2": _TOGETHER,
    "gemma3n": _TIMM,
    "gemma4_assistant": "it drafts for another model, whose keys and values it needs",
    "gemma4_unified_assistant": "it drafts for another model, whose keys and values it needs",
    "glm5_next": _TOGETHER,
    "granite4_vision": _TOGETHER,
    "idefics": _PICTURES,
    "instructblip": _PICTURES,
    "instructblipvideo": _PICTURES,
    "kosmos-2": _PICTURES,
    "mra": "its attention is a CUDA kernel, and adds nothing without one",
    "musicgen": "its configuration is of three models, and only one of them is a language model",
    "musicgen_melody": "its configuration is of three models, and only one of them is a language model",
    "nemo_speechlm": _TOGETHER,
    "nemotron_h_omni": _TOGETHER,
    "perception_lm": _TIMM,
    "pi0": "it steers robots: its forward needs states and actions",
    "pix2struct": _PICTURES,
    "pp_formulanet": _PICTURES,
    "udop": "its forward needs a box for each word",
    "vibevoice_asr": "its sound part is not made small by its configuration",
    "vision-encoder-decoder": _PICTURES,
    "voxtral_realtime": "its forward needs sound",
    "yoso": "its attention is a CUDA kernel, and adds nothing without one",
}

# Walked once more with a picture in the prompt: what the configuration needs, and how many tokens a picture takes.
_SIZE = {"embed_dim": 16, "hidden_size": 16, "mlp_ratio": 2, "num_heads": 2, "spatial_merge_size": 2}
WITH_PICTURES: dict[str, tuple[dict[str, Any], int]] = {
    "llava": ({}, 16),
    "gemma3": ({"mm_tokens_per_image": 16}, 16),
    "paligemma": ({}, 16),
    "qwen2_vl": ({**EXTRAS["qwen2_vl"], "vision_config": {**_SIZE, "patch_size": 7, "temporal_patch_size": 2}}, 4),
    "idefics3": ({"scale_factor": 2}, 4),
    "smolvlm": ({"scale_factor": 2}, 4),
}
PICTURE = 500
for _extra, _ in WITH_PICTURES.values():
    _extra |= {"image_token_id": PICTURE, "image_token_index": PICTURE}
