"""Tiny random models of every family that the installed transformers builds from a small configuration."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

HEADS, WIDTH, INNER, VOCABULARY = 4, 16, 32, 512
KINDS = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "encoder": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "encoder-decoder": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "image-text": "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES",
}
# A family that is found under two kinds of head is walked under the first that fits it.
SKIPPED_AS_CAUSAL = "an encoder or an encoder-decoder, walked as such"


def _named(value: int, names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), value)


# What a field of a configuration is set to, wherever it occurs, nested configurations included.
SIZES: dict[str, Any] = {
    **_named(
        WIDTH,
        "hidden_size d_model n_embd emb_dim dim embed_dim encoder_hidden_size decoder_hidden_size "
        "attention_hidden_size embedding_size text_hidden_size vision_hidden_size audio_hidden_size out_hidden_size "
        "word_embed_proj_dim lru_width projection_dim input_embedding_size output_embedding_size embedding_dim "
        "backbone_hidden_size vision_output_dim output_dim hidden_size_global d_latents pooler_hidden_size "
        "image_text_hidden_size projection_hidden_dim projection_hidden_size router_hidden_size merged_hidden_size "
        "true_hidden_size vision_feature_dim",
    ),
    **_named(
        INNER,
        "intermediate_size ffn_dim hidden_dim encoder_ffn_dim decoder_ffn_dim d_ff dim_ff ffn_hidden_size "
        "intermediate_size_mlp n_inner d_inner mlp_dim dense_intermediate_size ffn_intermediate_size inner_dim "
        "feed_forward_size dff shared_intermediate_size moe_shared_expert_intermediate_size mlp_hidden_size "
        "shared_expert_intermediate_size shared_experts_intermediate_size projector_hidden_size "
        "projection_intermediate_size expert_ffn_hidden_size share_expert_dim moe_hidden_size",
    ),
    **_named(16, "moe_intermediate_size"),
    **_named(
        HEADS,
        "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads attention_heads "
        "num_encoder_attention_heads num_decoder_attention_heads num_experts num_local_experts n_routed_experts "
        "moe_num_experts num_self_attention_heads num_cross_attention_heads mamba_n_heads mamba_num_heads "
        "n_mamba_heads resampler_n_heads swa_num_attention_heads num_attention_heads_per_layer ssm_state_size "
        "state_size mamba_d_state linear_num_value_heads linear_num_heads index_n_heads resampler_heads "
        "num_sliding_attention_heads",
    ),
    **_named(
        4,
        "head_dim d_kv d_head attention_head_size attention_head_dim global_head_dim v_head_dim qk_nope_head_dim "
        "qk_rope_head_dim kv_channels linear_key_head_dim linear_value_head_dim linear_head_dim resampler_head_dim "
        "swa_head_dim dim_head rotary_dim query_pre_attn_scalar hidden_size_per_layer_input index_head_dim "
        "resampler_dim_head conv_kernel mamba_d_conv swa_v_head_dim",
    ),
    **_named(
        2,
        "num_key_value_heads num_kv_heads multi_query_group_num kv_n_heads swa_num_key_value_heads "
        "num_global_key_value_heads num_query_groups linear_num_key_heads num_experts_per_tok num_experts_per_token "
        "moe_topk moe_k moe_top_k num_selected_experts top_k_experts",
    ),
    **_named(
        2,
        "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_encoder_layers depth "
        "num_decoder_layers layers resampler_depth speech_encoder_layers t2u_encoder_layers t2u_decoder_layers "
        "num_self_attends_per_block",
    ),
    **_named(
        8, "q_lora_rank kv_lora_rank laurel_rank o_lora_rank mamba_headdim mamba_head_dim mamba_d_head hc_lowrank"
    ),
    **_named(
        VOCABULARY,
        "vocab_size decoder_vocab_size src_vocab_size tgt_vocab_size vocab_size_per_layer_input entity_vocab_size "
        "unpadded_vocab_size t2u_vocab_size char_vocab_size unit_hifi_gan_vocab_size",
    ),
    **_named(
        128,
        "max_position_embeddings n_positions max_source_positions max_target_positions seq_length n_ctx "
        "max_seq_len model_max_length context_length max_sequence_length t2u_max_position_embeddings",
    ),
    **_named(
        1,
        "n_group topk_group mamba_n_groups n_groups mamba_ngroups num_expert_group n_shared_experts num_shared_experts",
    ),
    **_named(1, "first_k_dense_replace num_dense_layers moe_layer_start_index"),
    **_named(0, "num_nextn_predict_layers num_mtp_layers max_window_layers"),
    "num_kv_shared_layers": 0,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
    "image_size": 28,
    "patch_size": 7,
    "mamba_expand": 2,
    "expand": 2,
    "chunk_size": 4,
    "mamba_chunk_size": 4,
    "use_mamba_kernels": False,
}


def classes() -> dict[str, tuple[str, str]]:
    """Return family -> (kind, name of the class of the model), of every family that transformers knows."""
    from transformers.models.auto import modeling_auto

    found: dict[str, tuple[str, str]] = {}
    for kind in ("encoder-decoder", "encoder", "image-text", "causal"):
        for family, name in getattr(modeling_auto, KINDS[kind]).items():
            found.setdefault(family, (kind, name if isinstance(name, str) else name[0]))
    return dict(sorted(found.items()))


def small(config: Any, extra: dict[str, Any]) -> Any:
    """Return a configuration of the class of `config` with small sizes; `extra` is by field, or by nested field."""
    given = config.to_dict()
    made: dict[str, Any] = {}
    for name, value in vars(config).items():
        if _is_config(value):
            made[name] = small(value, extra.get(name, {})).to_dict()
            if value.model_type:
                made[name]["model_type"] = value.model_type
        elif name in SIZES and name in given and value is not None and not isinstance(value, (list, dict)):
            made[name] = SIZES[name]
    if "qk_rope_head_dim" in given:  # latent keys: one for each head, and the width of a head is that of its parts
        made = {name: made[name] for name in made if name not in ("head_dim", "qk_head_dim")}
        made |= {"num_key_value_heads": HEADS} if "num_key_value_heads" in given else {}
    made |= _lists(given, made)
    nested = {name for name in made if _is_config(vars(config).get(name))}
    return type(config)(**made | {name: extra[name] for name in extra.keys() - nested})


def _is_config(value: object) -> bool:
    from transformers import PreTrainedConfig

    return isinstance(value, PreTrainedConfig)


def _lists(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Of lists with an entry a layer: one layer of each kind (at most five), in the order in which they come."""
    depth = next((name for name in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if name in made), None)
    if depth is None or not isinstance(given[depth], int):
        return {}
    lists = {name: v for name, v in given.items() if isinstance(v, (list, tuple)) and len(v) == given[depth] > 2}
    first: dict[Any, int] = {}
    for layer, kinds in enumerate(zip(*lists.values(), strict=True)):
        first.setdefault(repr(kinds), layer)
    layers = sorted(first.values())[:5]
    if len(layers) < 2:
        layers = layers * 2
    return {depth: len(layers) or 2} | {name: [v[layer] for layer in layers] for name, v in lists.items()}


def build(family: str, extra: dict[str, Any]) -> nn.Module:
    """Return a tiny random model of a family in which everything matters, in evaluation mode."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    _, name = classes()[family]
    default = getattr(transformers, CONFIG_MAPPING_NAMES[family])
    config = small(default(), extra)
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            gain = 8.0 if any(part in path for part in ("vision", "projector", "connector")) else 4.0
            parameter.mul_(gain) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    return model
